from __future__ import annotations

import itertools

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.dna_barcodes import choose_thresholds, expect_antigens, signed_rank_p_value
from hiaim_sc.dna_barcodes.itrap import MEASURES, Choice
from hiaim_sc.names import PAIRED_CHAINS

from .conftest import call, make_clones, make_counts, pairs

TOP, SECOND = [5, 7, 3, 9, 4, 6, 8, 2, 5, 7], [1, 0, 1, 2, 0, 1, 1, 3, 0, 1]


def test_signed_rank_test_of_known_cells():
    assert signed_rank_p_value(TOP, SECOND) == 0.001953125


def test_signed_rank_p_value_counts_the_signs_that_give_as_much():
    difference = np.subtract([4, 9, 1, 7, 3], [1, 2, 3, 2, 2])
    ranks = pd.Series(np.abs(difference)).rank().to_numpy()
    seen = ranks[difference > 0].sum()
    sums = [ranks[list(signs)].sum() for signs in itertools.product([False, True], repeat=5)]
    assert signed_rank_p_value(difference, np.zeros(5)) == np.mean(np.array(sums) >= seen)
    assert signed_rank_p_value([3, 3], [3, 3]) == 1


def draw_cells(seed: int, n: int = 60) -> tuple[pd.DataFrame, pd.Series]:
    rng = np.random.default_rng(seed)
    cells = pd.DataFrame(
        {
            "clone_key": rng.choice(["a", "b", "small"], n),
            "umi_vj": rng.integers(0, 5, n),
            "delta_vj": rng.uniform(0, 5, n),
            "umi_vdj": rng.integers(0, 5, n),
            "delta_vdj": rng.uniform(0, 5, n),
            "umi_antigen": rng.integers(1, 10, n),
            "delta_antigen": rng.uniform(0, 4, n),
        }
    )
    expected = pd.Series({"a": "x", "b": "y"})
    is_right = rng.random(n) < 0.1 + 0.08 * cells["umi_antigen"]
    top = cells["clone_key"].map(expected).fillna("z")
    return cells.assign(top_dna_barcode=np.where(is_right, top, "z")), expected


@pytest.mark.parametrize("seed", range(3))
def test_thresholds_are_the_best_of_all_combinations(seed):
    cells, expected = draw_cells(seed)
    credible = cells[cells["clone_key"] != "small"]
    grid = [
        np.arange(max(1, credible["umi_vj"].quantile(0.4)) + 1).tolist(), [0, 1, 2, 3],
        np.arange(max(1, credible["umi_vdj"].quantile(0.4)) + 1).tolist(), [0, 1, 2, 3],
        np.arange(1, credible["umi_antigen"].quantile(0.5) + 1).tolist(), [0, 1, 2],
    ]  # fmt: skip
    grid = [np.unique(np.round(steps)) for steps in grid]
    values = credible[list(MEASURES)].to_numpy()
    is_right = (credible["clone_key"].map(expected) == credible["top_dna_barcode"]).to_numpy()
    best = max(
        (round((2 * is_right[kept].mean() + kept.mean()) / 3, 12), is_right[kept].mean())
        for thresholds in itertools.product(*grid)
        for kept in [(values >= thresholds).all(axis=1)]
        if kept.any()
    )
    found = choose_thresholds(cells, expected)
    assert found is not None
    assert (round(found.objective, 12), found.accuracy) == pytest.approx(best)
    kept = found.keep(credible)
    assert (is_right[kept].mean(), kept.mean()) == pytest.approx((found.accuracy, found.ratio))


def test_thresholds_do_not_give_up_most_cells_for_the_last_error():
    """Two of twenty cells are wrong; without fault are only the two with chains of one UMI more."""
    cells = pd.DataFrame(0.0, index=range(20), columns=[*MEASURES]).assign(
        clone_key="a", umi_antigen=5, top_dna_barcode=["x"] * 18 + ["z"] * 2
    )
    cells.loc[:1, "umi_vj"] = 1.0
    found = choose_thresholds(cells, pd.Series({"a": "x"}))
    assert found is not None
    assert (found.accuracy, found.ratio) == (0.9, 1.0)


def test_objective_weighs_accuracy_twice():
    assert Choice((0.0,) * 6, 0.9, 0.6).objective == pytest.approx((2 * 0.9 + 0.6) / 3)


def test_expected_antigens_need_ten_cells_and_a_lead():
    rows = [("big", i, "x", n) for i, n in enumerate(TOP)]
    rows += [("big", i, "y", n) for i, n in enumerate(SECOND)]
    rows += [("small", 20 + i, "x", 50) for i in range(9)]
    rows += [("torn", 40 + i, "xy"[i % 2], 50) for i in range(12)]
    held = pd.DataFrame(rows, columns=["clone_key", "cell", "dna_barcode", "n_umi"])
    assert expect_antigens(held).to_dict() == {"big": "x"}


def test_cells_of_credible_clones_are_called():
    marked = {i: {"GIL_Flu_MP": 20 + i} for i in range(12)} | {30: {"NLV_CMV": 60}}
    clones = make_clones({"a": list(range(14)), "lonely": [30]})
    found = call(make_counts(marked), clones=clones, method="itrap").cells
    assert pairs(found) == [(f"cell{i:03}", "GIL_Flu_MP") for i in range(12)]
    assert set(found["evidence"]) == {"itrap"}
    assert found["q_value"].isna().all()
    assert call(make_counts(marked), method="itrap").cells.empty  # no clone to learn from


@pytest.mark.data
def test_it_finds_the_large_clones_of_the_public_data(dextramers, dextramer_clones):
    counts, antigens, receptors = dextramers
    found = call(
        counts, antigens=antigens, receptors=receptors, clones=dextramer_clones, method="itrap"
    ).cells
    paired = receptors.loc[receptors["chain_pairing"].isin(PAIRED_CHAINS), "cell_barcode"]
    members = dextramer_clones[dextramer_clones["cell_barcode"].isin(paired)]
    largest = members["clone_key"].value_counts().head(2)
    calls = found.merge(dextramer_clones, on="cell_barcode")
    for clone, peptide in zip(largest.index, ("IVTDFSVIK", "AVFDRKSDAK"), strict=True):
        own = calls[calls["clone_key"] == clone]
        assert len(own) >= 0.9 * largest[clone]
        assert own["dna_barcode"].str.startswith(peptide).mean() >= 0.98
