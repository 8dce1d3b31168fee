from __future__ import annotations

import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from hiaim_sc.stats import benjamini_hochberg, clone_change_test, fisher_clone_test

RHOS = (0.0, 0.01, 0.05, 0.1)


@pytest.mark.parametrize(
    ("k1", "k2", "expected"),
    [
        (0, 5, (0.03125, 0.034421, 0.047940, 0.066406)),
        (0, 10, (9.7656e-4, 1.4793e-3, 4.8803e-3, 1.2503e-2)),
        (2, 12, (6.4697e-3, 9.7863e-3, 2.8077e-2, 5.7309e-2)),
        (5, 20, (2.0387e-3, 4.9531e-3, 2.7749e-2, 6.7251e-2)),
    ],
)
def test_table_of_one_sided_p(k1, k2, expected):
    p = [float(clone_change_test(k1, k2, 1000, 1000, rho=rho).p_value) for rho in RHOS]
    np.testing.assert_allclose(p, expected, rtol=3e-5)


@pytest.mark.parametrize(
    ("n", "expected"),
    [(5, 0.048), (8, 0.011), (10, 0.0049), (15, 7.8e-4)],
)
def test_smallest_p_that_a_clone_of_n_cells_can_reach(n, expected):
    p = clone_change_test(0, n, 500, 500, rho=0.05).p_value
    assert p == pytest.approx(expected, rel=0.05)


def test_uniform_case():
    # rho = 1/3 makes s = 2, and equal depths alpha = beta = 1: every k2 of 0 ... K is as likely.
    p = clone_change_test([2, 1, 0], [0, 1, 2], 10, 10, rho=1 / 3).p_value
    np.testing.assert_allclose(p, [1, 2 / 3, 1 / 3])


def test_one_term_of_the_beta_binomial():
    # alpha = 2, beta = 3: P(4 of 5) = 5/42.
    at_least_4 = clone_change_test(1, 4, 60, 40, rho=1 / 6).p_value
    all_5 = clone_change_test(0, 5, 60, 40, rho=1 / 6).p_value
    assert at_least_4 - all_5 == pytest.approx(5 / 42)


@pytest.mark.parametrize(
    ("k1", "k2", "concentration", "expected"),
    [
        (2, 15, None, 0.005772267),
        (20, 5, None, 0.000857659),
        (2, 15, 263.3417, 0.007334056),
        (20, 5, 329.4066, 0.001276161),
    ],
)
def test_two_sided_p(k1, k2, concentration, expected):
    rho = 0.0 if concentration is None else 1 / (1 + concentration)
    p = clone_change_test(k1, k2, 1000, 1200, rho=rho, alternative="two-sided").p_value
    assert p == pytest.approx(expected, rel=1e-6)


def test_log2_fold_change():
    result = clone_change_test([2, 10, 0, 20], [15, 14, 6, 5], 1000, 1200)
    expected = [2.369474, 3.437646, -2.160915]
    np.testing.assert_allclose(result.log2_fc[[0, 2, 3]], expected, atol=5e-7)
    assert result.n_total.tolist() == [17, 24, 6, 25]


def test_fishers_adjusted_calls_are_the_binomials():
    p = clone_change_test(
        [2, 10, 0, 20, 1], [15, 14, 6, 5, 1], 1000, 1200, alternative="two-sided"
    ).p_value
    assert (benjamini_hochberg(p) < 0.05).tolist() == [True, False, False, True, False]


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=8),
    st.tuples(st.integers(40, 90), st.integers(40, 90)),
    st.sampled_from(RHOS),
)
def test_equals_scipy_clone_by_clone(clones, depths, rho):
    n1, n2 = depths
    k1, k2 = np.array(clones).T
    for i, total in enumerate(k1 + k2):
        share = n2 / (n1 + n2)
        s = (1 - rho) / rho if rho else None
        null = (
            stats.betabinom(total, share * s, (1 - share) * s) if s else stats.binom(total, share)
        )
        pmf = null.pmf(np.arange(total + 1))
        seen = pmf[k2[i]]
        expected = {
            "greater": pmf[k2[i] :].sum(),
            "less": pmf[: k2[i] + 1].sum(),
            "two-sided": pmf[pmf <= seen * (1 + 1e-6)].sum(),
        }
        for alternative, p in expected.items():
            result = clone_change_test(k1, k2, n1, n2, rho=rho, alternative=alternative)
            assert result.p_value[i] == pytest.approx(min(p, 1), rel=1e-7)


