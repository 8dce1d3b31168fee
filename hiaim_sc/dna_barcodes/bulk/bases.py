"""Reads packed, two bits a base (compiled).

Bases are packed 32 to a word, the first in the lowest bits; A, C, T, G are 0, 1, 2, 3, so that a
base and its complement differ in the upper bit. These kernels call none of another file: numba's
cache sees the changes of one file only.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from hiaim_sc.dna_barcodes.bulk.compiled import kernel

_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)


@njit(cache=True)
def pack_reads(
    text: np.ndarray,
    spans: np.ndarray,
    backwards: bool,  # noqa: FBT001  compiled code takes no keywords
    packed: np.ndarray,
    unread: np.ndarray,
    lengths: np.ndarray,
) -> None:
    """Pack the beginning of each read, as far as there is room.

    Parameters
    ----------
    text, spans
        As `hiaim_sc.dna_barcodes.bulk.fastq.Reads` has them; eight bytes behind the last base
        belong to `text`.
    backwards
        Pack the reverse complement of these bases.
    packed
        (n_reads, n_words) uint64 to be filled in; the last word stays free.
    unread
        The same: the lower bit of each base that is none of A, C, G, T; its last word is 1 where
        there is any.
    lengths
        (n_reads,) how many bases were packed.
    """
    n_words = packed.shape[1] - 1
    for i in range(len(spans)):
        n = min(spans[i, 3], 32 * n_words)
        lengths[i] = n
        is_read = _pack(text, spans[i, 2], n, packed[i], unread[i])
        if backwards:
            _turn(packed[i], unread[i], n)
        unread[i, n_words] = not is_read


@kernel
def _pack(text: np.ndarray, start: int, n: int, packed: np.ndarray, unread: np.ndarray) -> bool:
    """Pack n bases, eight at a time; whether all of them were read. Lower case counts as upper."""
    eights = text[start : start + 8 * ((n + 7) // 8)].view(np.uint64)
    quarter = packed.view(np.uint16)
    odd = np.uint64(0)
    for i in range(len(eights)):
        code = (eights[i] >> np.uint64(1)) & np.uint64(0x0303030303030303)
        code = (code | code >> np.uint64(6)) & np.uint64(0x000F000F000F000F)
        code = (code | code >> np.uint64(12)) & np.uint64(0x000000FF000000FF)
        quarter[i] = np.uint16(code | code >> np.uint64(24))
    for i in range(n // 8):
        odd |= _find_odd(eights[i])
    if n % 8:
        odd |= _find_odd(eights[n // 8]) & (_ALL >> np.uint64(64 - 8 * (n % 8)))
    unread[:] = 0
    if odd:
        for i in range(n):
            is_odd = _find_odd(np.uint64(text[start + i])) & np.uint64(0xFF) != 0
            unread[i // 32] |= np.uint64(is_odd) << np.uint64(2 * (i % 32))
    return not odd


@kernel
def _find_odd(eight: np.uint64) -> np.uint64:
    """Not 0 in each byte that is none of A, C, G, T: it differs from the letter of its two bits."""
    ones = np.uint64(0x0101010101010101)
    low, high = eight >> np.uint64(1) & ones, eight >> np.uint64(2) & ones
    letter = np.uint64(0x41) * ones + np.uint64(2) * low + np.uint64(0x13) * high
    letter -= np.uint64(0x0F) * (low & high)
    return (eight & np.uint64(0xDF) * ones) ^ letter


@njit(cache=True)
def _turn(packed: np.ndarray, unread: np.ndarray, n: int) -> None:
    """Make n packed bases their reverse complement."""
    forward, odd = packed.copy(), unread.copy()
    packed[:] = 0
    unread[:] = 0
    for i in range(n):
        at, shift = (n - 1 - i) // 32, np.uint64(2 * ((n - 1 - i) % 32))
        base = (forward[at] >> shift & np.uint64(3)) ^ np.uint64(2)
        packed[i // 32] |= base << np.uint64(2 * (i % 32))
        unread[i // 32] |= (odd[at] >> shift & np.uint64(1)) << np.uint64(2 * (i % 32))
