from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.stats import (
    cells_by_clone_size,
    d50,
    expanded_from,
    share_by_clone_frequency,
    top_fraction,
)

X = (10, 5, 3, 1, 1)
samples = st.lists(st.integers(0, 40), min_size=1, max_size=15).filter(any)


def test_a_clone_at_a_limit_is_of_the_class_that_begins_there():
    assert cells_by_clone_size([1, 2, 4, 5, 9, 10, 19, 20, 300]).tolist() == [1, 6, 14, 29, 320]
    assert cells_by_clone_size([1, 2, 3, 4], limits=(3,)).tolist() == [3, 7]


def test_a_frequency_at_a_limit_is_of_the_class_that_ends_there():
    # 1 of 10 and 9 of 10; 1 of 10,000 and the rest
    np.testing.assert_allclose(share_by_clone_frequency([1, 9]), [0, 0, 0, 0.1, 0.9])
    np.testing.assert_allclose(share_by_clone_frequency([1, 9999]), [1e-4, 0, 0, 0, 0.9999])


def test_the_largest_clones():
    assert [top_fraction(X, k) for k in (1, 2, 10)] == [0.5, 0.75, 1.0]


@pytest.mark.parametrize(
    ("x", "expected"), [(X, 1), ((4, 4, 4, 4), 2), ((3, 3, 3), 2), ((7,), 1), ((5, 3, 1, 1), 1)]
)
def test_half_of_the_cells(x, expected):
    assert d50(x) == expected


@given(samples, st.randoms(use_true_random=False))
def test_whatever_the_order_of_the_clones(x, random):
    shuffled = [*x, 0]
    random.shuffle(shuffled)
    assert cells_by_clone_size(shuffled).tolist() == cells_by_clone_size(x).tolist()
    assert (d50(shuffled), top_fraction(shuffled, 3)) == (d50(x), top_fraction(x, 3))
    np.testing.assert_array_equal(share_by_clone_frequency(shuffled), share_by_clone_frequency(x))


@given(samples)
def test_every_cell_is_of_one_class(x):
    assert cells_by_clone_size(x).sum() == sum(x)
    assert share_by_clone_frequency(x).sum() == pytest.approx(1)
    k = int(d50(x))
    assert top_fraction(x, k) >= 0.5
    assert k == 1 or top_fraction(x, k - 1) < 0.5


def test_a_sample_without_cells():
    assert cells_by_clone_size([0, 0]).tolist() == [0] * 5
    assert np.isnan(share_by_clone_frequency([0])).all()
    assert math.isnan(top_fraction([0]))
    assert math.isnan(d50([]))


def test_impossible_input():
    with pytest.raises(ValueError, match="limits must ascend"):
        cells_by_clone_size(X, (5, 2))
    with pytest.raises(ValueError, match="limits must ascend"):
        share_by_clone_frequency(X, (0.1, 0.1))
    with pytest.raises(ValueError, match="k must be a whole number"):
        top_fraction(X, 0)
    with pytest.raises(ValueError, match="x has negative"):
        d50([1, -1])


def test_expanded_from_two_cells_and_from_more_at_depth():
    depths = (0, 100, 999, 1001, 2000, 4000)
    assert [expanded_from(m) for m in depths] == [2, 2, 2, 3, 5, 10]
