"""A private PostgreSQL on loopback, started and stopped by its process id."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
import time
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flows._server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

# PostgreSQL refuses to run as root; Debian's package makes this user.
_USER = "postgres" if os.geteuid() == 0 else None


@contextmanager
def private_database() -> Iterator[str]:
    """A new, empty database for a Prefect server; yields its URL."""
    # not below pytest's folder, which is closed to the other user
    folder = Path(tempfile.mkdtemp(prefix="hiaim-postgres-"))
    port = free_port()
    try:
        if _USER:
            shutil.chown(folder, _USER)
        _run("initdb", "-D", folder / "data", "-A", "trust", "-U", "postgres")
        options = f"-p {port} -c listen_addresses=127.0.0.1 -c unix_socket_directories={folder}"
        _run("pg_ctl", "-D", folder / "data", "-o", options, "-l", folder / "log", "-w", "start")
        try:
            for statement in (
                "create role prefect login password 'prefect'",
                "create database prefect owner prefect",
            ):
                _ask(port, "postgres", statement)
            _ask(port, "prefect", "create extension pg_trgm")
            yield f"postgresql+asyncpg://prefect:prefect@127.0.0.1:{port}/prefect"
        finally:
            _run("pg_ctl", "-D", folder / "data", "-m", "immediate", "-w", "stop")
    finally:
        shutil.rmtree(folder, ignore_errors=True)


def _program(name: str) -> str:
    versions = sorted(Path("/usr/lib/postgresql").glob(f"*/bin/{name}"))
    return shutil.which(name) or str(versions[-1])


def _run(name: str, *words: object) -> None:
    subprocess.run(
        [_program(name), *map(str, words)],
        user=_USER,
        cwd="/",
        check=True,
        stdout=subprocess.DEVNULL,
        timeout=120,
    )


def _ask(port: int, database: str, statement: str) -> None:
    command = [_program("psql"), "-h", "127.0.0.1", "-p", str(port), "-U", "postgres"]
    deadline = time.monotonic() + 30
    while True:
        done = subprocess.run([*command, "-d", database, "-c", statement], check=False, cwd="/")
        if done.returncode == 0:
            return
        if time.monotonic() > deadline:
            message = f"psql failed: {statement}"
            raise RuntimeError(message)
        time.sleep(0.5)
