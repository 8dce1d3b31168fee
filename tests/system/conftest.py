"""A small study, a real Prefect server, and the command line as a user calls it."""

from __future__ import annotations

import os
import shutil
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


@pytest.fixture(scope="session")
def simulated(simulate):
    """A simulated study of 4 patients: 16 libraries of 250 cells."""
    return simulate(n_patients=4, cells_per_library=250, seed=3)


@pytest.fixture(scope="session")
def finished(simulated, hiaim, tmp_path_factory):
    """The study run once, but for its last library: the folder, its store and its first release."""
    folder = tmp_path_factory.mktemp("finished")
    shutil.copytree(simulated / "study", folder / "study")
    libraries = folder / "study" / "libraries.tsv"
    lines = libraries.read_text().splitlines(keepends=True)
    libraries.write_text("".join(lines[:-1]))
    release = hiaim.release(folder / "study", "--workers", 2)
    libraries.write_text("".join(lines))
    return FinishedStudy(folder / "study", release, lines[-1].split("\t")[0], "".join(lines[:-1]))


class FinishedStudy(NamedTuple):
    study: Path
    release: Path
    left_out: str
    first_libraries: str
