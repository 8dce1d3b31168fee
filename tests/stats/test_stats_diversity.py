from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.stats import (
    chao1,
    clonality,
    coverage,
    gini,
    hill_number,
    pielou_evenness,
    shannon_entropy,
    simpson_unbiased,
)

FOUR = (10, 6, 3, 1)
FIVE = (10, 5, 3, 1, 1)
SEVEN = (10, 5, 3, 2, 1, 1, 1)
INDICES = (
    shannon_entropy,
    pielou_evenness,
    clonality,
    simpson_unbiased,
    gini,
    chao1,
    coverage,
    lambda x: hill_number(x, 0.5),
)
clones = st.lists(st.integers(0, 50), min_size=1, max_size=20)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (shannon_entropy(FOUR), 1.1421200430),
        (shannon_entropy(FOUR, base=2), 1.6477309),
        (clonality(FOUR), 0.1761345389),
        (simpson_unbiased(FOUR), 63 / 190),
        (hill_number(FOUR, 0), 4),
        (hill_number(FOUR, 1), 3.1334043),
        (hill_number(FOUR, 2), 2.7397260),
        (hill_number(FOUR, math.inf), 2),
        (gini(FOUR), 0.375),
        (gini((1, 2, 3, 4)), 0.25),
        (coverage((5, 3, 2, 1, 1, 1)), 0.7813765),
        (shannon_entropy(FIVE), 1.277288),
        (shannon_entropy(FIVE, 2), 1.842738),
        (pielou_evenness(FIVE), 0.7936239),
        (clonality(FIVE), 0.2063761),
        (simpson_unbiased(FIVE), 0.3052632),
        (gini(FIVE), 0.44),
        (hill_number(FIVE, 0), 5),
        (hill_number(FIVE, 1), 3.586900),
        (hill_number(FIVE, 2), 2.941176),
        (hill_number(FIVE, math.inf), 2.0),
        (chao1(FIVE), 6.0),
        (chao1(SEVEN), 8.5),
        (coverage(SEVEN), 0.873402),
    ],
)
def test_published_number(value, expected):
    assert value == pytest.approx(expected, abs=5e-7)


def test_simpson_is_the_chance_that_two_cells_share_their_clone():
    cells = np.repeat(np.arange(4), FOUR)
    pairs = [(i, j) for i in range(20) for j in range(20) if i != j]
    same = sum(cells[i] == cells[j] for i, j in pairs)
    assert simpson_unbiased(FOUR) == pytest.approx(same / len(pairs))


def test_gini_is_half_the_relative_mean_difference():
    x = np.array([7, 1, 1, 4, 12])
    differences = np.abs(np.subtract.outer(x, x)).mean()
    assert gini(x) == pytest.approx(differences / (2 * x.mean()))


def test_coverage_without_doubletons_is_goods():
    assert coverage((4, 1, 1)) == pytest.approx(1 - 2 / 6)
    assert coverage((1, 1, 1)) == 0
    assert coverage((2, 3)) == 1


@pytest.mark.parametrize("q", [1 - 1e-9, 1 + 1e-9, 1 + 1e-14])
def test_hill_number_is_continuous_at_one(q):
    assert hill_number(FIVE, q) == pytest.approx(hill_number(FIVE, 1), rel=1e-8)


@pytest.mark.parametrize("q", [0.25, 0.985, 0.995, 1.005, 1.015, 3.0])
def test_hill_number_is_the_power_mean(q):
    p = np.array(FIVE) / 20
    assert hill_number(FIVE, q) == pytest.approx((p**q).sum() ** (1 / (1 - q)), rel=1e-10)


def test_hill_number_of_a_large_order_does_not_underflow():
    assert hill_number(FIVE, 1e5) == pytest.approx(2.0, rel=1e-4)


@pytest.mark.parametrize("x", [(), (0, 0)])
@pytest.mark.parametrize("index", INDICES)
def test_no_cells_is_undefined(index, x):
    assert math.isnan(index(x))


def test_one_clone_has_no_evenness():
    assert math.isnan(pielou_evenness([5]))
    assert math.isnan(clonality([5, 0]))
    assert shannon_entropy([5]) == 0
    assert hill_number([5], 2) == 1


@pytest.mark.parametrize("index", [simpson_unbiased, coverage, clonality])
def test_one_cell_is_undefined(index):
    assert math.isnan(index([1]))


@given(clones, st.randoms(use_true_random=False))
def test_order_and_absent_clones_do_not_matter(x, random):
    shuffled = [*x, 0, 0]
    random.shuffle(shuffled)
    for index in INDICES:
        np.testing.assert_array_equal(index(shuffled), index(x))


@given(clones.filter(any), st.floats(0, 10), st.floats(0, 10))
def test_hill_numbers_decrease_with_their_order(x, q, r):
    low, high = sorted((q, r))
    assert hill_number(x, low) >= hill_number(x, high) - 1e-9
    assert 1 - 1e-9 <= hill_number(x, high) <= sum(value > 0 for value in x) + 1e-9


@given(clones.filter(any), st.integers(2, 5))
def test_shannon_and_gini_do_not_change_with_scale(x, factor):
    larger = [factor * value for value in x]
    assert shannon_entropy(larger) == pytest.approx(shannon_entropy(x), abs=1e-12)
    assert gini(larger) == pytest.approx(gini(x), abs=1e-12)


@pytest.mark.parametrize(
    ("x", "message"),
    [
        ([3, -1], "negative"),
        ([3, 0.5], "whole numbers"),
        ([3, math.nan], "missing"),
        ([[1, 2], [3, 4]], "dimension"),
        (["a", "b"], "numbers"),
    ],
)
@pytest.mark.parametrize("index", INDICES)
def test_impossible_counts(index, x, message):
    with pytest.raises(ValueError, match=message):
        index(x)


@pytest.mark.parametrize(
    ("form", "expected"), [("bias-corrected", 8.5), ("classic", 11.5), ("finite", 11.304348)]
)
def test_forms_of_chao1(form, expected):
    assert chao1((10, 5, 3, 2, 1, 1, 1), form=form) == pytest.approx(expected, rel=5e-8)


def test_chao1_without_a_clone_of_two_cells():
    # f1 = 2: one pair of singletons
    assert chao1(FIVE, form="classic") == 6
    assert chao1(FIVE, form="finite") == pytest.approx(5 + 19 / 20)
    with pytest.raises(ValueError, match="form must be one of bias-corrected, classic, finite"):
        chao1(FIVE, form="improved")


@pytest.mark.parametrize("q", [-1, math.nan])
def test_impossible_order(q):
    with pytest.raises(ValueError, match="q must be"):
        hill_number(FOUR, q)


@pytest.mark.parametrize("base", [1, 0, -2])
def test_impossible_base(base):
    with pytest.raises(ValueError, match="base"):
        shannon_entropy(FOUR, base)
