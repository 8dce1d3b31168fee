from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.stats import clr, empirical_logit

parts = st.lists(st.integers(0, 1000), min_size=2, max_size=8).filter(any)


def test_published_number():
    expected = [-0.8796858, -0.1865386, 1.0662244]
    np.testing.assert_allclose(clr([10, 20, 70], pseudo=0), expected, atol=5e-8)
    np.testing.assert_allclose(clr([0.1, 0.2, 0.7], pseudo=0), expected, atol=5e-8)


def test_half_a_cell_is_added():
    np.testing.assert_allclose(clr([[0, 4]]), [[-math.log(9) / 2, math.log(9) / 2]])


@given(parts)
def test_parts_sum_to_zero_and_their_differences_are_log_ratios(counts):
    values = clr(counts)
    assert values.sum() == pytest.approx(0, abs=1e-9)
    ratio = math.log((counts[0] + 0.5) / (counts[1] + 0.5))
    assert values[0] - values[1] == pytest.approx(ratio, abs=1e-9)


def test_samples_without_cells_are_undefined():
    values = clr([[0, 0, 0], [1, 2, 3]])
    assert np.isnan(values[0]).all()
    assert np.isfinite(values[1]).all()
    assert np.isnan(clr([0, 5], pseudo=0)).all()


@pytest.mark.parametrize(
    ("counts", "pseudo"), [([1, -1], 0.5), ([0.3, 0.7], 0.5), ([1, math.nan], 0), (3, 0), ([1], -1)]
)
def test_impossible_counts(counts, pseudo):
    with pytest.raises(ValueError, match=r"counts|pseudo"):
        clr(counts, pseudo=pseudo)


def test_empirical_logit():
    assert empirical_logit(3, 10) == pytest.approx(math.log(3.5 / 7.5))
    np.testing.assert_allclose(empirical_logit([0, 5], 5), [-math.log(11), math.log(11)])
    assert empirical_logit(100_000, 1_000_000) == pytest.approx(-2.1972246, abs=1e-5)
    assert empirical_logit(1.7, 10) == pytest.approx(math.log(2.2 / 8.8))


def test_empirical_logit_of_no_cells_is_undefined():
    np.testing.assert_array_equal(np.isnan(empirical_logit([0, 1], [0, 4])), [True, False])


@pytest.mark.parametrize(("k", "n"), [(5, 4), (-1, 4), (math.nan, 4)])
def test_impossible_part(k, n):
    with pytest.raises(ValueError, match="k"):
        empirical_logit(k, n)
