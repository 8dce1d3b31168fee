from __future__ import annotations

import dataclasses
import math
import warnings

import numpy as np
import pytest
import statsmodels.api as sm
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats
from scipy.linalg import block_diag, null_space, sqrtm

from hiaim_sc.stats import ancova, constrained_lda
from hiaim_sc.stats.random_intercept import fit_random_intercept

# Potthoff and Roy 1964, doi:10.1093/biomet/51.3-4.313: mm at the ages of 8, 10, 12 and 14.
BOYS = """
26 25 29 31 / 21.5 22.5 23 26.5 / 23 22.5 24 27.5 / 25.5 27.5 26.5 27 / 20 23.5 22.5 26 /
24.5 25.5 27 28.5 / 22 22 24.5 26.5 / 24 21.5 24.5 25.5 / 23 20.5 31 26 / 27.5 28 31 31.5 /
23 23 23.5 25 / 21.5 23.5 24 28 / 17 24.5 26 29.5 / 22.5 25.5 25.5 26 / 23 24.5 26 30 /
22 21.5 23.5 25
"""
GIRLS = """
21 20 21.5 23 / 21 21.5 24 25.5 / 20.5 24 24.5 26 / 23.5 24.5 25 26.5 / 21.5 23 22.5 23.5 /
20 21 21 22.5 / 21.5 22.5 23 25 / 23 23 23.5 24 / 20 21 22 21.5 / 16.5 19 19 19.5 / 24.5 25 28 28
"""


