from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hiaim_sc.stats import hedges_g, hodges_lehmann
from hiaim_sc.stats.effects import _rank_sum_counts

# R's `sleep`: extra hours of sleep under two drugs
SLEEP_1 = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
SLEEP_2 = (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
# Hollander and Wolfe, permeability of the human chorioamnion: at term, at 12 to 26 weeks
TERM = (0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46)
EARLY = (1.15, 0.88, 0.90, 0.74, 1.21)
groups = st.lists(st.integers(-100, 100), min_size=3, max_size=12, unique=True)


def test_hedges_g_of_sleep():
    assert hedges_g(SLEEP_2, SLEEP_1) == pytest.approx(0.7969352, abs=5e-8)
    assert hedges_g(SLEEP_1, SLEEP_2) == -hedges_g(SLEEP_2, SLEEP_1)


def test_hedges_correction_of_two_degrees_of_freedom():
    # J(2) = Gamma(1) / (1 * Gamma(1/2)) = 1 / sqrt(pi); d = 2 / sqrt(1/2)
    assert hedges_g([2, 3], [0, 1]) == pytest.approx(2 * math.sqrt(2) / math.sqrt(math.pi))


def test_an_adjusted_difference_stands_over_the_same_spread():
    found = hedges_g([2, 3], [0, 1], adjusted_difference=-1)
    assert found == pytest.approx(-math.sqrt(2) / math.sqrt(math.pi))


@pytest.mark.parametrize(("a", "b"), [([], [1, 2, 3]), ([1], [2, 3]), ([1, 1], [1, 1])])
def test_undefined_effect(a, b):
    assert math.isnan(hedges_g(a, b))


def test_permeability():
    result = hodges_lehmann(TERM, EARLY)
    assert result.estimate == pytest.approx(0.305)
    assert (result.ci_low, result.ci_high) == pytest.approx((-0.15, 0.76))
    assert result.p_value / 2 == pytest.approx(0.1272061, abs=5e-8)


@settings(max_examples=50)
@given(groups, groups, st.sampled_from([0.8, 0.9, 0.95]))
def test_the_interval_holds_the_shifts_that_the_exact_test_accepts(a, b, confidence):
    # Off the grid of differences, so that no shift makes a tie.
    shifts = np.arange(-200, 200, 23) + 0.5
    result = hodges_lehmann(a, b, confidence=confidence)
    for shift in shifts:
        moved = np.array(b) + shift
        p = stats.mannwhitneyu(a, moved, method="exact").pvalue
        if min(abs(p - (1 - confidence)), 1) > 1e-9:
            assert (result.ci_low < shift < result.ci_high) == (p > 1 - confidence)


@pytest.mark.parametrize(("n_a", "n_b"), [(1, 4), (3, 5), (6, 6), (27, 27), (50, 50)])
def test_rank_sum_counts(n_a, n_b):
    exact = [1] + [0] * (n_a * n_b)
    for i in range(1, n_a + 1):
        for power in range(n_a * n_b, n_b + i - 1, -1):
            exact[power] -= exact[power - n_b - i]
        for power in range(i, n_a * n_b + 1):
            exact[power] += exact[power - i]
    assert sum(exact) == math.comb(n_a + n_b, n_a)
    lower_half = np.array(exact[: n_a * n_b // 2 + 1], float)
    np.testing.assert_allclose(_rank_sum_counts(n_a, n_b), lower_half, rtol=1e-9)


def test_large_groups_nearly_continue_the_exact_interval():
    quantiles = stats.norm.ppf((np.arange(60) + 0.5) / 60)
    result = hodges_lehmann(quantiles + 0.3, quantiles)
    margin = 1.96 * math.sqrt(2 / 60)
    assert result.estimate == pytest.approx(0.3, abs=0.02)
    assert result.ci_high - result.ci_low == pytest.approx(2 * margin, rel=0.1)


def test_too_few_for_the_level_is_unbounded():
    result = hodges_lehmann([1, 2], [3, 4])
    assert (result.ci_low, result.ci_high) == (-math.inf, math.inf)
    assert result.estimate == -2
    assert result.p_value == pytest.approx(2 / 6)


def test_a_level_that_is_just_reached():
    result = hodges_lehmann([10, 20, 40], [1, 2, 4], confidence=0.9)
    assert (result.ci_low, result.ci_high) == (6, 39)


def test_ties_and_empty_groups():
    assert hodges_lehmann([1, 1, 1], [1, 1]).p_value == 1
    assert math.isnan(hodges_lehmann([], [1, 2]).estimate)


def test_impossible_input():
    with pytest.raises(ValueError, match="a has missing"):
        hedges_g([1, math.nan], [2, 3])
    with pytest.raises(ValueError, match="confidence"):
        hodges_lehmann([1, 2], [3], confidence=95)
