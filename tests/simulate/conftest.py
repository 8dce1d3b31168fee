"""A small cohort, written once and only read by the tests."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from hiaim_sc.simulate import SimulationSettings, simulate_cohort

SMALL = {"n_patients": 4, "cells_per_library": 120, "n_genes": 800, "n_clone_ranks": 2000}


def small_settings(out: Path | str = "study", **changed: Any) -> SimulationSettings:
    return SimulationSettings(out=Path(out), **{**SMALL, **changed})


@pytest.fixture(scope="session")
def small_cohort(tmp_path_factory: pytest.TempPathFactory) -> SimulationSettings:
    settings = small_settings(tmp_path_factory.mktemp("small") / "study")
    simulate_cohort(settings)
    return settings
