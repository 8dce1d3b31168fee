from __future__ import annotations

import math
import time
from itertools import combinations, product

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from scipy import stats

from hiaim_sc.stats import ancova, arrangements, max_t, rerandomisation_test

SLEEP = (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0)
SLEEP += (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4)
SLEEP_ARM = np.repeat([0, 1], 10)


def unused():
    return np.random.default_rng(0)


def all_arms(arm, strata):
    """Every arrangement that keeps the arms' numbers within the strata."""
    arm, strata = np.asarray(arm), np.asarray(strata)
    members = [np.flatnonzero(strata == name) for name in np.unique(strata)]
    choices = [list(combinations(m, int(arm[m].sum()))) for m in members]
    for chosen in product(*choices):
        drawn = np.zeros(len(arm), dtype=int)
        drawn[[i for part in chosen for i in part]] = 1
        yield drawn


def absolute_t(y, arm, baseline=None, strata=None):
    t = abs(ancova(y, arm, baseline=baseline, strata=strata).statistic)
    return 0.0 if math.isnan(t) else t


def brute_force_p(y, arm, strata, baseline=None):
    seen = abs(ancova(y, arm, baseline=baseline, strata=strata).statistic)
    drawn = [absolute_t(y, a, baseline, strata) for a in all_arms(arm, strata)]
    p = math.nan if math.isnan(seen) else np.mean(np.array(drawn) >= seen - 1e-7)
    return p, len(drawn)


def small_trial(rng, n=12):
    arm = rng.permuted(np.arange(n) % 2)
    return rng.normal(size=n), arm, rng.normal(size=n), np.repeat(["a", "b"], [4, n - 4])


def test_six_arrangements():
    result = rerandomisation_test(
        [3, 5, 1, 4, 2], [1, 1, 0, 1, 0], strata=list("AAABB"), rng=unused()
    )
    assert result.p_value == pytest.approx(2 / 6)
    assert result.n_arrangements == 6
    assert result.exact
    assert result.n_draws == 0


def test_sleep_exactly(monkeypatch):
    monkeypatch.setattr(arrangements, "MAX_ENUMERATED", 200_000)
    result = rerandomisation_test(SLEEP, SLEEP_ARM, rng=unused())
    assert result.n_arrangements == 184_756
    assert result.exact
    assert result.p_value == pytest.approx(0.0814480, abs=5e-8)


def test_sleep_by_draws():
    result = rerandomisation_test(SLEEP, SLEEP_ARM, rng=np.random.default_rng(1))
    assert not result.exact
    assert result.n_draws == 9999
    assert result.n_arrangements == 184_756
    assert result.p_value == pytest.approx(0.0814480, abs=4 * math.sqrt(0.08 * 0.92 / 9999))


@pytest.mark.parametrize(("n", "smallest"), [(3, 0.10), (4, 0.029), (5, 0.0079), (6, 0.0022)])
def test_smallest_p(n, smallest):
    y = np.concatenate([np.arange(n), 100.0 + np.arange(n)])
    result = rerandomisation_test(y, np.repeat([0, 1], n), rng=unused())
    assert result.p_value == pytest.approx(2 / math.comb(2 * n, n))
    assert result.p_value == pytest.approx(smallest, rel=0.02)


@settings(max_examples=8)
@given(st.integers(0, 10_000))
@example(3320)  # an arm that is the stratum: undefined
def test_equals_the_fit_of_every_arrangement(seed):
    y, arm, baseline, strata = small_trial(np.random.default_rng(seed), n=9)
    p, n = brute_force_p(y, arm, strata, baseline)
    result = rerandomisation_test(y, arm, baseline=baseline, strata=strata, rng=unused())
    assert result.n_arrangements == n
    assert result.p_value == pytest.approx(p, nan_ok=True)


def test_arrangements_that_the_baseline_explains_count_as_no_difference():
    y, arm = [1.0, 2.5, 2.0, 7.0, 4.0, 8.5], [0, 1, 0, 1, 0, 1]
    baseline = [0, 0, 0, 1, 1, 1]
    p, n = brute_force_p(y, arm, [0] * 6, baseline)
    result = rerandomisation_test(y, arm, baseline=baseline, rng=unused())
    assert n == 20
    assert result.p_value == pytest.approx(p)


def test_an_arm_that_the_covariates_explain_is_undefined():
    result = rerandomisation_test(
        np.arange(6.0), [0, 0, 0, 1, 1, 1], baseline=[0, 0, 0, 1, 1, 1], rng=unused()
    )
    assert math.isnan(result.p_value)
    assert math.isnan(rerandomisation_test([1, 2, 3, 5], [1, 1, 1, 1], rng=unused()).p_value)
    assert math.isnan(rerandomisation_test([], [], rng=unused()).p_value)


def test_without_a_degree_of_freedom_it_is_undefined():
    assert math.isnan(rerandomisation_test([1, 2], [0, 1], rng=unused()).p_value)


def test_equal_values_differ_in_no_arrangement():
    result = rerandomisation_test([0.1] * 6, [0, 0, 0, 1, 1, 1], rng=unused())
    assert result.p_value == 1


