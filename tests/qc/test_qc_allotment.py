"""Amounts shared out over places that hold so much: against a search for the level, and whole."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.optimize import brentq

from hiaim_sc.qc.allotment import round_in_turn, share_out

PLACES = st.lists(st.tuples(st.integers(0, 20), st.floats(0.01, 50)), min_size=1, max_size=12)


def search_level(wanted, limit, weight):
    """What the places give, the level found by bisection."""

    def given_at(level):
        return np.minimum(limit, level * weight)

    if wanted >= limit.sum():
        return limit
    highest = (limit / weight).max() + 1
    return given_at(brentq(lambda x: given_at(x).sum() - wanted, 0, highest, xtol=1e-13))


@given(groups=st.lists(PLACES, min_size=1, max_size=4), share=st.floats(0, 1.2))
def test_each_group_gives_by_the_level_at_which_it_gives_what_is_wanted(groups, share):
    limits = [np.array([limit for limit, _ in places], dtype=float) for places in groups]
    weights = [np.array([weight for _, weight in places]) for places in groups]
    wanted = np.array([share * limit.sum() for limit in limits])
    group = np.repeat(np.arange(len(groups)), [len(places) for places in groups])
    found = share_out(wanted, np.concatenate(limits), np.concatenate(weights), group)
    expected = map(search_level, wanted, limits, weights)
    np.testing.assert_allclose(found, np.concatenate(list(expected)), rtol=1e-8, atol=1e-8)


def test_a_place_that_has_less_gives_all_and_the_others_more():
    found = share_out(
        np.array([6.0, 2.0]),
        np.array([1.0, 20.0, 2.5, 5.0, 5.0]),
        np.array([1.0, 1.0, 1.0, 1.0, 3.0]),
        np.array([0, 0, 0, 1, 1]),
    )
    assert found.tolist() == [1.0, 2.5, 2.5, 0.5, 1.5]


def test_without_weight_nothing_is_given_and_no_more_than_there_is():
    limit, group = np.array([5.0, 2.0, 3.0]), np.array([0, 0, 1])
    found = share_out(np.array([4.0, 1.0]), limit, np.array([0.0, 1.0, 0.0]), group)
    assert found.tolist() == [0.0, 2.0, 0.0]


@given(
    amount=st.lists(st.floats(0, 5), min_size=1, max_size=40),
    n_groups=st.integers(1, 4),
    start=st.lists(st.floats(0, 1, exclude_max=True), min_size=4, max_size=4),
)
def test_whole_numbers_are_near_each_amount_and_each_groups_sum(amount, n_groups, start):
    amount = np.array(amount)
    group = np.arange(len(amount)) * n_groups // len(amount)
    found = round_in_turn(amount, group, np.array(start))
    assert found.dtype == np.int64
    assert ((found == np.floor(amount)) | (found == np.floor(amount) + 1)).all()
    assert (found[amount == np.floor(amount)] == amount[amount == np.floor(amount)]).all()
    of_group = np.bincount(group, found - amount, n_groups)
    assert (np.abs(of_group) < 1 + 1e-9).all()


def test_over_all_starts_each_place_gets_its_amount():
    amount, group = np.array([0.3, 0.25, 1.7, 0.05, 0.6]), np.array([0, 0, 0, 2, 2])
    starts = (np.arange(2000) + 0.5) / 2000
    found = [round_in_turn(amount, group, np.full(3, start)) for start in starts]
    assert np.mean(found, axis=0) == pytest.approx(amount, abs=1e-3)


def test_no_place_is_no_fault():
    nothing, nowhere = np.zeros(0), np.zeros(0, dtype=np.int64)
    assert share_out(np.array([1.0]), nothing, nothing, nowhere).size == 0
    assert round_in_turn(nothing, nowhere, np.array([0.5])).size == 0
