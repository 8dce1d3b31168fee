"""Doublets of two compartments in the simulator's small libraries, ambient RNA and all."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.doublets import assess_case, make_case, recall_at

N_LIBRARIES = 5
# 2 % of 400 droplets: some eight in each library, so that few libraries are enough for the test.
# The expected rate stays the default. ``benchmarks/README.md`` has 80 libraries at its own rate.
RATE = 0.05


@pytest.fixture(scope="module")
def cells():
    """Cells of 400 per library, of both tissues, with the truth."""
    cases = [
        make_case(tissue, 400, seed=500 + seed, n_genes=2000, doublet_rate_per_1000=RATE)
        for tissue in ("blood", "tumor")
        for seed in range(N_LIBRARIES)
    ]
    return pd.concat(assess_case(case, seed=i) for i, case in enumerate(cases))


def test_doublets_of_two_compartments_are_found_in_small_libraries(cells):
    assert cells["is_mixed"].sum() >= 40
    assert recall_at(cells, 0.6) >= 0.6


def test_calls_are_right_and_find_most_of_them(cells):
    called = cells["predicted_doublet"]
    assert cells.loc[called, "is_doublet"].mean() >= 0.6
    assert called[cells["is_mixed"]].mean() >= 0.6
    assert (cells.loc[called, "doublet_evidence"] != "").all()
