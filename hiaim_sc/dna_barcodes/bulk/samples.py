"""Sample tags of reads that are not without fault (compiled).

These kernels call none of another file: numba's cache sees the changes of one file only.
"""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

NONE: Final = -1
TIE: Final = -2
_MOST_TAGS_ALIGNED: Final = 1000
_UNREAD: Final = np.uint8(4)


@njit(cache=True)
def _n_mismatches(bases: np.ndarray, tag: np.ndarray) -> int:
    n = 0
    for i in range(len(tag)):
        n += bases[i] != tag[i]
    return n


@njit(cache=True)
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


@njit(cache=True)
def _closest(bases: np.ndarray, tags: np.ndarray) -> tuple[int, int]:
    """The one tag with the fewest mismatches, or TIE, and its score; bases are as many."""
    best, place = -1, NONE
    for i in range(len(tags)):
        score = tags.shape[1] - 2 * _n_mismatches(bases, tags[i])
        if score > best:
            best, place = score, i
        elif score == best:
            place = TIE
    return place, best


@njit(cache=True)
def _choose(bases: np.ndarray, tags: np.ndarray, row: np.ndarray) -> int:
    """The tag these bases are; else the one that aligns best, if its score is above 0.

    Of bases as many as the tag's, none or one mismatch scores more than any gap.
    """
    is_aligned, length = len(tags) < _MOST_TAGS_ALIGNED, tags.shape[1]
    if len(bases) == length:
        place, best = _closest(bases, tags)
        if best == length or (best == length - 2 and is_aligned):
            return place
    if not is_aligned:
        return NONE
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
    tags: np.ndarray,
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
    tags
        (n_tags, length) the codes of the tags' bases.
    """
    found = np.empty(len(spans), dtype=np.int32)
    row = np.empty(tags.shape[1] + 1, dtype=np.int64)
    bases = np.empty(tags.shape[1] + slack, dtype=np.uint8)
    for i in range(len(spans)):
        end = min(spans[i, 1], 32 * (packed.shape[1] - 1))
        start = max(spans[i, 0], end - len(bases), 0)
        for at in range(start, end):
            word, shift = at // 32, np.uint64(2 * (at % 32))
            code = np.uint8(packed[i, word] >> shift & np.uint64(3))
            is_odd = unread[i, word] >> shift & np.uint64(1)
            bases[at - start] = _UNREAD if is_odd else code
        found[i] = _choose(bases[: max(end - start, 0)], tags, row)
    return found
