"""Fixtures for all tests, and the rule that turns missing machinery into a skip or a failure."""

from __future__ import annotations

import os
import shutil
from pathlib import Path

import pytest
from hypothesis import settings

REPOSITORY = Path(__file__).resolve().parent.parent

# A run's workers have one thread of numba's. What sets it for a run sets it in this process too,
# and numba does not let it be another once it has begun.
os.environ["NUMBA_NUM_THREADS"] = "1"

# A busy machine is no fault of a test.
settings.register_profile("patient", deadline=None)
settings.load_profile("patient")

# mark -> what must be on the machine
_NEEDS = {
    "slurm": ("slurmctld", "slurmd", "munged"),
    "browser": ("chromium",),
}


def _missing(mark: str) -> str | None:
    if mark == "postgres":
        found = shutil.which("postgres") or any(Path("/usr/lib/postgresql").glob("*/bin/postgres"))
        return None if found else "postgres is not installed"
    absent = [name for name in _NEEDS[mark] if shutil.which(name) is None]
    return f"{', '.join(absent)} not installed" if absent else None


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The system's tests come first: they take longest."""
    items.sort(key=lambda item: not item.nodeid.startswith("tests/system/"))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config: pytest.Config, log: object) -> object:
    """Where several processes run the tests, one takes all that look at one study of the system's.

    All other tests of a file stay together, too.
    """
    from xdist.scheduler import LoadScopeScheduling

    class ByFile(LoadScopeScheduling):
        def _split_scope(self, nodeid: str) -> str:
            return _together(nodeid)

    return ByFile(config, log)


def _together(nodeid: str) -> str:
    file = nodeid.split("::")[0]
    return str(Path(file).parent) if file.startswith("tests/system/one_") else file


def pytest_runtest_setup(item: pytest.Item) -> None:
    required = set(filter(None, os.environ.get("HIAIM_REQUIRE", "").split(",")))
    if item.get_closest_marker("long") is not None and not required:
        pytest.skip("takes minutes; runs where HIAIM_REQUIRE is set, as .ci/run sets it")
    for mark in ("slurm", "postgres", "browser"):
        if item.get_closest_marker(mark) is None or (reason := _missing(mark)) is None:
            continue
        if mark in required:
            pytest.fail(f"HIAIM_REQUIRE names {mark}, but {reason}")
        pytest.skip(reason)


@pytest.fixture(scope="session")
def simulate(tmp_path_factory):
    """Simulates a study: call it with settings; returns the folder with ``study`` and ``truth``."""
    from hiaim_sc.simulate import SimulationSettings, simulate_cohort

    def build(**settings) -> Path:
        folder = tmp_path_factory.mktemp("simulated")
        given = SimulationSettings(out=folder / "study", truth=folder / "truth", **settings)
        simulate_cohort(given)
        return folder

    return build


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """Folder of the public data sets that stand beside the checkout; skips where it is absent."""
    folder = Path(os.environ.get("HIAIM_SHARED_DATA", REPOSITORY.parent / "shared" / "data"))
    if not folder.is_dir():
        pytest.skip(f"the public data sets are not at {folder}")
    return folder
