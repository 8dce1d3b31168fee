"""The re-randomisation test and max-T beside plain loops; ``make bench`` runs it.

The loop is what one would write first: draw arms within strata, fit by statsmodels, compare. It is
timed on a few draws and taken times the number of draws.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import numpy as np
import statsmodels.api as sm

from hiaim_sc.stats import max_t, rerandomisation_test

if TYPE_CHECKING:
    from collections.abc import Callable

_DRAWS = 9999
_LOOP_DRAWS = 200
_PATIENTS = 54
_ENDPOINTS = 40
_REPEATS = 5


def main() -> None:
    """Print a line per test: seconds, seconds of the loop, ratio."""
    rng = np.random.default_rng(4263467)
    arm = np.tile([0, 1], _PATIENTS // 2)
    strata = np.repeat([0, 1, 2], [26, 18, 10])
    before = rng.normal(size=(_PATIENTS, _ENDPOINTS))
    after = 0.6 * before + rng.normal(size=(_PATIENTS, _ENDPOINTS))
    known = {"n_draws": _DRAWS, "rng": rng, "strata": strata}
    tests: dict[str, tuple[Callable[[], object], int]] = {
        f"re-randomisation, {_PATIENTS} patients, {_DRAWS} draws": (
            lambda: rerandomisation_test(after[:, 0], arm, baseline=before[:, 0], **known),
            1,
        ),
        f"max-T over {_ENDPOINTS} endpoints": (
            lambda: max_t(after, arm, baseline=before, **known),
            _ENDPOINTS,
        ),
    }
    loop = _time_loop(after[:, 0], arm, before[:, 0], strata, rng) * _DRAWS / _LOOP_DRAWS
    print("test\tseconds\tplain loop, seconds\tratio")
    for name, (run, n_endpoints) in tests.items():
        seconds = min(_time(run) for _ in range(_REPEATS))
        plain = loop * n_endpoints
        print(f"{name}\t{seconds:.3f}\t{plain:.1f}\t{plain / seconds:.0f}")


def _time(run: Callable[[], object]) -> float:
    start = time.perf_counter()
    run()
    return time.perf_counter() - start


def _time_loop(
    y: np.ndarray,
    arm: np.ndarray,
    baseline: np.ndarray,
    strata: np.ndarray,
    rng: np.random.Generator,
) -> float:
    """Seconds that a loop over statsmodels fits takes."""
    levels = np.column_stack([strata == level for level in np.unique(strata)[1:]]).astype(float)
    start = time.perf_counter()
    for _ in range(_LOOP_DRAWS):
        drawn = arm.copy()
        for level in np.unique(strata):
            drawn[strata == level] = rng.permutation(arm[strata == level])
        design = sm.add_constant(np.column_stack([drawn, baseline, levels]))
        sm.OLS(y, design).fit().tvalues[1]
    return time.perf_counter() - start


if __name__ == "__main__":
    main()