def test_labels_move_only_within_the_strata_as_randomised():
    # All strata are too small for covariates of their own; they still bind the labels.
    arm = np.tile([0, 1], 5)
    result = rerandomisation_test(
        np.arange(10.0), arm, strata=np.repeat(list("abcde"), 2), rng=unused()
    )
    assert result.n_arrangements == 2**5


def test_drawn_arms_keep_the_numbers_and_differ():
    codes = np.repeat([0, 1], [14, 10])
    arm = np.isin(np.arange(24), [0, 1, 2, 3, 4, 14, 15, 16, 17, 18, 19])
    drawn = arrangements.arrange(arm, codes, 300, np.random.default_rng(2))
    assert not drawn.exact
    assert drawn.n_possible == math.comb(14, 5) * math.comb(10, 6)
    assert (drawn.arms[0] == arm).all()
    assert (drawn.arms[:, :14].sum(axis=1) == 5).all()
    assert (drawn.arms[:, 14:].sum(axis=1) == 6).all()
    shares = drawn.arms[1:].mean(axis=0)
    assert np.abs(shares - np.where(codes == 0, 5 / 14, 0.6)).max() < 0.15


@given(st.permutations(range(30)), st.integers(0, 99))
@settings(max_examples=15)
def test_the_order_of_the_patients_does_not_matter(order, seed):
    y, arm, baseline, strata = small_trial(np.random.default_rng(seed), n=30)
    order = list(order)
    one = rerandomisation_test(
        y, arm, baseline=baseline, strata=strata, n_draws=199, rng=np.random.default_rng(7)
    )
    other = rerandomisation_test(
        y[order],
        arm[order],
        baseline=baseline[order],
        strata=strata[order],
        n_draws=199,
        rng=np.random.default_rng(7),
    )
    assert not one.exact
    assert one == other


def test_draws_approach_the_exact_p(monkeypatch):
    y, arm, baseline, strata = small_trial(np.random.default_rng(11))
    exact = rerandomisation_test(y, arm, baseline=baseline, strata=strata, rng=unused())
    monkeypatch.setattr(arrangements, "MAX_ENUMERATED", 1)
    drawn = rerandomisation_test(
        y, arm, baseline=baseline, strata=strata, rng=np.random.default_rng(4)
    )
    assert exact.exact
    assert not drawn.exact
    assert drawn.p_value == pytest.approx(exact.p_value, abs=0.02)


def test_the_level_is_exact_over_all_allocations():
    y, arm, baseline, strata = small_trial(np.random.default_rng(12), n=9)
    p = np.array(
        [
            rerandomisation_test(y, a, baseline=baseline, strata=strata, rng=unused()).p_value
            for a in all_arms(arm, strata)
        ]
    )
    for alpha in (0.05, 0.1, 0.3, 0.5):
        assert (p <= alpha).mean() <= alpha
    assert p.min() <= 2 / len(p)


def test_the_level_holds_in_null_cohorts():
    rng = np.random.default_rng(13)
    arm, strata = np.tile([0, 1], 8), np.repeat(["a", "b"], 8)
    rejected = 0
    for _ in range(300):
        baseline = rng.standard_t(3, 16)
        y = 0.6 * baseline + rng.standard_t(3, 16)
        result = rerandomisation_test(
            y, arm, baseline=baseline, strata=strata, n_draws=199, rng=rng
        )
        rejected += result.p_value <= 0.05
    assert stats.binomtest(rejected, 300, 0.05).pvalue > 0.001


def test_a_planted_effect_is_found():
    rng = np.random.default_rng(14)
    arm = np.tile([0, 1], 20)
    result = rerandomisation_test(rng.normal(size=40) + 3 * arm, arm, rng=rng)
    assert result.p_value == pytest.approx(1 / 10_000)


def test_a_trial_of_54_takes_a_fraction_of_a_second():
    rng = np.random.default_rng(15)
    y, arm, baseline, strata = small_trial(rng, n=54)
    start = time.process_time()
    result = rerandomisation_test(y, arm, baseline=baseline, strata=strata, rng=rng)
    # Measured: 0.02 s; the bound leaves room for a busy machine.
    assert time.process_time() - start < 0.5
    assert result.n_draws == 9999


def brute_force_min_p(Y, arm, strata, baseline=None):
    """Step-down min-P, endpoint by endpoint and arrangement by arrangement."""
    seen = ~np.isnan(Y)
    table = []
    for drawn in [np.asarray(arm), *all_arms(arm, strata)]:
        row = []
        for e in range(Y.shape[1]):
            s = seen[:, e]
            before = None if baseline is None else baseline[s, e]
            row.append(absolute_t(Y[s, e], drawn[s], before, np.asarray(strata)[s]))
        table.append(row)
    t = np.array(table)
    p = np.array([[(t[1:, e] >= v - 1e-7).mean() for e, v in enumerate(row)] for row in t])
    order = np.argsort(p[0], kind="stable")
    adjusted, largest = np.empty(Y.shape[1]), 0.0
    for step, endpoint in enumerate(order):
        smallest = p[1:, order[step:]].min(axis=1)
        largest = max(largest, (smallest <= p[0, endpoint] + 1e-12).mean())
        adjusted[endpoint] = largest
    return adjusted, p[0]


