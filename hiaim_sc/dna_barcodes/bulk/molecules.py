"""Distinct molecules and the reads of each, in memory that grows with molecules, not with reads."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from hiaim_sc.dna_barcodes.bulk.compiled import kernel

_LEAST_WAITING: Final = 1 << 20


class Molecules:
    """Molecules seen so far; a molecule is a whole number."""

    def __init__(self) -> None:
        self._keys = np.empty(0, dtype=np.int64)
        self._n_reads = np.empty(0, dtype=np.int64)
        self._waiting: list[np.ndarray] = []
        self._n_waiting = 0

    def add(self, keys: np.ndarray) -> None:
        """Count one read for each of these molecules."""
        self._waiting.append(keys)
        self._n_waiting += len(keys)
        if self._n_waiting > max(_LEAST_WAITING, len(self._keys) // 2):
            self._settle()

    def counts(self) -> tuple[np.ndarray, np.ndarray]:
        """Molecules, ascending, and the number of reads of each."""
        self._settle()
        return self._keys, self._n_reads

    def _settle(self) -> None:
        if self._n_waiting:
            new = np.sort(np.concatenate(self._waiting))
            self._keys, self._n_reads = _merge(self._keys, self._n_reads, new)
            self._waiting, self._n_waiting = [], 0


@njit(cache=True)
def _merge(keys: np.ndarray, n_reads: np.ndarray, new: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Sorted molecules with their reads, and sorted reads, as sorted molecules with their reads."""
    merged = np.empty(len(keys) + len(new), dtype=np.int64)
    counts = np.zeros(len(merged), dtype=np.int64)
    n, i, j = -1, 0, 0
    while i < len(keys) or j < len(new):
        is_old = j == len(new) or (i < len(keys) and keys[i] <= new[j])
        key = keys[i] if is_old else new[j]
        if n < 0 or merged[n] != key:
            n += 1
            merged[n] = key
        if is_old:
            counts[n] += n_reads[i]
            i += 1
        else:
            counts[n] += 1
            j += 1
    return merged[: n + 1].copy(), counts[: n + 1].copy()


def count_distinct(
    groups: np.ndarray, n12: np.ndarray, n_reads: np.ndarray, n_bases: int
) -> np.ndarray:
    """Whether each molecule is one of its own, not another one's with a base read wrong.

    Directional: the most frequent molecule of a group takes in those that differ from it in one
    base and have at most half its reads (n2 <= (n1 + 1) / 2); so does each that was taken in; then
    the next most frequent one.

    Parameters
    ----------
    groups, n12
        Sorted by group, then random parts; the random parts as numbers, two bits a base.
    n_reads
        Reads of each.
    n_bases
        Bases of the random parts.

    References
    ----------
    Smith, Heger and Sudbery 2017, doi:10.1101/gr.209601.116.
    """
    order = np.lexsort((n12, -n_reads, groups))
    bounds = np.flatnonzero(np.diff(groups, prepend=-1, append=-1))
    return _take_in(order, bounds, n12, n_reads, n_bases)


@kernel
def _find(values: np.ndarray, first: int, last: int, value: int) -> int:
    """Position of a value among ascending ones from first to before last; -1 where it is not."""
    end = last
    while first < last:
        middle = (first + last) // 2
        if values[middle] < value:
            first = middle + 1
        else:
            last = middle
    return first if first < end and values[first] == value else -1


@njit(cache=True)
def _take_in(
    order: np.ndarray, bounds: np.ndarray, n12: np.ndarray, n_reads: np.ndarray, n_bases: int
) -> np.ndarray:
    is_own, is_taken = np.zeros(len(order), np.bool_), np.zeros(len(order), np.bool_)
    waiting = np.empty(len(order), dtype=np.int64)
    for group in range(len(bounds) - 1):
        first, last = bounds[group], bounds[group + 1]
        for at in order[first:last]:
            if is_taken[at]:
                continue
            is_own[at] = is_taken[at] = True
            waiting[0], n_waiting = at, 1
            while n_waiting:
                n_waiting -= 1
                one = waiting[n_waiting]
                for change in range(3 * n_bases):
                    bits = np.int64(change % 3 + 1) << np.int64(2 * (change // 3))
                    other = _find(n12, first, last, n12[one] ^ bits)
                    if other < 0 or is_taken[other] or 2 * n_reads[other] - 1 > n_reads[one]:
                        continue
                    is_taken[other] = True
                    waiting[n_waiting] = other
                    n_waiting += 1
    return is_own
