"""A real Prefect server, and the command line as a user calls it."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

import pytest

from flows._server import free_port, local_server

COMMAND = Path(sys.executable).with_name("hiaim-sc")


class Finished(NamedTuple):
    code: int
    out: str
    err: str


class CommandLine:
    """Calls hiaim-sc in a process of its own, against the tests' Prefect server."""

    command = str(COMMAND)

    def __init__(self, api: str) -> None:
        self.environment = {**os.environ, "PREFECT_API_URL": api}

    def __call__(self, *words: object) -> Finished:
        done = subprocess.run(
            [self.command, *map(str, words)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
            timeout=900,
        )
        return Finished(done.returncode, done.stdout, done.stderr)

    def release(self, *words: object) -> Path:
        """Run a study; the release's folder."""
        done = self("run", *words)
        if done.code != 0:
            pytest.fail(f"hiaim-sc run {words} exited with {done.code}\n{done.out}\n{done.err}")
        line = next(line for line in done.out.splitlines() if line.startswith("release: "))
        return Path(line.removeprefix("release: ").strip())


@pytest.fixture(scope="session")
def prefect_server(tmp_path_factory):
    """A real Prefect server on loopback for all system tests."""
    before = dict(os.environ)
    with local_server(tmp_path_factory.mktemp("prefect"), free_port()) as api:
        yield api
    os.environ.clear()
    os.environ.update(before)


@pytest.fixture(scope="session")
def hiaim(prefect_server):
    return CommandLine(prefect_server)
