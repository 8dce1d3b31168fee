from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.stats import (
    coverage,
    rarefied_coverage,
    rarefied_expanded_clones,
    rarefied_expanded_fraction,
    rarefied_richness,
    rarefied_shannon,
    shannon_entropy,
    simpson_unbiased,
    subsample_counts,
)

FOUR = (10, 6, 3, 1)
FIVE = (10, 5, 3, 1, 1)
small_samples = st.lists(st.integers(0, 4), min_size=1, max_size=4).filter(
    lambda x: 1 <= sum(x) <= 9
)


def all_subsamples(x, m):
    """Counts per clone of every subsample of m cells."""
    cells = np.repeat(np.arange(len(x)), x)
    chosen = [np.bincount(cells[list(i)], minlength=len(x)) for i in combinations(range(sum(x)), m)]
    return np.array(chosen)


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (rarefied_richness(FOUR, 5), 6991 / 2584),
        (rarefied_expanded_clones(FOUR, 5, 2), 951 / 646),
        (rarefied_expanded_fraction(FOUR, 5, 2), 9733 / 12920),
        (rarefied_richness(FOUR, 10), 156549 / 46189),
        (rarefied_richness(FOUR, 2), 1.6684211),
        (rarefied_richness(FIVE, 10), 3.878478),
        (rarefied_richness(FIVE, 5), 2.890931),
        (rarefied_shannon(FIVE, 10), 1.143650),
        (rarefied_shannon(FIVE, 5), 0.933164),
    ],
)
def test_published_number(value, expected):
    assert value == pytest.approx(expected, rel=5e-7)


@given(small_samples.filter(lambda x: sum(x) > 1), st.integers(0, 8))
def test_coverage_is_the_chance_that_one_cell_more_is_of_a_known_clone(x, m):
    m = min(m, sum(x) - 1)
    cells = np.repeat(np.arange(len(x)), x)
    known = [
        np.isin(np.delete(cells, chosen), cells[list(chosen)]).mean()
        for chosen in combinations(range(len(cells)), m)
    ]
    assert rarefied_coverage(x, m) == pytest.approx(np.mean(known), abs=1e-12)


def test_coverage_at_all_cells_and_beyond():
    assert rarefied_coverage(FOUR, 20) == coverage(FOUR)
    assert math.isnan(rarefied_coverage(FOUR, 21))
    assert math.isnan(rarefied_coverage([1], 1))


@given(small_samples, st.integers(1, 9), st.integers(1, 4))
def test_equals_the_mean_over_all_subsamples(x, m, c):
    m = min(m, sum(x))
    drawn = all_subsamples(x, m)
    expanded = drawn >= c
    entropy = np.mean([shannon_entropy(row) for row in drawn])
    assert rarefied_richness(x, m) == pytest.approx((drawn > 0).sum(axis=1).mean())
    assert rarefied_expanded_clones(x, m, c) == pytest.approx(
        expanded.sum(axis=1).mean(), abs=1e-12
    )
    assert rarefied_expanded_fraction(x, m, c) == pytest.approx(
        (drawn * expanded).sum(axis=1).mean() / m, abs=1e-12
    )
    assert rarefied_shannon(x, m) == pytest.approx(entropy, abs=1e-12)


@given(st.integers(1, 150), st.data())
def test_probabilities_are_those_of_binomial_coefficients(n, data):
    """Sizes around the one from which on factorials are Stirling's series."""
    size, m = data.draw(st.integers(1, n)), data.draw(st.integers(1, n))
    ways = [math.comb(size, j) * math.comb(n - size, m - j) for j in range(min(4, m + 1))]
    x = [size] + [1] * (n - size)
    alone = m / n * (n - size) if size > 1 else m / n * n
    for c in range(1, min(4, m + 1)):
        expected = 1 - sum(ways[:c]) / math.comb(n, m)
        others = alone if c == 1 and size > 1 else alone - m / n if c == 1 else 0.0
        assert rarefied_expanded_clones(x, m, c) == pytest.approx(
            expected + others, rel=1e-10, abs=1e-10
        )