@given(
    st.lists(st.tuples(st.integers(0, 40), st.integers(0, 40)), min_size=1, max_size=8),
    st.tuples(st.integers(40, 90), st.integers(40, 90)),
)
def test_fisher_equals_scipy_clone_by_clone(clones, depths):
    n1, n2 = depths
    k1, k2 = np.array(clones).T
    found = fisher_clone_test(k1, k2, n1, n2)
    np.testing.assert_array_equal(found.log2_fc, clone_change_test(k1, k2, n1, n2).log2_fc)
    for i, (before, after) in enumerate(clones):
        expected = stats.fisher_exact([[after, before], [n2 - after, n1 - before]])
        assert found.p_value[i] == pytest.approx(expected.pvalue, rel=1e-7)
        assert found.odds_ratio[i] == pytest.approx(expected.statistic, nan_ok=True)


def test_fisher_of_samples_without_cells_or_clone():
    found = fisher_clone_test([0, 0], [5, 0], [0, 10], 10)
    np.testing.assert_array_equal(found.p_value, [np.nan, 1])
    assert np.isnan(found.odds_ratio[1])


def test_a_dispersion_is_a_rho_of_its_own_for_each_size():
    k1, k2 = np.array([2, 20, 1, 0]), np.array([15, 5, 0, 0])
    found = clone_change_test(k1, k2, 1000, 1200, dispersion=(5, 2)).p_value
    for i, total in enumerate(k1 + k2):
        v = 2 + (5 * np.log(max(total, 1)) + 2) ** 2
        alone = clone_change_test(k1[i], k2[i], 1000, 1200, rho=1 / (1 + v)).p_value
        assert found[i] == pytest.approx(alone)


def test_depths_per_clone_and_any_shape():
    k1, k2 = np.array([[0, 2], [5, 1]]), np.array([[5, 12], [20, 3]])
    depths = np.array([1000, 1500])
    table = clone_change_test(k1, k2, 1000, depths, rho=0.05).p_value
    for i in range(2):
        for j in range(2):
            alone = clone_change_test(k1[i, j], k2[i, j], 1000, depths[j], rho=0.05).p_value
            assert table[i, j] == alone


def test_many_clones_at_once():
    rng = np.random.default_rng(5)
    k1, k2 = rng.integers(0, 30, (2, 50_000))
    p = clone_change_test(k1, k2, 3000, 2500, rho=0.05).p_value
    assert p[7] == pytest.approx(
        stats.betabinom.sf(k2[7] - 1, k1[7] + k2[7], 19 * 25 / 55, 19 * 30 / 55)
    )
    assert p.shape == (50_000,)


def test_a_sample_without_cells_is_undefined():
    result = clone_change_test([0, 0], [5, 0], 0, 10)
    assert np.isnan(result.p_value).all()
    assert np.isnan(result.log2_fc).all()


def test_an_absent_clone_has_p_one():
    assert clone_change_test(0, 0, 10, 10).p_value == 1


@pytest.mark.parametrize(
    ("arguments", "options", "message"),
    [
        ((11, 0, 10, 10), {}, "more cells than its sample"),
        ((1, -1, 10, 10), {}, "k2 has negative"),
        ((1, 1.5, 10, 10), {}, "k2 has counts"),
        ((1, 1, 10, 10), {"rho": 1}, "rho must be"),
        ((1, 1, 10, 10), {"rho": math.nan}, "rho must be"),
        ((1, 1, 10, 10), {"rho": 0.1, "dispersion": (5, 2)}, "exclude each other"),
        ((1, 1, 10, 10), {"alternative": "more"}, "one of greater, less, two-sided"),
    ],
)
def test_impossible_input(arguments, options, message):
    with pytest.raises(ValueError, match=message):
        clone_change_test(*arguments, **options)
