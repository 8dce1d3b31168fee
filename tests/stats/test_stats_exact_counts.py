"""Trimmed-mean factors and the exact test of two groups of counts."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import minimize_scalar
from scipy.stats import betabinom, nbinom

from hiaim_sc.stats import exact_count_test, tmm_factors

# Twelve dna_barcodes, two replicates of a sample and three inputs; factors and results as
# edgepython 0.5.0 and pyedger 0.2.1 print them.
SAMPLE = np.fromstring(
    "52 48 41 43 60 61 30 33 400 380 70 77 22 21 38 36 55 50 44 47 66 64 0 1", dtype=int, sep=" "
).reshape(12, 2)
INPUT = np.fromstring(
    "100 110 95 80 85 90 120 115 130 60 70 65 95 100 105 150 140 145 40 45 50 75 70 80 110 105 100 "
    "90 95 85 130 125 135 55 60 50",
    dtype=int,
    sep=" ",
).reshape(12, 3)
FACTORS = [0.758855, 0.767858, 1.203117, 1.185110, 1.203633]


def test_factors_of_the_published_example():
    found = tmm_factors(np.hstack([SAMPLE, INPUT]))
    np.testing.assert_allclose(found, FACTORS, atol=5e-7)
    assert np.log(found).sum() == pytest.approx(0, abs=1e-12)


def test_factors_do_not_follow_a_barcode_that_is_far_up():
    rng = np.random.default_rng(3)
    counts = rng.poisson(200, size=(300, 2))
    counts[0, 1] = 60_000  # half of the second column
    found = tmm_factors(counts)
    # the other 299 are equally frequent, so the effective sizes must be equal
    sizes = found * counts.sum(axis=0)
    assert sizes[1] / sizes[0] == pytest.approx(counts[1:, 1].sum() / counts[1:, 0].sum(), rel=0.01)


@given(st.integers(1, 50), st.permutations(range(12)))
def test_factors_depend_on_shares_alone_and_on_no_order(fold, order):
    counts = np.hstack([SAMPLE, INPUT])
    found = tmm_factors(counts[order])
    np.testing.assert_allclose(found, tmm_factors(counts), rtol=1e-12)
    # the variances, and with them the weights, shrink alike when all columns are deeper
    np.testing.assert_allclose(tmm_factors(fold * counts), found, rtol=1e-12)


@pytest.mark.parametrize("counts", [[[1, 0], [2, 0]], [[1, 2], [-1, 3]], [[0.5, 1.0]]])
def test_columns_without_counts_and_impossible_counts_are_refused(counts):
    with pytest.raises(ValueError, match="counts"):
        tmm_factors(counts)


def test_the_published_p_values_and_fold_changes():
    sizes = np.hstack([INPUT, SAMPLE]).sum(axis=0) * tmm_factors(np.hstack([INPUT, SAMPLE]))
    found = exact_count_test(INPUT, SAMPLE, sizes, dispersion=0.1)
    np.testing.assert_allclose(found.p_value[[4, 11]], [6.66544634e-12, 4.05551545e-10], rtol=5e-9)
    assert found.p_value[0] == 1.0
    assert found.p_value[3] == pytest.approx(0.985395792, abs=5e-10)
    np.testing.assert_allclose(
        found.log2_fc[[4, 11, 0]], [2.97422485, -5.56555067, -0.01236289], atol=5e-9
    )


@pytest.mark.parametrize(
    ("first", "second", "one_sided"),
    [([100, 0, 0], [30], None), ([60], [60, 0, 0], 0.00242), ([40], [20, 20, 20], 0.0446)],
)
def test_equal_libraries_give_twice_the_beta_binomial_tail(first, second, one_sided):
    """Equal libraries move no count: the sums are beta-binomial given their total."""
    sizes = np.full(len(first) + len(second), 1e6)
    found = exact_count_test([first], [second], sizes, dispersion=0.1).p_value[0]
    s_1, s_2 = sum(first), sum(second)
    law = betabinom(s_1 + s_2, len(first) / 0.1, len(second) / 0.1)
    is_short = s_1 * len(second) < s_2 * len(first)
    tail = law.cdf(s_1) if is_short else law.sf(s_1 - 1)
    assert found == pytest.approx(2 * tail, rel=1e-9)
    if one_sided is not None:
        assert tail == pytest.approx(one_sided, rel=0.02)


def test_one_replicate_each_cannot_show_a_five_fold_barcode():
    found = exact_count_test([[10]], [[50]], [1e5, 1e5], dispersion=0.1)
    assert found.p_value[0] == pytest.approx(0.0062019, abs=5e-8)


def test_the_beta_limit_goes_on_where_the_exact_sum_ends():
    first = np.arange(880, 921)[:, None]
    p = exact_count_test(first, np.full_like(first, 1400), [1e6, 1e6], dispersion=0.1).p_value
    # beta against beta-binomial at these totals: 0.5 % at most, and no jump at 900
    assert np.abs(np.diff(np.log(p)) - np.diff(np.log(p)).mean()).max() < 0.005


def test_fold_change_is_that_of_the_fitted_means():
    sizes = np.array([1000.0, 3000.0, 2000.0, 500.0])
    counts = np.array([7, 30, 90, 14])
    prior = 0.125 * sizes / sizes.mean()

    def loss(log_mean, columns):
        mean = np.exp(log_mean) * (sizes + 2 * prior)[columns]
        y = (counts + prior)[columns]
        # log-likelihood of a negative binomial for counts that are no whole numbers
        return -(y * np.log(mean) - (y + 10) * np.log1p(0.1 * mean)).sum()

    fitted = [
        minimize_scalar(
            loss, args=(c,), bounds=(-10, 0), method="bounded", options={"xatol": 1e-10}
        ).x
        for c in (slice(2), slice(2, None))
    ]
    found = exact_count_test([counts[:2]], [counts[2:]], sizes, dispersion=0.1)
    assert found.log2_fc[0] == pytest.approx((fitted[1] - fitted[0]) / np.log(2), abs=1e-6)


def test_unequal_libraries_of_one_mean_hold_their_level():
    """Counts moved to one library size: p below 0.05 in at most 5 % of null barcodes."""
    rng = np.random.default_rng(11)
    sizes = np.array([1.0, 3.0, 0.5, 2.0, 1.5])
    mean = rng.lognormal(4, 1, size=(4000, 1)) * sizes
    counts = nbinom.rvs(10, 10 / (10 + mean), random_state=rng)
    p = exact_count_test(counts[:, :3], counts[:, 3:], sizes * 1e6, dispersion=0.1).p_value
    # binomial 99.9 % limits of 5 % in 4,000: 0.039 to 0.061; a discrete test may be below
    assert 0.03 < (p < 0.05).mean() < 0.061


def test_a_barcode_that_is_nowhere_gives_no_evidence():
    found = exact_count_test([[0, 0]], [[0]], [10, 20, 30], dispersion=0.1)
    assert found.p_value[0] == 1.0
    assert found.log2_fc[0] == pytest.approx(0, abs=0.3)


@pytest.mark.parametrize(("size", "dispersion"), [([0, 1], 0.1), ([1, 1], 0.0), ([1], 0.1)])
def test_impossible_sizes_are_refused(size, dispersion):
    with pytest.raises(ValueError, match="library_size"):
        exact_count_test([[1]], [[2]], size, dispersion=dispersion)
