from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.stats import ancova, estimable
from hiaim_sc.stats.covariates import covariate_basis, pool_small_strata

SIX_ARMS = (0, 0, 0, 1, 1, 1)
SIX = (2, 3, 5, 4, 6, 7)


def trial(rng, n=24):
    arm = np.tile([0, 1], n // 2)
    strata = np.repeat(["CPI", "chemo", "none"], n // 3)
    baseline = rng.normal(size=n)
    y = 0.6 * baseline + 0.4 * arm + (strata == "chemo") + rng.normal(size=n)
    return y, arm, baseline, strata


def reference_fit(y, arm, *columns):
    """Ordinary least squares by another library; the arm is column 1."""
    design = np.column_stack([np.ones(len(y)), arm, *columns])
    return sm.OLS(y, design).fit()


def agrees(result, fit):
    low, high = fit.conf_int()[1]
    ours = (result.estimate, result.se, result.df, result.ci_low, result.ci_high, result.p_value)
    theirs = (fit.params[1], fit.bse[1], fit.df_resid, low, high, fit.pvalues[1])
    np.testing.assert_allclose(ours, theirs, rtol=1e-9)


def test_published_number():
    result = ancova(SIX, SIX_ARMS, baseline=(1, 2, 3, 1, 2, 3))
    assert result.estimate == pytest.approx(7 / 3)
    assert result.se == pytest.approx(math.sqrt(2 / 27))
    assert result.df == 3
    assert result.statistic == pytest.approx(8.5732, abs=5e-5)
    assert result.p_value == pytest.approx(0.0033355, abs=5e-8)
    assert (result.n_reference, result.n_treated) == (3, 3)


def test_published_number_with_an_imbalanced_baseline():
    result = ancova(SIX, SIX_ARMS, baseline=(1, 2, 3, 2, 3, 4))
    assert result.estimate == pytest.approx(5 / 6)
    assert result.se == pytest.approx(0.3191424, abs=5e-8)
    assert result.p_value == pytest.approx(0.0796050, abs=5e-8)
    assert (result.ci_low, result.ci_high) == pytest.approx((-0.18232, 1.84899), abs=5e-6)


def test_equals_statsmodels_with_strata():
    y, arm, baseline, strata = trial(np.random.default_rng(1))
    fit = reference_fit(y, arm, baseline, strata == "CPI", strata == "none")
    agrees(ancova(y, arm == 1, baseline=baseline, strata=strata), fit)


def test_without_covariates_is_the_two_sample_t():
    y, arm, *_ = trial(np.random.default_rng(2))
    agrees(ancova(y, arm), reference_fit(y, arm))


def test_other_confidence():
    y, arm, *_ = trial(np.random.default_rng(3))
    result = ancova(y, arm, confidence=0.8)
    low, high = reference_fit(y, arm).conf_int(alpha=0.2)[1]
    assert (result.ci_low, result.ci_high) == pytest.approx((low, high))


def test_small_strata_are_pooled():
    y, arm, baseline, _ = trial(np.random.default_rng(4))
    strata = np.repeat(["a", "b", "c", "d"], [11, 8, 3, 2])
    other = np.isin(strata, ["c", "d"])
    fit = reference_fit(y, arm, baseline, strata == "b", other)
    agrees(ancova(y, arm, baseline=baseline, strata=strata), fit)


@pytest.mark.parametrize(
    ("sizes", "levels"),
    [
        ((4, 5), (4, 5)),
        ((9, 3, 2), (9, 5)),
        ((9, 6, 1), (9, 7)),
        ((5, 5, 3), (8, 5)),
        ((3, 2, 1), (6,)),
        ((1,), (1,)),
    ],
)
def test_sizes_of_the_pooled_strata(sizes, levels):
    pooled = pool_small_strata(np.repeat(np.arange(len(sizes)), sizes))
    assert sorted(np.unique(pooled, return_counts=True)[1]) == sorted(levels)


def test_few_missing_baselines_are_the_mean_of_their_stratum():
    y, arm, baseline, strata = trial(np.random.default_rng(5))
    missing = np.isin(np.arange(24), [0, 9, 10])
    filled = baseline.copy()
    for name in ("CPI", "chemo"):
        filled[missing & (strata == name)] = baseline[~missing & (strata == name)].mean()
    fit = reference_fit(y, arm, filled, strata == "CPI", strata == "none")
    result = ancova(y, arm, baseline=np.where(missing, np.nan, baseline), strata=strata)
    agrees(result, fit)


def test_many_missing_baselines_get_an_indicator():
    y, arm, baseline, _ = trial(np.random.default_rng(6))
    missing = np.isin(np.arange(24), [1, 4, 10, 17])
    filled = np.where(missing, baseline[~missing].mean(), baseline)
    result = ancova(y, arm, baseline=np.where(missing, np.nan, baseline))
    agrees(result, reference_fit(y, arm, filled, missing))


def test_a_stratum_without_baselines_gets_the_mean_of_all():
    y, arm, baseline, strata = trial(np.random.default_rng(7))
    missing = strata == "none"
    result = ancova(y, arm, baseline=np.where(missing, np.nan, baseline), strata=strata)
    # The indicator is the stratum's own column, so any constant within it fits the same.
    filled = np.where(missing, 0, baseline)
    agrees(result, reference_fit(y, arm, filled, strata == "CPI", strata == "none"))


@pytest.mark.parametrize("baseline", [np.full(24, np.nan), np.full(24, 0.1), None])
def test_a_baseline_that_says_nothing_costs_nothing(baseline):
    y, arm, *_ = trial(np.random.default_rng(8))
    agrees(ancova(y, arm, baseline=baseline), reference_fit(y, arm))


def test_collinear_covariates_cost_their_rank():
    y, arm, _, strata = trial(np.random.default_rng(9))
    result = ancova(y, arm, baseline=1e6 + (strata == "none"), strata=strata)
    agrees(result, reference_fit(y, arm, strata == "CPI", strata == "none"))


@given(st.permutations(range(24)), st.integers(0, 99))
@settings(max_examples=25)
def test_order_and_names_do_not_matter(order, seed):
    y, arm, baseline, strata = trial(np.random.default_rng(seed))
    renamed = pd.Series(strata).map({"CPI": 3, "chemo": 1, "none": 2}).to_numpy()
    order = list(order)
    one = ancova(y, arm, baseline=baseline, strata=strata)
    other = ancova(y[order], arm[order], baseline=baseline[order], strata=renamed[order])
    assert other.estimate == pytest.approx(one.estimate, rel=1e-9)
    assert other.p_value == pytest.approx(one.p_value, rel=1e-9)


@given(st.integers(0, 99), st.floats(-1e6, 1e6))
@settings(max_examples=25)
def test_swapped_arms_flip_the_sign_and_a_constant_changes_nothing(seed, constant):
    y, arm, baseline, strata = trial(np.random.default_rng(seed))
    one = ancova(y, arm, baseline=baseline, strata=strata)
    other = ancova(y + constant, 1 - arm, baseline=baseline + constant, strata=strata)
    assert other.estimate == pytest.approx(-one.estimate, abs=1e-8)
    assert other.p_value == pytest.approx(one.p_value, abs=1e-7)


def test_one_arm_is_undefined():
    result = ancova([1, 2, 4], [1, 1, 1])
    assert math.isnan(result.estimate)
    assert math.isnan(result.p_value)
    assert result.n_reference == 0


def test_an_arm_that_is_the_stratum_is_undefined():
    result = ancova(np.arange(8.0), np.repeat([0, 1], 4), strata=np.repeat(["a", "b"], 4))
    assert math.isnan(result.estimate)
    assert math.isnan(result.ci_low)


def test_no_degree_of_freedom_leaves_the_estimate():
    result = ancova([1, 3], [0, 1])
    assert result.estimate == pytest.approx(2)
    assert result.df == 0
    assert math.isnan(result.se)
    assert math.isnan(result.p_value)


@pytest.mark.parametrize("y", [np.full(6, 0.1), np.arange(6.0) * 3 + 1e5])
def test_values_that_the_covariates_explain_have_no_p(y):
    result = ancova(y, SIX_ARMS, baseline=np.arange(6.0))
    assert result.estimate == 0
    assert math.isnan(result.p_value)
    assert math.isnan(result.ci_high)


def test_a_perfect_fit():
    result = ancova([1, 2, 1, 2], [0, 1, 0, 1])
    assert (result.estimate, result.se, result.p_value) == (1, 0, 0)


def test_a_perfect_fit_that_rounding_disturbs():
    arm = np.tile([0, 1], 5)
    baseline = np.linspace(0.1, 0.7, 10) ** 2
    result = ancova(0.1 + 0.3 * arm + 0.7 * baseline, arm, baseline=baseline)
    assert result.estimate == pytest.approx(0.3)
    assert (result.se, result.p_value) == (0, 0)


def test_no_patients():
    assert math.isnan(ancova([], []).estimate)
    assert covariate_basis(0).shape == (0, 0)


@pytest.mark.parametrize(
    ("y", "arm", "options", "message"),
    [
        ((1, 2), (0, 1, 1), {}, "arm has 3 values, expected 2"),
        ((1, 2), (1, 2), {}, "arm must be 0"),
        ((1, 2), ("control", "exercise"), {}, "arm must be numbers"),
        ((1, math.nan), (0, 1), {}, "y has missing"),
        ((1, 2), (0, 1), {"baseline": [1]}, "baseline has 1 values"),
        ((1, 2), (0, 1), {"baseline": [1, math.inf]}, "baseline has infinite"),
        ((1, 2), (0, 1), {"strata": ["a", None]}, "strata has missing"),
        ((1, 2), (0, 1), {"strata": ["a"]}, "strata has 1 values"),
        ((1, 2), (0, 1), {"confidence": 95}, "confidence must lie"),
    ],
)
def test_impossible_input(y, arm, options, message):
    with pytest.raises(ValueError, match=message):
        ancova(y, arm, **options)


def design(batch):
    return pd.DataFrame({"intercept": 1, "arm": [0, 0, 0, 1, 1, 1], "batch": batch})


def test_a_batch_that_is_the_arm_is_named():
    result = estimable(design([0, 0, 0, 1, 1, 1]), [0, 1, 0])
    assert not result
    assert result.aliased == ("arm", "batch")
    assert result.rank == 2
    assert math.isnan(result.variance)


def test_the_price_of_a_crossed_batch():
    with_batch = estimable(design([0, 1, 0, 1, 0, 1]), [0, 1, 0])
    without = estimable(design(0).drop(columns="batch"), [0, 1])
    assert with_batch
    assert with_batch.aliased == ()
    assert with_batch.variance / without.variance == pytest.approx(1.125)


def test_an_alias_elsewhere_does_no_harm():
    table = design([0, 1, 0, 1, 0, 1]).assign(again=[0, 1, 0, 1, 0, 1])
    assert estimable(table, [0, 1, 0, 0])
    assert estimable(table, [0, 0, 1, 0]).aliased == ("batch", "again")
    assert estimable(table, [0, 0, 1, 1])


def test_columns_without_names_and_of_any_scale():
    result = estimable(design([0, 0, 0, 1e7, 1e7, 1e7]).to_numpy(), [0, 1, 0])
    assert result.aliased == ("1", "2")
    assert estimable(design([0, 1e12, 0, 1e12, 0, 1e12]), [0, 1, 0])


@given(st.integers(0, 200))
@settings(max_examples=50)
def test_estimable_is_the_projection_on_the_rows(seed):
    rng = np.random.default_rng(seed)
    X = rng.integers(0, 2, (5, 4)).astype(float)
    contrast = rng.integers(-1, 2, 4).astype(float)
    projected = contrast @ np.linalg.pinv(X) @ X
    assert bool(estimable(X, contrast)) == np.allclose(projected, contrast)


def test_impossible_contrast():
    with pytest.raises(ValueError, match="contrast has 2 values"):
        estimable(design(0), [0, 1])
