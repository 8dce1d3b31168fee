"""A small study run once, for the tests that look at its release or go on from it."""

from __future__ import annotations

import shutil
from typing import TYPE_CHECKING, NamedTuple

import pytest

if TYPE_CHECKING:
    from pathlib import Path


class FinishedStudy(NamedTuple):
    study: Path
    release: Path
    left_out: str
    first_libraries: str


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
