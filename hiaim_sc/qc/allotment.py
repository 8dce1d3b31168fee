"""Amounts shared out over places that hold no more than so much, and whole numbers of them."""

from __future__ import annotations

import numpy as np


def share_out(
    wanted: np.ndarray, limit: np.ndarray, weight: np.ndarray, group: np.ndarray
) -> np.ndarray:
    r"""What each place gives so that each group's places give together what is wanted of it.

    Places give by their weight, and one that has less gives all it has:
    :math:`r_i = \min(l_i, \lambda_g w_i)` with :math:`\sum_{i \in g} r_i = W_g`. The level
    :math:`\lambda_g` rises until no further place is emptied. A group that has less than what is
    wanted gives all; a place without weight gives nothing.

    Parameters
    ----------
    wanted
        (n_groups,) what the places of a group give together.
    limit, weight
        (n_places,) what a place has at most, and its weight, 0 or above.
    group
        (n_places,) group of each place, from 0.

    Returns
    -------
    (n_places,) float.

    Examples
    --------
    >>> places = np.array([1.0, 9.0]), np.array([1.0, 1.0]), np.array([0, 0])
    >>> share_out(np.array([4.0]), *places).tolist()
    [1.0, 3.0]
    """
    n_groups = len(wanted)
    is_empty = np.zeros(len(limit), dtype=bool)
    free = np.bincount(group, weight, n_groups)
    level = np.divide(wanted, free, out=np.zeros(n_groups), where=free > 0)
    while True:
        emptied = ~is_empty & (limit <= level[group] * weight)
        if not emptied.any():
            return np.where(is_empty, limit, level[group] * weight)
        is_empty |= emptied
        given = np.bincount(group, np.where(is_empty, limit, 0.0), n_groups)
        left = np.maximum(wanted - given, 0.0)
        has_place = np.bincount(group, ~is_empty & (weight > 0), n_groups) > 0
        free = np.bincount(group, np.where(is_empty, 0.0, weight), n_groups)
        level = np.divide(left, free, out=level, where=has_place)


def round_in_turn(amount: np.ndarray, group: np.ndarray, start: np.ndarray) -> np.ndarray:
    r"""Whole numbers that add up, within each group, to its amounts but for less than one.

    Systematic sampling: with :math:`C_i` the group's amounts below one added up to place i, a
    place gets one more than its whole part where :math:`\lfloor C_i + s_g \rfloor` is above
    :math:`\lfloor C_{i-1} + s_g \rfloor`. With :math:`s_g` uniform in [0, 1) each place gets its
    amount on average.

    Parameters
    ----------
    amount
        (n_places,) the places of a group one after the other.
    group
        (n_places,) group of each place, from 0.
    start
        (n_groups,) :math:`s_g`.

    Returns
    -------
    (n_places,) int64, none below the amount's whole part or beyond the next.

    Examples
    --------
    >>> round_in_turn(np.array([0.5, 0.5, 2.5]), np.array([0, 0, 0]), np.array([0.0])).tolist()
    [0, 1, 2]
    """
    whole = np.floor(amount)
    part = amount - whole
    reached = np.cumsum(part)
    first = np.flatnonzero(np.diff(group, prepend=-1))
    earlier = (reached - part)[first] - start[group[first]]
    now = np.floor(reached - np.repeat(earlier, np.diff(first, append=len(group))))
    then = np.roll(now, 1)
    then[first] = 0.0
    # a whole amount stays as it is, also where a sum is a last digit too high
    return (whole + np.clip(now - then, 0, part > 0)).astype(np.int64)
