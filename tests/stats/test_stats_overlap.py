from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.stats import jaccard, morisita_horn

# Clones A, B, C, D of the first page of numbers; a ... g of the second.
FIRST = ((5, 3, 2, 0), (2, 4, 0, 4))
SECOND = ((10, 5, 3, 1, 1, 0, 0), (4, 0, 6, 0, 0, 8, 2))
pairs = st.lists(st.tuples(st.integers(0, 20), st.integers(0, 20)), min_size=1, max_size=12)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (jaccard(*FIRST), 0.5),
        (morisita_horn(*FIRST), 22 / 37),
        (jaccard(*SECOND), 0.285714),
        (morisita_horn(*SECOND), 0.453125),
        (morisita_horn(*SECOND, unbiased=True), 0.5101852),
    ],
)
def test_published_number(value, expected):
    assert value == pytest.approx(expected, rel=2e-6)


def test_equal_frequencies_at_different_depths():
    assert morisita_horn([10, 4, 2], [5, 2, 1]) == pytest.approx(1)


def test_nothing_shared():
    assert morisita_horn([3, 0], [0, 4]) == 0
    assert jaccard([3, 0], [0, 4]) == 0


@given(pairs, st.randoms(use_true_random=False))
def test_symmetric_whatever_the_order_of_the_clones(table, random):
    shuffled = [*table, (0, 0)]
    random.shuffle(shuffled)
    x, y = zip(*table, strict=True)
    b, a = zip(*shuffled, strict=True)
    for overlap in (jaccard, morisita_horn):
        np.testing.assert_allclose(overlap(a, b), overlap(x, y), rtol=1e-12)


def test_a_sample_without_cells_is_undefined():
    assert math.isnan(morisita_horn([0, 0], [1, 2]))
    assert math.isnan(morisita_horn([1], [1], unbiased=True))
    assert math.isnan(morisita_horn([1, 1], [1, 1], unbiased=True))
    assert math.isnan(jaccard([0, 0], [0, 0]))
    assert jaccard([0, 0], [1, 2]) == 0


@pytest.mark.parametrize("overlap", [jaccard, morisita_horn])
def test_impossible_input(overlap):
    with pytest.raises(ValueError, match="same clones"):
        overlap([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="y has negative"):
        overlap([1, 2], [1, -2])
