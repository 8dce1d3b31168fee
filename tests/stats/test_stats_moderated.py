from __future__ import annotations

import math

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats

from hiaim_sc.stats import ancova, moderated_t, squeeze_variances


def planted_variances(rng, n_features, prior_df, residual_df):
    truth = prior_df / rng.chisquare(prior_df, n_features)
    return truth * rng.chisquare(residual_df, n_features) / residual_df


def trial(rng, n_features):
    arm = np.tile([0, 1], 8)
    strata = np.repeat(["a", "b"], 8)
    return rng.normal(size=(16, n_features)), arm, strata


def test_recovers_the_planted_prior():
    prior = squeeze_variances(planted_variances(np.random.default_rng(1), 10_000, 4, 10), 10)
    assert prior.df == pytest.approx(4, rel=0.1)
    assert prior.variance == pytest.approx(1, rel=0.1)


def test_recovers_the_planted_prior_with_different_degrees_of_freedom():
    rng = np.random.default_rng(2)
    df = rng.integers(5, 30, 10_000)
    prior = squeeze_variances(planted_variances(rng, 10_000, 6, df), df)
    assert prior.df == pytest.approx(6, rel=0.1)
    assert prior.variance == pytest.approx(1, rel=0.1)


def test_squeezed_variance_is_the_weighted_mean():
    s2 = np.array([0.2, 1.0, 9.0, 0.5, 2.0, 0.03])
    prior = squeeze_variances(s2, 8)
    expected = (prior.df * prior.variance + 8 * s2) / (prior.df + 8)
    assert 0 < prior.df < math.inf
    np.testing.assert_allclose(prior.squeezed, expected)
    np.testing.assert_allclose(prior.squeezed_df, prior.df + 8)


def test_equal_variances_have_an_infinite_prior():
    prior = squeeze_variances([1.0, 1.1, 0.9], 6)
    assert math.isinf(prior.df)
    assert np.ptp(prior.squeezed) == 0
    # All the features together have no more than this.
    assert prior.squeezed_df.tolist() == [18, 18, 18]


@pytest.mark.parametrize("s2", [[2.0], [2.0, math.nan], [0.0, 0.0]])
def test_without_variances_to_compare_nothing_is_squeezed(s2):
    prior = squeeze_variances(s2, 6)
    assert prior.df == 0
    np.testing.assert_array_equal(prior.squeezed, s2)


def test_a_constant_feature_does_not_move_the_prior():
    s2 = planted_variances(np.random.default_rng(3), 500, 4, 10)
    without = squeeze_variances(s2, 10)
    with_unknown = squeeze_variances([*s2, math.nan], 10)
    assert with_unknown.df == without.df
    assert math.isnan(with_unknown.squeezed[-1])


def test_one_feature_is_the_ancova():
    values, arm, strata = trial(np.random.default_rng(4), 1)
    result = moderated_t(values, arm, strata=strata)
    alone = ancova(values[:, 0], arm, strata=strata)
    ours = (result.estimate[0], result.se[0], result.ci_low[0], result.p_value[0])
    np.testing.assert_allclose(ours, (alone.estimate, alone.se, alone.ci_low, alone.p_value))


def test_t_uses_the_squeezed_variance():
    values, arm, strata = trial(np.random.default_rng(5), 40)
    values = values * np.linspace(0.2, 3, 40)
    fits = [sm.OLS(y, np.column_stack([np.ones(16), arm, strata == "b"])).fit() for y in values.T]
    result = moderated_t(values, arm, strata=strata)
    d0, s0 = result.prior_df, result.prior_variance
    squeezed = (d0 * s0 + 13 * np.array([fit.mse_resid for fit in fits])) / (d0 + 13)
    se = np.sqrt(squeezed * fits[0].normalized_cov_params[1, 1])
    estimate = np.array([fit.params[1] for fit in fits])
    assert 0 < d0 < math.inf
    np.testing.assert_allclose(result.estimate, estimate)
    np.testing.assert_allclose(result.se, se)
    np.testing.assert_allclose(result.df, d0 + 13)
    np.testing.assert_allclose(result.p_value, 2 * stats.t.sf(np.abs(estimate / se), d0 + 13))
    np.testing.assert_allclose(result.ci_high - estimate, stats.t.ppf(0.975, d0 + 13) * se)


def test_each_feature_is_adjusted_for_its_own_baseline():
    values, arm, strata = trial(np.random.default_rng(6), 6)
    baseline = values + np.random.default_rng(7).normal(size=values.shape)
    baseline[[0, 3], 1] = np.nan
    result = moderated_t(values, arm, baseline=baseline, strata=strata)
    alone = [
        ancova(y, arm, baseline=before, strata=strata)
        for y, before in zip(values.T, baseline.T, strict=True)
    ]
    np.testing.assert_allclose(result.estimate, [fit.estimate for fit in alone])


def test_null_features_are_rejected_at_the_nominal_rate():
    rng = np.random.default_rng(7)
    values, arm, strata = trial(rng, 4000)
    values *= np.sqrt(5 / rng.chisquare(5, 4000))
    p = moderated_t(values, arm, strata=strata).p_value
    assert stats.binomtest(int((p < 0.05).sum()), 4000, 0.05).pvalue > 0.001


def test_planted_features_are_found_more_often_than_by_the_plain_t():
    rng = np.random.default_rng(8)
    arm = np.array([0, 0, 0, 1, 1, 1])
    values = rng.normal(size=(6, 400)) + 2.5 * arm[:, None]
    plain = [ancova(column, arm).p_value for column in values.T]
    moderated = moderated_t(values, arm).p_value
    assert (moderated < 0.01).mean() > 2 * (np.array(plain) < 0.01).mean()


def test_constant_features_are_undefined():
    values, arm, _ = trial(np.random.default_rng(9), 5)
    values[:, 2] = 3.0
    result = moderated_t(values, arm)
    assert np.isnan(result.p_value).tolist() == [False, False, True, False, False]
    assert result.estimate[2] == 0


def test_impossible_input():
    values, arm, _ = trial(np.random.default_rng(10), 3)
    with pytest.raises(ValueError, match="Y has missing"):
        moderated_t(np.where(values == values[0, 0], np.nan, values), arm)
    with pytest.raises(ValueError, match="baseline has shape"):
        moderated_t(values, arm, baseline=values[:, :2])
    with pytest.raises(ValueError, match="Y must have 2 dimension"):
        moderated_t(values[:, 0], arm)
    with pytest.raises(ValueError, match="confidence"):
        moderated_t(values, arm, confidence=0)
