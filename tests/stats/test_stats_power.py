"""Detectable effects: a second library, published numbers, and a simulation."""

from __future__ import annotations

import numpy as np
import pytest
from statsmodels.stats.power import TTestIndPower

from hiaim_sc.stats import ancova, blinded_spread, detectable_effect


@pytest.mark.parametrize("arms", [(27, 27), (12, 9), (3, 4)])
def test_detectable_effect_agrees_with_statsmodels(arms):
    n_reference, n_treated = arms
    power = TTestIndPower().power(
        detectable_effect(n_reference, n_treated), n_reference, 0.05, ratio=n_treated / n_reference
    )
    assert power == pytest.approx(0.8, abs=1e-6)


@pytest.mark.parametrize(
    ("n", "plain", "r5", "r7"),
    [
        (27, 0.777, 0.673, 0.555),
        (20, 0.909, 0.787, 0.649),
        (15, 1.060, 0.918, 0.757),
        (12, 1.197, 1.036, 0.855),
        (8, 1.507, 1.305, 1.076),
    ],
)
def test_detectable_effects_per_arm_and_baseline_correlation(n, plain, r5, r7):
    d = detectable_effect(n, n)
    # a baseline of correlation r leaves sqrt(1 - r^2) of the standard deviation
    for r, known in ((0.0, plain), (0.5, r5), (0.7, r7)):
        assert d * np.sqrt(1 - r**2) == pytest.approx(known, abs=6e-4)


def test_power_of_the_adjusted_test_is_what_was_asked_for():
    rng = np.random.default_rng(3)
    arm = np.repeat([0, 1], 10)
    strata = np.tile(["a", "b"], 10)
    d = detectable_effect(10, 10, n_covariates=2)
    found = []
    for _ in range(2000):
        baseline = rng.normal(size=20)
        y = baseline + (strata == "b") + d * arm + rng.normal(size=20)
        found.append(ancova(y, arm, baseline=baseline, strata=strata).p_value <= 0.05)
    # less by what the baseline takes of the arm by chance, about 2 points at 10 per arm; the
    # standard error of the share is 0.9 points
    assert np.mean(found) == pytest.approx(0.78, abs=0.036)


def test_the_spread_is_what_baseline_and_strata_leave():
    rng = np.random.default_rng(4)
    n = 4000
    baseline, strata = rng.normal(size=n), np.tile(["a", "b", "c"], n)[:n]
    y = 0.6 * baseline + 0.8 * rng.normal(size=n) + 2 * (strata == "c")
    spread = blinded_spread(y, baseline=baseline, strata=strata)
    assert (spread.n_covariates, spread.n) == (3, n)
    assert spread.residual_sd == pytest.approx(0.8, rel=0.04)
    assert spread.sd == pytest.approx(y.std(ddof=1))
    plain = blinded_spread(y)
    assert plain.residual_sd == pytest.approx(plain.sd)


def test_what_cannot_be_known_is_nan_and_what_cannot_be_meant_is_an_error():
    assert np.isnan(detectable_effect(1, 9))
    assert np.isnan(detectable_effect(2, 2, n_covariates=2))
    assert np.isnan(blinded_spread([1.0]).sd)
    with pytest.raises(ValueError, match="power"):
        detectable_effect(9, 9, power=0.01)
