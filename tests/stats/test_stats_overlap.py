from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial import distance

from hiaim_sc.stats import (
    bhattacharyya,
    cosine_similarity,
    frequency_overlap,
    jaccard,
    jensen_shannon,
    morisita_horn,
    overlap_coefficient,
    shared_cell_fraction,
    sorensen,
    weighted_jaccard,
)

SIMILARITIES = (
    bhattacharyya, cosine_similarity, frequency_overlap, jaccard, morisita_horn,
    overlap_coefficient, sorensen, weighted_jaccard,
)  # fmt: skip
SYMMETRIC = (*SIMILARITIES, jensen_shannon)

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
        (sorensen(*SECOND), 4 / 9),
        (overlap_coefficient(*SECOND), 0.5),
        (cosine_similarity(*SECOND), 0.4540126),
        (bhattacharyya(*SECOND), 0.5283598),
        (frequency_overlap(*SECOND), 0.35),
        (weighted_jaccard(*SECOND), 7 / 33),
        (jensen_shannon(*SECOND), 0.4912912),
        (shared_cell_fraction(*SECOND), 0.65),
        (shared_cell_fraction(*SECOND[::-1]), 0.5),
    ],
)
def test_published_number(value, expected):
    assert value == pytest.approx(expected, rel=2e-6)


def test_equal_frequencies_at_different_depths():
    x, y = (10, 4, 2), (5, 2, 1)
    assert [overlap(x, y) for overlap in SIMILARITIES] == pytest.approx([1] * len(SIMILARITIES))
    assert jensen_shannon(x, y) == pytest.approx(0, abs=1e-12)


def test_nothing_shared():
    x, y = (3, 0), (0, 4)
    assert [overlap(x, y) for overlap in SIMILARITIES] == [0] * len(SIMILARITIES)
    assert jensen_shannon(x, y) == pytest.approx(1)
    assert shared_cell_fraction(x, y) == 0


@given(pairs.filter(lambda table: all(map(any, zip(*table, strict=True)))))
def test_equal_scipys_distances(table):
    x, y = map(np.array, zip(*table, strict=True))
    p, q = x / x.sum(), y / y.sum()
    found = [
        1 - sorensen(x, y),
        1 - cosine_similarity(x, y),
        jensen_shannon(x, y),
        1 - frequency_overlap(x, y),
    ]
    expected = [
        distance.dice(x > 0, y > 0),
        distance.cosine(x, y),
        distance.jensenshannon(p, q, base=2) ** 2,
        distance.cityblock(p, q) / 2,
    ]
    # 1 - s of two nearly equal samples has the last digits of s
    np.testing.assert_allclose(found, expected, atol=1e-9)


@given(pairs, st.randoms(use_true_random=False))
def test_symmetric_whatever_the_order_of_the_clones(table, random):
    shuffled = [*table, (0, 0)]
    random.shuffle(shuffled)
    x, y = zip(*table, strict=True)
    b, a = zip(*shuffled, strict=True)
    for overlap in SYMMETRIC:
        np.testing.assert_allclose(overlap(a, b), overlap(x, y), rtol=1e-10, atol=1e-12)


@given(pairs)
def test_cells_in_shared_clones_one_by_one(table):
    cells = [y > 0 for x, y in table for _ in range(x)]
    found = shared_cell_fraction(*zip(*table, strict=True))
    np.testing.assert_allclose(found, np.mean(cells) if cells else np.nan)


def test_a_sample_without_cells_is_undefined():
    assert math.isnan(morisita_horn([0, 0], [1, 2]))
    assert math.isnan(morisita_horn([1], [1], unbiased=True))
    assert math.isnan(morisita_horn([1, 1], [1, 1], unbiased=True))
    assert math.isnan(jaccard([0, 0], [0, 0]))
    assert jaccard([0, 0], [1, 2]) == 0
    assert sorensen([0, 0], [1, 2]) == 0
    assert math.isnan(sorensen([0, 0], [0, 0]))
    assert shared_cell_fraction([1, 2], [0, 0]) == 0
    assert math.isnan(shared_cell_fraction([0, 0], [1, 2]))
    for overlap in set(SYMMETRIC) - {jaccard, sorensen}:
        assert math.isnan(overlap([0, 0], [1, 2]))


@pytest.mark.parametrize("overlap", [*SYMMETRIC, shared_cell_fraction])
def test_impossible_input(overlap):
    with pytest.raises(ValueError, match="same clones"):
        overlap([1, 2], [1, 2, 3])
    with pytest.raises(ValueError, match="y has negative"):
        overlap([1, 2], [1, -2])