@pytest.mark.parametrize("seed", range(3))
def test_max_t_equals_the_definition(seed):
    rng = np.random.default_rng(seed)
    _, arm, _, strata = small_trial(rng, n=9)
    Y = rng.normal(size=(9, 3)) + arm[:, None] * [2, 0, 0.5]
    Y[0, 1] = Y[4, 1] = Y[8, 2] = np.nan
    baseline = rng.normal(size=Y.shape)
    adjusted, p = brute_force_min_p(Y, arm, strata, baseline)
    result = max_t(Y, arm, baseline=baseline, strata=strata, rng=unused())
    assert result.exact
    np.testing.assert_allclose(result.p_value, p)
    np.testing.assert_allclose(result.p_adjusted, adjusted)


def test_max_t_of_one_endpoint_is_the_rerandomisation_test():
    y, arm, baseline, strata = small_trial(np.random.default_rng(21), n=30)
    options = {"strata": strata, "n_draws": 499}
    alone = rerandomisation_test(y, arm, baseline=baseline, rng=np.random.default_rng(3), **options)
    family = max_t(
        y[:, None], arm, baseline=baseline[:, None], rng=np.random.default_rng(3), **options
    )
    assert family.p_value[0] == family.p_adjusted[0] == alone.p_value
    assert family.n_arrangements == alone.n_arrangements


def test_copies_of_an_endpoint_cost_nothing_and_independent_ones_do():
    rng = np.random.default_rng(22)
    y, arm, *_ = small_trial(rng, n=40)
    y = y + arm
    copies = max_t(np.column_stack([y, 2 * y + 1, -y]), arm, n_draws=999, rng=rng)
    np.testing.assert_array_equal(copies.p_adjusted, copies.p_value)
    noise = rng.normal(size=(40, 9))
    spread = max_t(np.column_stack([y, noise]), arm, n_draws=999, rng=rng)
    assert spread.p_adjusted[0] > 3 * spread.p_value[0]
    assert (spread.p_adjusted >= spread.p_value).all()


def test_max_t_holds_the_family_wise_level_over_all_allocations():
    rng = np.random.default_rng(23)
    _, arm, _, strata = small_trial(rng, n=8)
    Y = rng.normal(size=(8, 4))
    Y[2, 0] = Y[5, 3] = np.nan
    smallest = np.array(
        [max_t(Y, a, strata=strata, rng=unused()).p_adjusted.min() for a in all_arms(arm, strata)]
    )
    for alpha in (0.1, 0.2, 0.4):
        assert (smallest <= alpha).mean() <= alpha
    assert (smallest <= 0.5).any()


def test_endpoints_that_cannot_be_tested_are_left_out():
    rng = np.random.default_rng(24)
    y, arm, *_ = small_trial(rng)
    only_treated = np.where(arm == 1, y, np.nan)
    Y = np.column_stack([np.full(12, np.nan), y, only_treated])
    result = max_t(Y, arm, rng=rng)
    assert np.isnan(result.p_adjusted).tolist() == [True, False, True]
    assert result.p_adjusted[1] == result.p_value[1]
    assert max_t(np.empty((12, 0)), arm, rng=rng).p_adjusted.shape == (0,)


def test_max_t_does_not_depend_on_the_order_of_the_patients():
    rng = np.random.default_rng(25)
    _, arm, _, strata = small_trial(rng, n=30)
    Y = rng.normal(size=(30, 4))
    Y[[1, 7], 2] = np.nan
    rows = rng.permutation(30)
    one = max_t(Y, arm, strata=strata, n_draws=299, rng=np.random.default_rng(1))
    other = max_t(
        Y[rows], arm[rows], strata=strata[rows], n_draws=299, rng=np.random.default_rng(1)
    )
    np.testing.assert_array_equal(one.p_adjusted, other.p_adjusted)


@pytest.mark.parametrize(
    ("y", "arm", "options", "message"),
    [
        ([1, 2, 3], [0, 1], {}, "arm has 2 values"),
        ([1, 2, 3], [0, 1, 2], {}, "arm must be 0"),
        ([1, 2, math.nan], [0, 1, 1], {}, "y has missing"),
        ([1, 2, 3], [0, 1, 1], {"baseline": [1, 2]}, "baseline has 2"),
        ([1, 2, 3], [0, 1, 1], {"strata": ["a", "b", math.nan]}, "strata has missing"),
        ([1, 2, 3], [0, 1, 1], {"n_draws": 0}, "n_draws must be"),
    ],
)
def test_impossible_input(y, arm, options, message):
    with pytest.raises(ValueError, match=message):
        rerandomisation_test(y, arm, rng=unused(), **options)


def test_impossible_family():
    with pytest.raises(ValueError, match="baseline has shape"):
        max_t(np.zeros((4, 2)), [0, 1, 0, 1], baseline=np.zeros((4, 1)), rng=unused())
    with pytest.raises(ValueError, match="Y must have 2"):
        max_t(np.zeros(4), [0, 1, 0, 1], rng=unused())
