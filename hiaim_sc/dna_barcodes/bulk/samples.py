"""Sample tags of reads that are not without fault (compiled).

These kernels call none of another file: numba's cache sees the changes of one file only.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from hiaim_sc.dna_barcodes.bulk.compiled import kernel

NONE: Final = -1
TIE: Final = -2
_MOST_TAGS_ALIGNED: Final = 1000
_UNREAD: Final = np.uint8(4)
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
def _closest(found: np.uint64, words: np.ndarray, most: int) -> int:
    """The one word with the fewest mismatches, at most so many; NONE, or TIE where two have."""
    place, least = NONE, most + 1
    for i in range(len(words)):
        bits = found ^ words[i]
        bits = (bits | (bits >> np.uint64(1))) & np.uint64(0x5555555555555555)
        differing = 0
        while bits and differing <= least:
            bits &= bits - np.uint64(1)
            differing += 1
        if differing < least:
            place, least = i, differing
        elif differing == least and differing <= most:
            place = TIE
    return place


@kernel
def _align(bases: np.ndarray, tag: np.ndarray, row: np.ndarray) -> int:
    """Score of the best global alignment: match 1, mismatch -1, gap -1 a base."""
    for j in range(len(row)):
        row[j] = -j
    for i in range(len(bases)):
        diagonal, row[0] = row[0], -i - 1
        for j in range(1, len(row)):
            match = 1 if bases[i] == tag[j - 1] else -1
            score = max(diagonal + match, row[j] - 1, row[j - 1] - 1)
            diagonal, row[j] = row[j], score
    return row[-1]


@kernel
def _best_aligned(bases: np.ndarray, tags: np.ndarray, row: np.ndarray) -> int:
    """The tag that aligns best, if its score is above 0."""
    best, place = 0, NONE
    for i in range(len(tags)):
        score = _align(bases, tags[i], row)
        if score > best:
            best, place = score, i
        elif score == best and place != NONE:
            place = TIE
    return place


@njit(cache=True)
def find_samples(
    packed: np.ndarray,
    unread: np.ndarray,
    spans: np.ndarray,
    words: np.ndarray,
    length: int,
    slack: int,
) -> np.ndarray:
    """Position of each read's sample tag; NONE, or TIE where two align as well.

    With 1,000 tags and more only bases without fault count: too many tags are close to each other.

    Parameters
    ----------
    packed, unread
        The reads.
    spans
        (n_reads, 2) where the bases begin and end that can be the tag; of more than the tag's
        length and `slack` the last ones.
    words, length
        The tags, packed, and how many bases they have.
    """
    found = np.empty(len(spans), dtype=np.int32)
    # of bases as many as the tag's, none or one mismatch scores more than any gap
    most = 1 if len(words) < _MOST_TAGS_ALIGNED else 0
    row = np.empty(length + 1, dtype=np.int64)
    bases = np.empty(length + slack, dtype=np.uint8)
    tags = np.empty((len(words), length), dtype=np.uint8)
    for j in range(length):
        tags[:, j] = ((words >> np.uint64(2 * j)) & np.uint64(3)).astype(np.uint8)
    for i in range(len(spans)):
        end = min(spans[i, 1], 32 * (packed.shape[1] - 1))
        start = max(spans[i, 0], end - len(bases), 0)
        found[i] = NONE
        if end - start == length and not _window(unread, i, start, length):
            found[i] = _closest(_window(packed, i, start, length), words, most)
        if found[i] != NONE or not most:
            continue
        for at in range(start, end):
            word, shift = at // 32, np.uint64(2 * (at % 32))
            code = np.uint8(packed[i, word] >> shift & np.uint64(3))
            is_odd = unread[i, word] >> shift & np.uint64(1)
            bases[at - start] = _UNREAD if is_odd else code
        found[i] = _best_aligned(bases[: max(end - start, 0)], tags, row)
    return found
