"""Reads in which every part stands where it is expected, without fault (compiled).

`packed` and `unread` are as `hiaim_sc.dna_barcodes.bulk.bases.pack_reads` makes them. These kernels
call none of another file: numba's cache sees the changes of one file only.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
from numba import njit

from hiaim_sc.dna_barcodes.bulk.compiled import kernel

if TYPE_CHECKING:
    from hiaim_sc.dna_barcodes.bulk.plan import Plan

_LAST: Final = 4  # primer B
_N_A: Final = 6
_N_B: Final = 7
_NONE: Final = -1
_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)


@kernel
def _window(packed: np.ndarray, i: int, start: int, length: int) -> np.uint64:
    """The bases of read i from start on, 1 to 32."""
    w, shift = start >> 5, np.uint64(2 * (start & 31))
    found = packed[i, w] >> shift
    if shift:
        found |= packed[i, w + 1] << (np.uint64(64) - shift)
    return found & (_ALL >> np.uint64(64 - 2 * length))


@kernel
def _look_up(word: np.uint64, keys: np.ndarray, places: np.ndarray, part: int) -> int:
    """As the table was filled by `hiaim_sc.dna_barcodes.bulk.parts.fill_table`."""
    n_slots = keys.shape[1]
    mixed = word * np.uint64(0x9E3779B97F4A7C15)
    slot = np.int64((mixed >> np.uint64(32)) & np.uint64(n_slots - 1))
    while places[part, slot] >= 0:
        if keys[part, slot] == word:
            return places[part, slot]
        slot = (slot + 1) & (n_slots - 1)
    return _NONE


@njit(cache=True)
def find_exact(
    packed: np.ndarray,
    unread: np.ndarray,
    lengths: np.ndarray,
    backwards: bool,  # noqa: FBT001  compiled code takes no keywords
    plan: Plan,
    found: np.ndarray,
) -> np.ndarray:
    """Fill in what the reads without fault hold; positions of the other reads.

    Parameters
    ----------
    packed, unread, lengths
        The reads; reverse complements where `backwards`, whose end is then that of the whole.
    plan
        What is looked for.
    found
        (n_reads, N_FOUND) int32, as `hiaim_sc.dna_barcodes.bulk.parts.find_parts` has it.
    """
    spans, keys, places = plan.spans, plan.keys, plan.places
    whole, free = spans[_LAST].sum(), packed.shape[1] - 1
    others, n_others = np.empty(len(lengths), np.int64), 0
    for i in range(len(lengths)):
        origin = lengths[i] - whole if backwards else 0
        is_exact = not unread[i, free] and origin >= 0 and origin + whole <= lengths[i]
        part = 0
        while is_exact and part < _N_A:
            word = _window(packed, i, origin + spans[part, 0], spans[part, 1])
            found[i, part] = _look_up(word, keys, places, part)
            is_exact = found[i, part] != _NONE
            part += 1
        if is_exact:
            for part in (_N_A, _N_B):
                word = _window(packed, i, origin + spans[part, 0], spans[part, 1])
                found[i, part] = np.int64(word)
        else:
            others[n_others] = i
            n_others += 1
    return others[:n_others]
