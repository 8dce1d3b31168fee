"""Where the reads lie in a block of FASTQ text (compiled)."""

from __future__ import annotations

from typing import Final

import numpy as np
from numba import njit

from hiaim_sc.dna_barcodes.bulk.compiled import kernel

NEWLINE: Final = 10
_RETURN: Final = 13
_AT: Final = 64
_PLUS: Final = 43

# What is wrong with a record, by its code.
RECORD_FAULTS: Final = {
    1: "its first line does not begin with @",
    2: "its third line does not begin with +",
    3: "its qualities are not as many as its bases",
    4: "it is cut off: the file ends within it",
}


@kernel
def _find_newline(text: np.ndarray, start: int, end: int, guess: int) -> int:
    """Position of the next newline, or `end`; it is looked for at start + guess first."""
    at = start + guess
    if at < end and text[at] == NEWLINE:
        line, seen = text[start:at], np.uint8(0)
        for i in range(len(line)):
            seen |= np.uint8(line[i] == NEWLINE)
        if not seen:
            return at
    for i in range(start, end):
        if text[i] == NEWLINE:
            return i
    return end


@kernel
def _length(text: np.ndarray, start: int, newline: int) -> int:
    """Length of a line that ends in LF or CR LF."""
    if newline > start and text[newline - 1] == _RETURN:
        return newline - 1 - start
    return newline - start


@kernel
def _find_lines(
    text: np.ndarray, start: int, end: int, ends: np.ndarray, guesses: np.ndarray
) -> bool:
    """Whether the text holds four whole lines; `ends` then has theirs, `guesses` their lengths."""
    line = start
    for i in range(4):
        ends[i] = _find_newline(text, line, end, guesses[1] if i == 3 else guesses[i])
        if ends[i] == end:
            return False
        guesses[i] = ends[i] - line
        line = ends[i] + 1
    return True


@kernel
def _find_fault(text: np.ndarray, start: int, ends: np.ndarray) -> int:
    if text[start] != _AT:
        return 1
    if text[ends[1] + 1] != _PLUS:
        return 2
    n_bases, n_qualities = _length(text, ends[0] + 1, ends[1]), _length(text, ends[2] + 1, ends[3])
    return 3 if n_bases != n_qualities else 0


@njit(cache=True)
def split_records(text: np.ndarray, n_filled: int, spans: np.ndarray) -> tuple[int, int, int]:
    """Find the whole records at the beginning of a block.

    Parameters
    ----------
    text
        (n,) uint8; lines end in LF or CR LF, also mixed. Empty lines before a record are passed
        over.
    n_filled
        How much of `text` holds anything.
    spans
        (n_most, 4) int64 to be filled in: start and length of the name, start and length of the
        bases.

    Returns
    -------
    tuple
        How many records were found, how much of the block they take, and the code of what is wrong
        with the next one (`RECORD_FAULTS`), 0 if nothing.
    """
    ends, guesses = np.empty(4, dtype=np.int64), np.zeros(4, dtype=np.int64)
    n, at = 0, 0
    while n < len(spans):
        while at < n_filled and (text[at] == NEWLINE or text[at] == _RETURN):
            at += 1
        if not _find_lines(text, at, n_filled, ends, guesses):
            break
        fault = _find_fault(text, at, ends)
        if fault:
            return n, at, fault
        spans[n, 0], spans[n, 1] = at + 1, _length(text, at + 1, ends[0])
        spans[n, 2], spans[n, 3] = ends[0] + 1, _length(text, ends[0] + 1, ends[1])
        n, at = n + 1, ends[3] + 1
    return n, at, 0


@kernel
def find_unpaired(
    text_1: np.ndarray, spans_1: np.ndarray, text_2: np.ndarray, spans_2: np.ndarray
) -> int:
    """Position of the first pair whose names differ before a blank or a last /1 and /2, or -1."""
    for i in range(len(spans_1)):
        length = _name_length(text_1, spans_1[i, 0], spans_1[i, 1])
        if length != _name_length(text_2, spans_2[i, 0], spans_2[i, 1]):
            return i
        for j in range(length):
            if text_1[spans_1[i, 0] + j] != text_2[spans_2[i, 0] + j]:
                return i
    return -1


@kernel
def _name_length(text: np.ndarray, start: int, length: int) -> int:
    for j in range(length):
        if text[start + j] == 32 or text[start + j] == 9:
            length = j
            break
    last = start + length - 1
    if length > 2 and text[last - 1] == 47 and (text[last] == 49 or text[last] == 50):
        return length - 2
    return length
