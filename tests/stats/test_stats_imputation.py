from __future__ import annotations

import dataclasses
import math

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.stats import ancova, multiple_imputation, tipping_point

NAN = math.nan


def trial(rng, n=36, missing=0.25, effect=0.8):
    # Randomised within strata that are too large in each arm to be pooled.
    arm, strata = np.arange(n) % 2, np.repeat(["CPI", "chemo", "none"], n // 3)
    baseline = rng.normal(size=n)
    y = 0.6 * baseline + effect * arm + (strata == "chemo") + 0.8 * rng.normal(size=n)
    y[rng.permutation(n)[: int(missing * n)]] = NAN
    return y, arm, baseline, strata


def impute(y, arm, baseline, strata=None, seed=0, **options):
    rng = np.random.default_rng(seed)
    return multiple_imputation(y, arm, baseline=baseline, strata=strata, rng=rng, **options)


def tip(y, arm, baseline, strata=None, seed=0, **options):
    rng = np.random.default_rng(seed)
    return tipping_point(y, arm, baseline=baseline, strata=strata, rng=rng, **options)


def reference(y, arm, design, n_imputations, rng):
    """Another way to the same: coefficients from their normal, each data set fitted by OLS."""
    estimates, variances = [], []
    for _ in range(n_imputations):
        completed = y.copy()
        for side in (0, 1):
            seen, absent = (arm == side) & ~np.isnan(y), (arm == side) & np.isnan(y)
            fit = sm.OLS(y[seen], design[seen]).fit()
            variance = fit.ssr / rng.chisquare(fit.df_resid)
            drawn = rng.multivariate_normal(fit.params, variance * fit.normalized_cov_params)
            noise = math.sqrt(variance) * rng.normal(size=absent.sum())
            completed[absent] = design[absent] @ drawn + noise
        fit = sm.OLS(completed, np.column_stack([arm, design])).fit()
        estimates.append(fit.params[0])
        variances.append(fit.bse[0] ** 2)
    between = (1 + 1 / n_imputations) * np.var(estimates, ddof=1)
    total = np.mean(variances) + between
    return np.mean(estimates), math.sqrt(total), between / total


def test_nothing_missing_is_ancova():
    y, arm, baseline, strata = trial(np.random.default_rng(1), missing=0)
    baseline[3] = NAN
    result = impute(y, arm, baseline, strata, delta=9)
    known = ancova(y, arm, baseline=baseline, strata=strata)
    for name in ("estimate", "se", "df", "ci_low", "ci_high", "p_value"):
        assert getattr(result, name) == pytest.approx(getattr(known, name)), name
    assert (result.missing_share, result.n_imputed) == (0, 0)


def test_two_means_have_a_closed_form():
    rng = np.random.default_rng(2)
    arm, y = np.repeat([0, 1], [14, 16]), rng.normal(size=30)
    y[[0, 1, 2, 14, 15, 16, 17, 18]] = NAN
    within, between, means = 0.0, 0.0, []
    for side, n in ((0, 14), (1, 16)):
        seen = y[(arm == side) & ~np.isnan(y)]
        n_missing, squares = n - len(seen), ((seen - seen.mean()) ** 2).sum()
        expected = squares / (len(seen) - 3)
        within += squares + n_missing * expected
        between += expected * (n_missing / n) ** 2 * (1 / len(seen) + 1 / n_missing)
        means.append(seen.mean())
    within *= (1 / 14 + 1 / 16) / 28
    result = impute(y, arm, None, n_imputations=40_000)
    assert result.estimate == pytest.approx(means[1] - means[0], abs=0.01)
    assert result.se**2 == pytest.approx(within + between, rel=0.02)
    assert result.missing_share == pytest.approx(between / (within + between), rel=0.03)
    assert result.n_imputed == 8


def test_equals_another_implementation():
    y, arm, baseline, strata = trial(np.random.default_rng(3), n=60)
    design = np.column_stack([np.ones(60), baseline, strata == "CPI", strata == "none"])
    known = reference(y, arm, design, 2000, np.random.default_rng(4))
    result = impute(y, arm, baseline, strata, n_imputations=20_000)
    assert result.estimate == pytest.approx(known[0], abs=0.02)
    assert result.se == pytest.approx(known[1], rel=0.03)
    assert result.missing_share == pytest.approx(known[2], rel=0.15)


def test_degrees_of_freedom():
    y, arm, baseline, strata = trial(np.random.default_rng(5))
    result = impute(y, arm, baseline, strata, n_imputations=7)
    share, complete = result.missing_share, 36 - 5
    old = 6 / share**2
    observed = (complete + 1) / (complete + 3) * complete * (1 - share)
    assert 0 < share < 1
    assert result.df == pytest.approx(1 / (1 / old + 1 / observed))


def test_few_imputations_pay_for_being_few():
    y, arm, baseline, _ = trial(np.random.default_rng(17))
    few = [impute(y, arm, baseline, seed=seed, n_imputations=2) for seed in range(1000)]
    many = impute(y, arm, baseline, n_imputations=20_000)
    between = np.mean([result.missing_share * result.se**2 for result in few])
    assert between == pytest.approx(1.5 * many.missing_share * many.se**2, rel=0.15)


def test_the_interval_and_the_p_value_belong_together():
    y, arm, baseline, strata = trial(np.random.default_rng(6))
    result = impute(y, arm, baseline, strata)
    assert result.ci_low < result.estimate < result.ci_high
    assert (result.p_value < 0.05) == (result.ci_low > 0 or result.ci_high < 0)


def test_a_missing_outcome_that_the_arm_predicts_exactly():
    arm, baseline = np.repeat([0, 1], 6), np.tile(np.arange(6.0), 2)
    y = np.where(arm == 1, 2 * baseline + 3, baseline)
    gaps = np.where(np.isin(np.arange(12), [0, 3, 8]), NAN, y)
    result, known = impute(gaps, arm, baseline), ancova(y, arm, baseline=baseline)
    assert result.estimate == pytest.approx(known.estimate)
    assert result.se == pytest.approx(known.se)
    assert result.missing_share == pytest.approx(0, abs=1e-12)


def test_the_arms_are_imputed_apart():
    y, arm, baseline, strata = trial(np.random.default_rng(7), n=48)
    y[arm == 1] = np.where(np.isnan(y[arm == 1]), NAN, 100.0)
    result = impute(y, arm, baseline, strata)
    # Treated patients without spread are imputed without it.
    reference_mean = np.nanmean(y[arm == 0])
    assert result.estimate == pytest.approx(100 - reference_mean, abs=1)


@given(st.permutations(range(36)), st.integers(0, 999))
@settings(max_examples=20)
def test_order_and_names_do_not_matter(order, seed):
    y, arm, baseline, strata = trial(np.random.default_rng(seed))
    order = list(order)
    renamed = np.select([strata == "CPI", strata == "chemo"], [3, 1], 2)
    one = impute(y, arm, baseline, strata, seed)
    other = impute(y[order], arm[order], baseline[order], renamed[order], seed)
    assert dataclasses.astuple(other) == pytest.approx(dataclasses.astuple(one), rel=1e-7)


@given(st.integers(0, 999), st.floats(-1e4, 1e4), st.floats(0.1, 10))
@settings(max_examples=20)
def test_units_of_the_values(seed, constant, factor):
    y, arm, baseline, strata = trial(np.random.default_rng(seed))
    one = impute(y, arm, baseline, strata, delta=0.5)
    other = impute(factor * y + constant, arm, baseline * 3, strata, delta=0.5 * factor)
    assert other.estimate == pytest.approx(factor * one.estimate, abs=1e-6)
    assert other.p_value == pytest.approx(one.p_value, abs=1e-6)


@given(st.integers(0, 999), st.floats(-5, 5))
@settings(max_examples=20)
def test_delta_moves_the_estimate_by_what_the_imputed_weigh(seed, delta):
    y, arm, baseline, strata = trial(np.random.default_rng(seed))
    imputed = (np.isnan(y) & (arm == 1)).astype(float)
    weight = ancova(imputed, arm, baseline=baseline, strata=strata).estimate
    one = impute(y, arm, baseline, strata, seed)
    other = impute(y, arm, baseline, strata, seed, delta=delta)
    assert other.estimate == pytest.approx(one.estimate + weight * delta, abs=1e-9)


def test_a_stratum_without_outcomes_gets_the_mean_of_its_arm():
    rng = np.random.default_rng(8)
    arm, strata = np.arange(40) % 2, np.repeat(["a", "b"], 20)
    y = 50 + 2 * arm + rng.normal(size=40)
    y[(arm == 1) & (strata == "b")] = NAN
    result = impute(y, arm, None, strata, n_imputations=4000)
    seen = y[(arm == 1) & (strata == "a")].mean()
    assert result.estimate == pytest.approx(seen - y[arm == 0].mean(), abs=0.05)
    assert 0.1 < result.missing_share < 1


def test_an_auxiliary_column_adds_what_it_knows():
    rng = np.random.default_rng(9)
    y, arm, baseline, strata = trial(rng, n=60, missing=0)
    column = y + 0.1 * rng.normal(size=60)
    gaps = np.where(rng.permutation(60) < 18, NAN, y)
    truth = ancova(y, arm, baseline=baseline, strata=strata)
    result = impute(gaps, arm, baseline, strata, auxiliary=column[:, None])
    alone = impute(gaps, arm, baseline, strata)
    assert result.estimate == pytest.approx(truth.estimate, abs=0.05)
    assert result.missing_share < 0.1 * alone.missing_share
    constant = impute(gaps, arm, baseline, strata, auxiliary=np.full((60, 2), [4, NAN]))
    assert constant.estimate == pytest.approx(alone.estimate)
    assert constant.p_value == pytest.approx(alone.p_value)


def test_dropout_that_an_auxiliary_column_explains_does_no_harm():
    rng = np.random.default_rng(10)
    estimates, naive = [], []
    for _ in range(80):
        y, arm, baseline, _ = trial(rng, n=60, missing=0)
        column = y + 0.5 * rng.normal(size=60)
        y[(arm == 1) & (column > 1)] = NAN
        seen = ~np.isnan(y)
        estimates.append(impute(y, arm, baseline, auxiliary=column[:, None]).estimate)
        naive.append(ancova(y[seen], arm[seen], baseline=baseline[seen]).estimate)
    assert np.mean(estimates) == pytest.approx(0.8, abs=3 * np.std(estimates) / math.sqrt(80))
    assert np.mean(naive) < 0.4


def test_coverage():
    rng = np.random.default_rng(11)
    results = []
    for _ in range(300):
        y, arm, baseline, strata = trial(rng)
        rng_of_its_own = np.random.default_rng(rng.integers(2**32))
        options = {"baseline": baseline, "strata": strata, "n_imputations": 20}
        results.append(multiple_imputation(y, arm, rng=rng_of_its_own, **options))
    covered = np.mean([r.ci_low <= 0.8 <= r.ci_high for r in results])
    error = np.std([r.estimate for r in results]) / math.sqrt(300)
    assert np.mean([r.estimate for r in results]) == pytest.approx(0.8, abs=3 * error)
    assert 0.91 <= covered <= 0.99


@pytest.mark.parametrize(
    ("y", "arm"),
    [
        ([], []),
        ([1, NAN, 2, 3], [1, 1, 1, 1]),
        ([1, 2, 4, NAN, NAN, NAN], [0, 0, 0, 1, 1, 1]),
        ([1, 2, 4, 3, NAN, NAN], [0, 0, 0, 1, 1, 1]),
    ],
)
def test_undefined(y, arm):
    result = impute(y, arm, None)
    assert np.isnan([result.estimate, result.se, result.p_value, result.ci_low]).all()
    assert result.n_imputed == np.isnan(y).sum()
    assert math.isnan(tip(y, arm, None, deltas=[-1, 1]))


def test_the_tipping_point_is_the_first_shift_that_is_not_significant():
    y, arm, baseline, strata = trial(np.random.default_rng(12), n=60, effect=1.2)
    deltas = np.linspace(-6, 6, 49)
    found = tip(y, arm, baseline, strata, deltas=deltas)
    before = [d for d in deltas if found < d <= 0]
    p_values = [impute(y, arm, baseline, strata, delta=d).p_value for d in [found, *before]]
    assert -6 < found < 0
    assert p_values[0] > 0.05
    assert max(p_values[1:]) <= 0.05
    assert tip(y, arm, baseline, strata, deltas=deltas[::-1]) == found
    assert tip(y, arm, baseline, strata, deltas=deltas, alpha=1e-3) > found


def test_at_no_shift_it_is_the_imputation_with_its_auxiliary_columns():
    rng = np.random.default_rng(18)
    y, arm, baseline, strata = trial(rng, n=60)
    auxiliary = np.nan_to_num(y)[:, None] + rng.normal(size=(60, 1))
    known = impute(y, arm, baseline, strata, auxiliary=auxiliary).p_value
    for alpha, is_overturned in ((known * (1 + 1e-9), False), (known * (1 - 1e-9), True)):
        found = tip(y, arm, baseline, strata, auxiliary=auxiliary, alpha=alpha, deltas=[-9])
        assert (found == 0) == is_overturned


def test_swapped_arms_tip_the_other_way():
    y, arm, baseline, strata = trial(np.random.default_rng(13), n=60, effect=-1.2)
    assert tip(y, arm, baseline, strata, deltas=np.linspace(-6, 6, 49)) > 0


def test_no_significance_has_nothing_to_tip():
    y, arm, baseline, strata = trial(np.random.default_rng(14), effect=0)
    assert impute(y, arm, baseline, strata).p_value > 0.05
    assert tip(y, arm, baseline, strata, deltas=[1, 2]) == 0


def test_shifts_that_are_too_small_tip_nothing():
    y, arm, baseline, strata = trial(np.random.default_rng(15), n=60, effect=3)
    assert math.isnan(tip(y, arm, baseline, strata, deltas=[-0.1, 0.1]))
    complete = trial(np.random.default_rng(15), missing=0, effect=3)
    assert math.isnan(tip(*complete, deltas=[-100]))


def test_a_shift_that_turns_the_sign_tips():
    # So few shifts that the ones without significance are stepped over.
    rng = np.random.default_rng(16)
    arm = np.arange(60) % 2
    y = 5 * arm + 0.1 * rng.normal(size=60)
    y[(arm == 1) & (np.arange(60) > 12)] = NAN
    baseline = rng.normal(size=60)
    turned = impute(y, arm, baseline, delta=-1e3)
    assert turned.estimate < 0
    assert tip(y, arm, baseline, deltas=[-1e3], alpha=max(0.05, 1.1 * turned.p_value)) == -1e3


@pytest.mark.parametrize(
    ("y", "arm", "options", "message"),
    [
        ((1, 2), (0, 1, 1), {}, "arm has 3 values, expected 2"),
        ((1, 2), (1, 2), {}, "arm must be 0"),
        ((1, math.inf), (0, 1), {}, "y has infinite"),
        ((1, 2), (0, 1), {"baseline": [1]}, "baseline has 1 values"),
        ((1, 2), (0, 1), {"strata": ["a", None]}, "strata has missing"),
        ((1, 2), (0, 1), {"auxiliary": [1, 2]}, "auxiliary must have 2 dimension"),
        ((1, 2), (0, 1), {"auxiliary": [[1, 2]]}, "auxiliary has 1 rows, expected 2"),
        ((1, 2), (0, 1), {"n_imputations": 1}, "n_imputations must be a whole number"),
        ((1, 2), (0, 1), {"delta": NAN}, "delta has missing"),
    ],
)
def test_impossible_input(y, arm, options, message):
    with pytest.raises(ValueError, match=message):
        impute(y, arm, **({"baseline": None} | options))


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"deltas": [1], "alpha": 5}, "alpha must lie"),
        ({"deltas": [NAN]}, "deltas has missing"),
        ({"deltas": 1}, "deltas must have 1 dimension"),
        ({"deltas": [1], "n_imputations": 0}, "n_imputations must be"),
    ],
)
def test_impossible_shifts(options, message):
    with pytest.raises(ValueError, match=message):
        tip((1, 2, NAN), (0, 1, 1), None, **options)
