"""The two functions are scipy's."""

from __future__ import annotations

import numpy as np
from scipy.stats import median_abs_deviation, poisson

from hiaim_sc.qc.chance import absolute_deviation, chance_of_at_least


def test_the_upper_tail_of_a_poisson_count_is_scipys():
    observed, mean = np.arange(60), np.array([1e-3, 0.5, 3.0, 40.0])[:, None]
    np.testing.assert_allclose(
        chance_of_at_least(observed, mean), poisson.sf(observed - 1, mean), rtol=1e-13
    )
    assert chance_of_at_least(np.array([0]), np.array([2.0]))[0] == 1


def test_the_median_absolute_deviation_is_scipys():
    for n in (1, 2, 9, 10):
        values = np.random.default_rng(n).normal(size=n)
        assert absolute_deviation(values) == median_abs_deviation(values)
