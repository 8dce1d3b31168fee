"""Genes by arm from counts: the design in numbers, and PyDESeq2 beside the moderated t."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData

from hiaim_sc.compare import compare_expression
from hiaim_sc.compare.negative_binomial import fit_counts, tabulate_design
from hiaim_sc.config import CompareOptions, Options
from hiaim_sc.stats import benjamini_hochberg

ARMS = np.tile([False, True], 8)
STRATA = np.repeat(["s", "t"], 8)
PLANTED = np.array([2.0, -2.0, 2.0, -2.0, 2.0, -2.0])


def draw_counts(seed, *, n=16, n_genes=120, folds=(), visits=2):
    """Poisson-gamma counts of patients with levels of their own; folds of treated ones, later."""
    rng = np.random.default_rng(seed)
    level = rng.lognormal(5, 0.8, n_genes) * rng.lognormal(0, 0.3, (n, n_genes))
    rate = np.repeat(level[None], visits, axis=0) * rng.lognormal(0, 0.4, (visits, n, 1))
    rate[-1, ARMS[:n], : len(folds)] *= 2.0 ** np.asarray(folds)
    return rng.poisson(rng.gamma(10, rate / 10))


def fit(counts, *, is_treated=ARMS, strata=None):
    return fit_counts(counts, is_treated, strata, np.ones(counts.shape[-1], dtype=bool))


def tabulate(counts, *, config, arms=ARMS):
    """Differential expression of these counts in CD8 T cells of blood, one row per gene."""
    visits = [*config.design.visits][: len(counts)]
    names = [f"P{i:02d}" for i in range(counts.shape[1])]
    obs = pd.DataFrame(
        [(f"{name}-{visit}", name, visit) for visit in visits for name in names],
        columns=["sample_id", "patient_id", "visit"],
    ).assign(tissue="blood", session_phase="rest", cell_type="CD8", n_cells=50)
    genes = [f"GENE{g:03d}" for g in range(counts.shape[-1])]
    data = AnnData(
        X=sp.csr_matrix(counts.reshape(len(obs), -1)),
        obs=obs.set_index(obs["sample_id"].to_numpy()),
        var=pd.DataFrame({"symbol": genes}, index=genes),
    )
    return compare_expression(
        data,
        obs.assign(reason_missing=""),
        pd.Series(np.where(arms, "exercise", "control"), names),
        pd.DataFrame({"treatment": STRATA}, names),
        config,
        blinded=False,
        layout=obs.assign(batch="B1"),
    )


@pytest.fixture
def config(make_config):
    plain = make_config(visits={"baseline": 0, "after": 42}, strata=("treatment",))
    options = Options(compare=CompareOptions(deseq2=True))
    return plain.model_copy(update={"options": options})


def test_the_design_has_full_rank_and_asks_its_last_column():
    design = tabulate_design(ARMS, STRATA, n_visits=2)
    assert design.shape == (32, 16 + 3)
    assert list(design.columns[-3:]) == ["post", "post x stratum 1", "post x treated"]
    assert np.linalg.matrix_rank(design.to_numpy()) == 19
    # the coefficient of the last column is that of the arm in a regression of the changes
    y = np.random.default_rng(1).normal(size=(2, 16))
    on_changes = np.column_stack([np.ones(16), STRATA == "t", ARMS]).astype(float)
    expected = np.linalg.lstsq(on_changes, y[1] - y[0])[0]
    found = np.linalg.lstsq(design.to_numpy(), y.ravel())[0]
    np.testing.assert_allclose(found[-3:], expected, atol=1e-12)


def test_the_design_of_one_visit_and_of_small_strata():
    one = tabulate_design(ARMS, STRATA, n_visits=1)
    assert list(one.columns) == ["intercept", "stratum 1", "treated"]
    small = np.array(["a"] * 7 + ["b"] * 7 + ["c", "d"])
    # c and d have two patients together and join the smallest other stratum
    assert list(tabulate_design(ARMS, small, n_visits=1).columns) == [
        "intercept", "stratum 1", "treated",
    ]  # fmt: skip
    assert list(tabulate_design(ARMS, None, n_visits=1).columns) == ["intercept", "treated"]


def test_planted_genes_are_found_by_both_methods_on_the_same_side(config):
    """The name of the later visit sorts first: a formula would turn the sign."""
    table = tabulate(draw_counts(3, folds=PLANTED), config=config)
    first, second = (
        table[table["method"].str.startswith(method)].set_index("gene").sort_index()
        for method in ("moderated t, change of log2 CPM", "PyDESeq2, change of counts")
    )
    assert list(first.index) == list(second.index)
    planted = [f"GENE{g:03d}" for g in range(len(PLANTED))]
    for found in (first, second):
        assert (found.loc[planted, "q_value"] < 0.05).all()
        # a prior count of 2 pulls the estimates of low genes towards 0
        np.testing.assert_allclose(found.loc[planted, "log2_fc"], PLANTED, atol=0.8)
        rest = found.drop(planted)
        assert (rest["q_value"] < 0.05).mean() < 0.03
    assert np.corrcoef(first["log2_fc"], second["log2_fc"])[0, 1] > 0.95
    assert set(second["method"]) == {"PyDESeq2, change of counts, adjusted for treatment"}
    assert second["df"].isna().all()
    np.testing.assert_allclose(second["q_value"], benjamini_hochberg(second["p_value"]))
    assert list(table["method"].str[:8].drop_duplicates()) == ["moderate", "PyDESeq2"]


def test_arms_swapped_flip_the_sign(config):
    counts = draw_counts(5, n_genes=30, folds=PLANTED)
    table, swapped = tabulate(counts, config=config), tabulate(counts, config=config, arms=~ARMS)
    for method in ("moderated t", "PyDESeq2"):
        one, other = (
            found[found["method"].str.startswith(method)].set_index("gene").sort_index()
            for found in (table, swapped)
        )
        # the iterations end at a relative change of the deviance of 1e-8
        np.testing.assert_allclose(one["log2_fc"], -other["log2_fc"], atol=1e-3)


def test_by_default_there_are_no_rows_of_it(make_config):
    plain = make_config(visits={"baseline": 0, "after": 42}, strata=("treatment",))
    table = tabulate(draw_counts(3, n_genes=30), config=plain)
    assert set(table["method"].str[:11]) == {"moderated t"}


def test_without_an_effect_the_level_is_nominal_also_at_unequal_depth():
    """400 genes; the standard error of the share is .011, the band three of them."""
    found = []
    for seed in range(4):
        counts = draw_counts(seed, n_genes=100)
        counts[1, ARMS] *= 4 if seed % 2 else 1
        found.append(fit(counts, strata=STRATA)["p_value"])
    assert 0.017 <= np.mean(np.concatenate(found) < 0.05) <= 0.083


def test_with_one_visit_the_arms_are_compared_at_it():
    counts = draw_counts(7, visits=1, folds=PLANTED)
    found = fit(counts)
    assert (found["p_value"][: len(PLANTED)] < 1e-4).all()
    np.testing.assert_allclose(found["log2_fc"][: len(PLANTED)], PLANTED, atol=0.8)


def test_a_sample_without_a_count_has_no_size():
    counts = draw_counts(1, n_genes=30)
    counts[0, 3] = 0
    assert fit(counts) is None