def trial(rng, n=30, n_visits=4, between=1.0, missing=0.2, effect=0.5):
    """Values, arm and strata; the effect enters at the third visit."""
    arm = rng.permutation(np.arange(n) % 2)
    strata = rng.permutation(np.repeat(["CPI", "chemo", "none"], n // 3))
    Y = between * rng.normal(size=(n, 1)) + rng.normal(size=(n, n_visits))
    Y += (strata == "chemo")[:, None]
    Y[:, 2:] += effect * arm[:, None]
    return np.where(rng.random(Y.shape) < missing, np.nan, Y), arm, strata


def long_table(Y, arm, strata):
    """Values, design and patient per observation; the last columns are the effects."""
    patient, visit = np.nonzero(~np.isnan(Y))
    levels = strata[patient, None] == np.unique(strata)[1:]
    visits = (visit[:, None] == np.arange(1, Y.shape[1])).astype(float)
    columns = [np.ones(len(patient)), levels, visits, visits * arm[patient, None]]
    return Y[patient, visit], np.column_stack(columns), patient


def covariance(patient, between, within):
    same = patient[:, None] == patient
    return between * same + within * np.eye(len(patient))


def restricted_log_likelihood(values, design, V):
    """By its definition: the density of the contrasts that are free of the fixed effects."""
    contrasts = null_space(design.T)
    density = stats.multivariate_normal(cov=contrasts.T @ V @ contrasts)
    return density.logpdf(contrasts.T @ values) - np.linalg.slogdet(design.T @ design)[1] / 2


def clustered_errors(values, design, patient, V):
    """Standard errors and degrees of freedom by their definition, every matrix written out."""
    root = np.real(sqrtm(np.linalg.inv(V)))
    X, y = root @ design, root @ values
    weights = np.linalg.inv(X.T @ X) @ X.T
    rest = np.eye(len(y)) - X @ weights
    blocks = [rest[np.ix_(rows, rows)] for rows in (patient == i for i in np.unique(patient))]
    adjust = block_diag(*(np.linalg.inv(np.real(sqrtm(block))) for block in blocks))
    member = np.unique(patient)[:, None] == patient
    se, df = [], []
    for weight in weights:
        parts = (member * (weight @ adjust)) @ rest
        spread = np.linalg.eigvalsh(parts @ parts.T)
        se.append(np.linalg.norm(parts @ y))
        df.append(spread.sum() ** 2 / (spread**2).sum())
    return np.array(se), np.array(df)


def followed(rng, n_followed, spread, n=27):
    """No difference; so many per arm have the second visit, at which values spread otherwise."""
    arm = np.repeat([0, 1], n)
    Y = math.sqrt(0.6) * rng.normal(size=(2 * n, 1)) + math.sqrt(0.4) * rng.normal(size=(2 * n, 2))
    Y[:, 1] = np.where(np.tile(np.arange(n), 2) < n_followed, spread * Y[:, 1], np.nan)
    return Y, arm


def statsmodels_fit(values, design, patient):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        model = sm.MixedLM(values, design, groups=patient)
        return model.fit(reml=True, method=["bfgs", "powell"], gtol=1e-10)


def fields(result):
    return np.concatenate([np.ravel(value) for value in dataclasses.astuple(result)])


def test_published_number():
    tables = [np.array([row.split() for row in text.split("/")], float) for text in (BOYS, GIRLS)]
    values = np.vstack(tables).ravel()
    patient = np.repeat(np.arange(27), 4)
    design = np.column_stack([np.ones(108), np.tile([8, 10, 12, 14], 27), patient >= 16])
    fit = fit_random_intercept(values, design, patient)
    assert fit.coefficients == pytest.approx([17.706713, 0.660185, -2.321023], abs=5e-7)
    assert math.sqrt(fit.variance_between) == pytest.approx(1.807425, abs=5e-7)
    assert math.sqrt(fit.variance_within) == pytest.approx(1.431592, abs=5e-7)
    assert fit.log_likelihood == pytest.approx(-218.7563, abs=5e-5)


@pytest.mark.parametrize("seed", range(6))
def test_equals_statsmodels(seed):
    Y, arm, strata = trial(np.random.default_rng(seed), between=0.5 + seed / 4)
    values, design, patient = long_table(Y, arm, strata)
    fit = statsmodels_fit(values, design, patient)
    result = constrained_lda(Y, arm, strata=strata)
    assert result.estimate == pytest.approx(fit.fe_params[-3:], abs=1e-6)
    assert result.variance_between == pytest.approx(fit.cov_re[0, 0], abs=1e-6)
    assert result.variance_within == pytest.approx(fit.scale, abs=1e-6)
    assert result.log_likelihood == pytest.approx(fit.llf, abs=1e-8)
    # Its errors hold where the model does, ours whatever the covariance: by their definition.
    V = covariance(patient, fit.cov_re[0, 0], fit.scale)
    se, df = clustered_errors(values, design, patient, V)
    assert result.se == pytest.approx(se[-3:], abs=1e-6)
    assert result.df == pytest.approx(df[-3:], abs=1e-4)


@pytest.mark.parametrize("between", [0.0, 1.0, 30.0])
def test_is_the_maximum_of_the_restricted_likelihood(between):
    rng = np.random.default_rng(7)
    Y, arm, strata = trial(rng, between=between)
    values, design, patient = long_table(Y, arm, strata)
    result = constrained_lda(Y, arm, strata=strata)
    sizes = np.array([result.variance_between, result.variance_within])

    def at(factors):
        V = covariance(patient, *(sizes * factors))
        return restricted_log_likelihood(values, design, V)

    assert at([1, 1]) == pytest.approx(result.log_likelihood, abs=1e-8)
    for factors in ([1.01, 1], [0.99, 1], [1, 1.01], [1, 0.99], [0.5, 1.2]):
        assert at(factors) <= result.log_likelihood + 1e-9


def test_no_variance_between_patients_is_least_squares():
    # The visits of a patient lie on opposite sides: the ratio is at its boundary.
    rng = np.random.default_rng(8)
    post = rng.normal(size=20)
    Y, arm = np.column_stack([-post, post + 0.1 * rng.normal(size=20)]), np.arange(20) % 2
    values, design, patient = long_table(Y, arm, np.zeros(20))
    result, fit = constrained_lda(Y, arm), sm.OLS(values, design).fit()
    assert result.variance_between == 0
    assert result.variance_within == pytest.approx(fit.scale)
    assert result.estimate[0] == pytest.approx(fit.params[-1])
    assert result.se[0] == pytest.approx(ancova(Y[:, 1], arm).se)
    V = covariance(patient, 1e-3, fit.scale)
    assert restricted_log_likelihood(values, design, V) < result.log_likelihood


def test_two_complete_visits_have_a_closed_form():
    rng = np.random.default_rng(9)
    Y, arm, _ = trial(rng, n=24, n_visits=2, missing=0)
    pre, post = Y[arm == 1].mean(axis=0) - Y[arm == 0].mean(axis=0)
    result = constrained_lda(Y, arm)
    total = result.variance_between + result.variance_within
    slope = result.variance_between / total
    assert result.estimate[0] == pytest.approx(post - slope * pre)
    known = ancova(Y[:, 1] - slope * Y[:, 0], arm)
    assert result.se[0] == pytest.approx(known.se)
    assert result.df[0] == pytest.approx(22)
    quantile = stats.t.ppf(0.975, 22) * result.se[0]
    assert result.ci_low[0] == pytest.approx(result.estimate[0] - quantile)
    assert result.ci_high[0] == pytest.approx(result.estimate[0] + quantile)
    statistic = abs(result.estimate[0] / result.se[0])
    assert result.p_value[0] == pytest.approx(2 * stats.t.sf(statistic, 22))


def test_equal_baselines_leave_the_difference_of_the_means():
    Y = np.column_stack([[1, 2, 4, 1, 2, 4], [2, 2, 5, 4, 7, 6]])
    assert constrained_lda(Y, [0, 0, 0, 1, 1, 1]).estimate[0] == pytest.approx(8 / 3)


def test_without_a_baseline_it_is_the_t_of_welch():
    y, arm = np.random.default_rng(10).normal(size=24), np.repeat([0, 1], [16, 8])
    y[arm == 1] *= 3
    result = constrained_lda(np.column_stack([np.full(24, np.nan), y]), arm)
    known = stats.ttest_ind(y[arm == 1], y[arm == 0], equal_var=False)
    assert result.estimate[0] / result.se[0] == pytest.approx(known.statistic)
    # Welch's degrees of freedom where the arms spread alike, as the model has it.
    assert result.df[0] == pytest.approx((1 / 16 + 1 / 8) ** 2 / (1 / 16**2 / 15 + 1 / 8**2 / 7))
    assert math.isnan(result.variance_between)
    assert math.isnan(result.variance_within)


def test_degrees_of_freedom_count_those_with_a_value_at_the_visit():
    Y, arm = followed(np.random.default_rng(11), 6, 1.0)
    result = constrained_lda(Y, arm)
    assert result.n_patients == 54
    assert result.df[0] == pytest.approx(6 + 6 - 2, abs=0.1)


@pytest.mark.parametrize(("n_followed", "spread"), [(6, 1.5), (12, 1.5), (27, 1.5), (6, 1.0)])
def test_level_where_few_are_followed_or_spread_wider(n_followed, spread):
    rng = np.random.default_rng(17)
    found = [constrained_lda(*followed(rng, n_followed, spread)).p_value[0] for _ in range(300)]
    assert 0.02 <= np.mean(np.array(found) <= 0.05) <= 0.085


def test_the_only_value_of_an_arm_has_no_error():
    Y, arm = followed(np.random.default_rng(18), 6, 1.0)
    Y[np.flatnonzero(arm == 1)[1:], 1] = np.nan
    result = constrained_lda(Y, arm)
    assert np.isfinite(result.estimate[0])
    assert np.isnan([result.se[0], result.df[0], result.p_value[0], result.ci_low[0]]).all()


def test_small_strata_are_pooled():
    Y, arm, _ = trial(np.random.default_rng(12), n=24)
    strata = np.repeat(["a", "b", "c", "d"], [11, 8, 3, 2])
    pooled = np.repeat(["a", "b", "c"], [11, 8, 5])
    one, other = (constrained_lda(Y, arm, strata=s) for s in (strata, pooled))
    assert fields(one) == pytest.approx(fields(other))


@given(st.permutations(range(30)), st.integers(0, 999))
@settings(max_examples=20)
def test_order_and_names_do_not_matter(order, seed):
    Y, arm, strata = trial(np.random.default_rng(seed))
    order = list(order)
    renamed = np.select([strata == "CPI", strata == "chemo"], [3, 1], 2)
    one = constrained_lda(Y, arm, strata=strata)
    other = constrained_lda(Y[order], arm[order], strata=renamed[order])
    assert fields(other) == pytest.approx(fields(one), rel=1e-7, abs=1e-9)


@given(st.integers(0, 999), st.floats(-1e6, 1e6), st.floats(1e-3, 1e3))
@settings(max_examples=20)
def test_units_of_the_values(seed, constant, factor):
    Y, arm, strata = trial(np.random.default_rng(seed))
    one = constrained_lda(Y, arm, strata=strata)
    other = constrained_lda(factor * (Y + constant), arm, strata=strata)
    assert other.estimate / factor == pytest.approx(one.estimate, abs=1e-6)
    assert other.p_value == pytest.approx(one.p_value, abs=1e-6)
    assert other.variance_between / factor**2 == pytest.approx(one.variance_between, abs=1e-6)


@given(st.integers(0, 999))
@settings(max_examples=20)
def test_an_empty_patient_or_visit_changes_nothing(seed):
    Y, arm, strata = trial(np.random.default_rng(seed))
    one = constrained_lda(Y, arm, strata=strata)
    more = np.vstack([Y, np.full(4, np.nan)])
    other = constrained_lda(more, [*arm, 1], strata=[*strata, "none"])
    assert fields(other) == pytest.approx(fields(one))
    wider = constrained_lda(np.insert(Y, 2, np.nan, axis=1), arm, strata=strata)
    assert math.isnan(wider.estimate[1])
    assert wider.se[[0, 2, 3]] == pytest.approx(one.se)
    assert wider.log_likelihood == pytest.approx(one.log_likelihood)


def test_a_visit_without_one_arm_is_undefined_alone():
    Y, arm, strata = trial(np.random.default_rng(13))
    Y[arm == 0, 2] = np.nan
    result = constrained_lda(Y, arm, strata=strata)
    for name in ("estimate", "se", "df", "ci_low", "ci_high", "p_value"):
        assert np.isnan(getattr(result, name)).tolist() == [False, True, False], name
    # The values of that visit still tell of their patients.
    without = constrained_lda(np.delete(Y, 2, axis=1), arm, strata=strata)
    assert result.estimate[0] == pytest.approx(without.estimate[0], abs=0.1)
    assert result.variance_between != pytest.approx(without.variance_between)


@pytest.mark.parametrize(
    ("Y", "arm"),
    [
        (np.empty((0, 2)), []),
        ([[1, 2], [3, 5]], [0, 1]),
        ([[1, 2], [3, 5], [math.nan, math.nan]], [0, 1, 1]),
        ([[1, 2], [3, 5], [2, 2], [1, 4]], [1, 1, 1, 1]),
        (np.full((6, 3), np.nan), [0, 1] * 3),
        ([[1, math.nan], [2, math.nan], [3, math.nan], [4, math.nan]], [0, 1, 0, 1]),
        ([[math.nan, 1], [math.nan, 2], [math.nan, 4]], [0, 1, 0]),
    ],
)
def test_undefined(Y, arm):
    result = constrained_lda(Y, arm)
    assert np.isnan(fields(result)[:-1]).all()


def test_values_that_the_model_explains_have_no_p():
    arm, strata = np.tile([0, 1], 6), np.repeat([0, 1, 2], 4)
    exact = strata[:, None] + np.outer(arm, [0.0, 0.3]) + [0.1, 0.7]
    result = constrained_lda(exact, arm, strata=strata)
    assert result.estimate[0] == pytest.approx(0.3)
    assert np.isnan([result.se[0], result.p_value[0], result.ci_low[0]]).all()
    patients = constrained_lda(exact + np.arange(12)[:, None] ** 2, arm, strata=strata)
    assert patients.estimate[0] == pytest.approx(0.3, abs=1e-5)
    assert math.isnan(patients.p_value[0])
    assert math.isnan(patients.log_likelihood)


def test_an_arm_that_is_the_stratum_is_told_by_the_change():
    Y, arm, _ = trial(np.random.default_rng(14), n_visits=2, missing=0)
    result = constrained_lda(Y, arm, strata=arm)
    change = ancova(Y[:, 1] - Y[:, 0], arm)
    assert result.estimate[0] == pytest.approx(change.estimate)
    assert result.se[0] == pytest.approx(change.se)
    assert result.df[0] == pytest.approx(change.df)


def test_dropout_that_the_baseline_explains_does_no_harm():
    # Treated patients with a high baseline are lost: complete cases are biased, all values are not.
    rng = np.random.default_rng(15)
    estimates, naive = [], []
    for _ in range(60):
        Y, arm, _ = trial(rng, n=60, n_visits=3, between=1.5, missing=0, effect=0.8)
        Y[(arm == 1) & (Y[:, 0] > 0.5), 2] = np.nan
        seen = ~np.isnan(Y[:, 2])
        estimates.append(constrained_lda(Y, arm).estimate[1])
        naive.append(ancova(Y[seen, 2], arm[seen]).estimate)
    assert np.mean(estimates) == pytest.approx(0.8, abs=3 * np.std(estimates) / math.sqrt(60))
    assert np.mean(naive) < 0.3


def test_coverage():
    rng = np.random.default_rng(16)
    results = []
    for _ in range(200):
        Y, arm, strata = trial(rng, n_visits=3, effect=0.8)
        results.append(constrained_lda(Y, arm, strata=strata))
    covered = np.mean([r.ci_low[1] <= 0.8 <= r.ci_high[1] for r in results])
    rejected = np.mean([r.p_value[0] < 0.05 for r in results])
    assert 0.90 <= covered <= 0.99
    assert 0.01 <= rejected <= 0.10


@pytest.mark.parametrize(
    ("Y", "arm", "options", "message"),
    [
        ([[1], [2]], [0, 1], {}, "Y has 1 visit"),
        ([1, 2], [0, 1], {}, "Y must have 2 dimension"),
        ([[1, math.inf]], [0], {}, "Y has infinite"),
        ([[1, 2], [2, 3]], [0, 1, 1], {}, "arm has 3 values, expected 2"),
        ([[1, 2], [2, 3]], [0, 2], {}, "arm must be 0"),
        ([[1, 2], [2, 3]], [0, 1], {"strata": ["a"]}, "strata has 1 values"),
        ([[1, 2], [2, 3]], [0, 1], {"confidence": 95}, "confidence must lie"),
    ],
)
def test_impossible_input(Y, arm, options, message):
    with pytest.raises(ValueError, match=message):
        constrained_lda(Y, arm, **options)
