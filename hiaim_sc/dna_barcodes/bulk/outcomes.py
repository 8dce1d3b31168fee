"""What becomes of each read, from the parts found in it (compiled)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from hiaim_sc.dna_barcodes.bulk.compiled import kernel

# Every read has one of these outcomes: the first that holds, from `too_short` on.
OUTCOMES: Final = {
    "counted": "sample tag and both epitope tags are known, and so is the molecule (N12)",
    "counted_without_n12": "as counted, but a random part is of another length or not read",
    "too_short": "the read ends before tag B does",
    "no_constant_parts": "fewer than two of primer A, annealing region and primer B are found",
    "no_tag_a": "no epitope tag A is found",
    "tie_tag_a": "two epitope tags A fit as well",
    "no_tag_b": "no epitope tag B is found",
    "tie_tag_b": "two epitope tags B fit as well",
    "no_sample_tag": "no sample tag is found",
    "tie_sample_tag": "two sample tags fit as well",
}
# Positions in `OUTCOMES`: of the first three, and of what is said of a tag that is missing.
_COUNTED: Final = 0
_WITHOUT_N12: Final = 1
_TOO_SHORT: Final = 2
_NO_CONSTANTS: Final = 3
_NO_TAG_A: Final = 4
_NO_TAG_B: Final = 6
_NO_SAMPLE: Final = 8

_LEAST_CONSTANTS: Final = 2
_NONE: Final = -1


@njit(cache=True)
def has_constants(found: np.ndarray) -> np.ndarray:
    """Whether at least two of the three constant parts of each read are found."""
    has = np.empty(len(found), np.bool_)
    for i in range(len(found)):
        n = (found[i, 0] >= 0) + (found[i, 2] >= 0) + (found[i, 4] >= 0)
        has[i] = n >= _LEAST_CONSTANTS
    return has


@kernel
def _missing(place: int, outcome: int) -> int:
    """What is said of a tag that is not found, or of one that is a tie."""
    return outcome if place == _NONE else outcome + 1


@kernel
def _classify(found: np.ndarray, i: int) -> int:
    tag_a, tag_b, sample = found[i, 1], found[i, 3], found[i, 5]
    if tag_a < 0:
        return _missing(tag_a, _NO_TAG_A)
    if tag_b < 0:
        return _missing(tag_b, _NO_TAG_B)
    if sample < 0:
        return _missing(sample, _NO_SAMPLE)
    return _COUNTED if found[i, 6] >= 0 and found[i, 7] >= 0 else _WITHOUT_N12


@njit(cache=True)
def conclude(
    found: np.ndarray, is_long: np.ndarray, sizes: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """How many reads have each outcome, and the molecules of those that count.

    A molecule is one number: sample tag, tag A, tag B and N12; N12 from 1 on, 0 where it is not
    known.

    Parameters
    ----------
    found
        (n_reads, N_FOUND) int32, as `hiaim_sc.dna_barcodes.bulk.parts.find_parts` fills it in.
    is_long
        (n_reads,) whether each is long enough to hold both tags.
    sizes
        Number of tags A and of tags B, lengths of the random parts A and B.
    """
    n_of_outcome = np.zeros(_NO_SAMPLE + 2, np.int64)
    numbers, n = np.empty(len(found), np.int64), 0
    has = has_constants(found)
    for i in range(len(found)):
        outcome = _NO_CONSTANTS if is_long[i] else _TOO_SHORT
        if is_long[i] and has[i]:
            outcome = _classify(found, i)
        n_of_outcome[outcome] += 1
        if outcome > _WITHOUT_N12:
            continue
        group = (np.int64(found[i, 5]) * sizes[0] + found[i, 1]) * sizes[1] + found[i, 3]
        n12 = np.int64(0)
        if outcome == _COUNTED:
            n12 = (np.int64(found[i, 6]) << (2 * sizes[3])) + found[i, 7] + 1
        numbers[n] = (group << (2 * (sizes[2] + sizes[3]) + 1)) + n12
        n += 1
    return n_of_outcome, numbers[:n]
