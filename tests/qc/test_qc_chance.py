"""The tail is scipy's."""

from __future__ import annotations

import numpy as np
from scipy.stats import poisson

from hiaim_sc.qc.chance import chance_of_at_least


def test_the_upper_tail_of_a_poisson_count_is_scipys():
    observed, mean = np.arange(60), np.array([1e-3, 0.5, 3.0, 40.0])[:, None]
    np.testing.assert_allclose(
        chance_of_at_least(observed, mean), poisson.sf(observed - 1, mean), rtol=1e-13
    )
    assert chance_of_at_least(np.array([0]), np.array([2.0]))[0] == 1
