"""A private PostgreSQL on loopback, started and stopped by its process id."""

from __future__ import annotations

import os
import shutil
import subprocess
import tempfile
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from flows._server import free_port

if TYPE_CHECKING:
    from collections.abc import Iterator

# PostgreSQL refuses to run as root; Debian's package makes this user.
_USER = "postgres" if os.geteuid() == 0 else None


@contextmanager
def private_postgres() -> Iterator[dict[str, str]]:
    """A new, empty PostgreSQL; yields what its clients need in their environment."""
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
            yield {"PGHOST": str(folder), "PGPORT": str(port)}
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
