"""Log counts per million against the formula by hand, and the trend of their variance."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.stats import log_cpm, variance_trend


def test_log_cpm_by_hand():
    # two libraries of 1 and 3 million: prior 2 becomes 1 and 3
    found = log_cpm([[0, 7], [5, 13]], [1_000_000, 3_000_000])
    expected = [
        [np.log2(1 / 1.000002), np.log2(8 / 1.000002)],
        [np.log2(8 / 3.000006), np.log2(16 / 3.000006)],
    ]
    np.testing.assert_allclose(found, expected, rtol=1e-12)


@given(st.integers(1, 10**7), st.integers(1, 10**7), st.floats(0.1, 10))
def test_no_count_is_the_same_in_every_library(first, second, prior):
    found = log_cpm([[0], [0]], [first, second], prior=prior)
    assert found[0, 0] == pytest.approx(found[1, 0], abs=1e-9)


def test_equal_shares_are_equal_whatever_the_depth():
    counts = np.array([[10, 400], [100, 4000]])
    first, second = log_cpm(counts, [1000, 10_000])
    np.testing.assert_allclose(first, second, rtol=1e-12)


@pytest.mark.parametrize(("size", "prior"), [([0, 1], 2.0), ([1, 1], 0.0), ([1], 2.0)])
def test_impossible_input_is_refused(size, prior):
    with pytest.raises(ValueError, match="library_size"):
        log_cpm([[1], [2]], size, prior=prior)


def test_the_trend_is_that_of_the_variances():
    rng = np.random.default_rng(1)
    level = rng.uniform(0, 10, 3000)
    truth = np.exp(-0.4 * level)
    found = variance_trend(truth * rng.chisquare(14, 3000) / 14, level)
    ratio = found / truth
    # the mean of the logarithm of chi-square over its df, 14, is -0.073
    inner = (level > 1) & (level < 9)
    np.testing.assert_allclose(ratio[inner], np.exp(-0.073), rtol=0.08)


def test_the_trend_follows_its_features_in_any_order():
    rng = np.random.default_rng(2)
    level, variance = rng.uniform(0, 10, 200), rng.uniform(1, 2, 200)
    order = rng.permutation(200)
    again = variance_trend(variance[order], level[order])
    np.testing.assert_allclose(again, variance_trend(variance, level)[order], rtol=1e-9)


def test_features_that_do_not_vary_take_the_trend_and_no_part():
    rng = np.random.default_rng(3)
    level, variance = np.arange(100.0), rng.uniform(1, 2, 100)
    with_zero = variance_trend(np.append(variance, 0.0), np.append(level, 50.0))
    np.testing.assert_allclose(with_zero[:100], variance_trend(variance, level))
    assert with_zero[100] == pytest.approx(with_zero[50])


@pytest.mark.parametrize("n", [0, 1, 19])
def test_few_features_have_no_trend(n):
    assert variance_trend(np.ones(n), np.arange(n)).tolist() == [1.0] * n


def test_one_level_has_no_trend():
    assert set(variance_trend(np.arange(30.0), np.zeros(30))) == {1.0}