def test_no_digits_are_lost_in_samples_of_a_hundred_million_cells():
    """A clone of one cell is among m of n with probability m / n; one of 10^7 cells always is."""
    x = [10_000_000] * 20 + [1] * 1000
    n, m = sum(x), 1_000_000
    assert rarefied_richness(x, m) == pytest.approx(20 + 1000 * m / n, rel=1e-11)
    assert rarefied_expanded_fraction(x, m, 2) == pytest.approx(1 - 1000 / n, rel=1e-11)
    assert rarefied_richness(x, 2) == pytest.approx(2 - simpson_unbiased(x), rel=1e-11)


def test_more_cells_than_the_depth_are_never_reached_whatever_their_number():
    assert rarefied_expanded_clones(FOUR, 5, 10**12) == 0
    assert rarefied_expanded_fraction(FOUR, 5, 10**12) == 0
    assert math.isnan(rarefied_expanded_clones(FOUR, 21, 10**12))


def test_richness_of_two_cells_is_two_minus_simpson():
    assert rarefied_richness(FIVE, 2) == pytest.approx(2 - simpson_unbiased(FIVE))


def test_full_depth_is_the_sample_itself():
    assert rarefied_richness(FOUR, 20) == pytest.approx(4)
    assert rarefied_expanded_clones(FOUR, 20, 3) == pytest.approx(3)
    assert rarefied_expanded_fraction(FOUR, 20, 6) == pytest.approx(16 / 20)
    assert rarefied_shannon(FOUR, 20) == pytest.approx(shannon_entropy(FOUR))


def test_impossible_expansion_is_exactly_zero():
    singletons = np.ones(5000, dtype=int)
    assert rarefied_expanded_clones(singletons, 400, 2) == 0
    assert rarefied_expanded_fraction(singletons, 400, 2) == 0
    assert rarefied_expanded_clones([3000, 2000], 2, 3) == 0


def test_share_in_clones_of_one_cell_or_more_is_everything():
    # Without care the sum comes out above 1, where a logit is not defined.
    assert rarefied_expanded_fraction([8, 2, 11, 5, 12, 1, 17, 18], 11, 1) == 1.0


@pytest.mark.parametrize("x", [(), (0,), (2, 3)])
def test_depth_beyond_the_sample_is_undefined(x):
    assert math.isnan(rarefied_richness(x, 6))
    assert math.isnan(rarefied_expanded_clones(x, 6, 2))
    assert math.isnan(rarefied_expanded_fraction(x, 6, 2))
    assert math.isnan(rarefied_shannon(x, 6))


def test_depth_zero():
    assert rarefied_richness(FOUR, 0) == 0
    assert math.isnan(rarefied_expanded_fraction(FOUR, 0, 2))
    assert math.isnan(rarefied_shannon(FOUR, 0))


@pytest.mark.parametrize("m", [-1, 2.5, math.nan])
def test_impossible_depth(m):
    with pytest.raises(ValueError, match="m must be"):
        rarefied_richness(FOUR, m)


def test_impossible_threshold():
    with pytest.raises(ValueError, match="c must be"):
        rarefied_expanded_clones(FOUR, 5, 0)


def test_subsamples_keep_the_depth_and_never_exceed_the_clone():
    x = np.array([10, 0, 6, 3, 1])
    drawn = subsample_counts(x, 7, n_draws=50, rng=np.random.default_rng(3))
    assert drawn.shape == (50, 5)
    assert (drawn.sum(axis=1) == 7).all()
    assert (drawn <= x).all()
    assert len(np.unique(drawn, axis=0)) > 10


def test_subsamples_have_the_expected_richness_and_expansion():
    drawn = subsample_counts(FOUR, 5, n_draws=20_000, rng=np.random.default_rng(8))
    assert (drawn > 0).sum(axis=1).mean() == pytest.approx(2.7054954, abs=0.02)
    assert (drawn >= 2).sum(axis=1).mean() == pytest.approx(1.4721362, abs=0.02)


def test_subsamples_repeat_with_their_seed():
    first, again = (
        subsample_counts(FOUR, 5, n_draws=9, rng=np.random.default_rng(1)) for _ in range(2)
    )
    np.testing.assert_array_equal(first, again)


def test_subsample_beyond_the_sample_is_an_error():
    with pytest.raises(ValueError, match="only 20 cells"):
        subsample_counts(FOUR, 21, n_draws=1, rng=np.random.default_rng(1))
