"""The parts of a read that is not without fault, found in its packed bases (compiled).

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

# primer A, tag A, annealing region, tag B, primer B
N_PARTS: Final = 5
SAMPLE: Final = 5
N_A: Final = 6
N_B: Final = 7
START: Final = 8
N_FOUND: Final = 9
NONE: Final = -1
TIE: Final = -2
UNKNOWN: Final = -3

_LOW: Final = np.uint64(0x5555555555555555)
_ALL: Final = np.uint64(0xFFFFFFFFFFFFFFFF)


@kernel
def _slot(word: np.uint64, n_slots: int) -> np.int64:
    mixed = word * np.uint64(0x9E3779B97F4A7C15)
    return np.int64((mixed >> np.uint64(32)) & np.uint64(n_slots - 1))


@kernel
def fill_table(words: np.ndarray, keys: np.ndarray, places: np.ndarray) -> None:
    """Put words and their positions into an empty hash table whose size is a power of two."""
    for i in range(len(words)):
        slot = _slot(words[i], len(keys))
        while places[slot] >= 0:
            slot = (slot + 1) & (len(keys) - 1)
        keys[slot], places[slot] = words[i], i


@kernel
def _look_up(word: np.uint64, keys: np.ndarray, places: np.ndarray, part: int) -> int:
    n_slots = keys.shape[1]
    slot = _slot(word, n_slots)
    while places[part, slot] >= 0:
        if keys[part, slot] == word:
            return places[part, slot]
        slot = (slot + 1) & (n_slots - 1)
    return NONE


@kernel
def _window(packed: np.ndarray, start: int, length: int) -> np.uint64:
    """The bases from start on, 1 to 32."""
    w, shift = start >> 5, np.uint64(2 * (start & 31))
    found = packed[w] >> shift
    if shift:
        found |= packed[w + 1] << (np.uint64(64) - shift)
    return found & (_ALL >> np.uint64(64 - 2 * length))


@kernel
def _differences(one: np.uint64, other: np.uint64) -> np.uint64:
    """The lower bit of each base that differs."""
    bits = one ^ other
    return (bits | (bits >> np.uint64(1))) & _LOW


@kernel
def _count(bits: np.uint64) -> np.int64:
    """How many bits are set; in this form the compiler makes one instruction of it."""
    bits = bits - ((bits >> np.uint64(1)) & _LOW)
    pairs = np.uint64(0x3333333333333333)
    bits = (bits & pairs) + ((bits >> np.uint64(2)) & pairs)
    bits = (bits + (bits >> np.uint64(4))) & np.uint64(0x0F0F0F0F0F0F0F0F)
    return np.int64((bits * np.uint64(0x0101010101010101)) >> np.uint64(56))


@kernel
def _closest(found: np.uint64, unread: np.uint64, words: np.ndarray, most: int) -> int:
    """The one word with the fewest mismatches, at most so many; NONE, or TIE where two have."""
    place = NONE
    least: int | np.int64 = most + 1
    for i in range(len(words)):
        differing = _count(_differences(found, words[i]) | unread)
        if differing < least:
            least, place = differing, i
        elif differing == least and differing <= most:
            place = TIE
    return place


@kernel
def _gapped(front: np.uint64, back: np.uint64, words: np.ndarray, length: int, least: int) -> int:
    """The one word whose first bases are those of `front` and whose last are those of `back`.

    The two together must be at least so many; then at least one of the halves is without fault.
    """
    place = NONE
    lower = _ALL >> np.uint64(64 - 2 * (length // 2))
    upper = _ALL >> np.uint64(64 - 2 * length) & ~lower
    for i in range(len(words)):
        ahead, behind = front ^ words[i], back ^ words[i]
        if ahead & lower and behind & upper:
            continue
        n_ahead = n_behind = 0
        while n_ahead < length and not ahead >> np.uint64(2 * n_ahead) & np.uint64(3):
            n_ahead += 1
        while n_behind < length and not behind >> np.uint64(2 * (length - 1 - n_behind)) & (
            np.uint64(3)
        ):
            n_behind += 1
        if n_ahead + n_behind >= least:
            place = i if place == NONE else TIE
    return place


@kernel
def _shift(step: int) -> int:
    """0, 1, -1, 2, -2, ..."""
    return (step + 1) // 2 if step % 2 else -(step // 2)


@kernel
def _locate_exactly(
    read: tuple, expected: int, length: int, max_shift: int, tables: tuple, part: int
) -> tuple[int, int]:
    """The sequence that a read holds without fault, closest to where it is expected; its start."""
    packed, unread, n = read
    for step in range(2 * max_shift + 1):
        start = expected + _shift(step)
        if start >= 0 and start + length <= n and not _window(unread, start, length):
            place = _look_up(_window(packed, start, length), tables[0], tables[1], part)
            if place != NONE:
                return place, start
    return NONE, expected


@kernel
def _locate_closest(
    read: tuple, expected: int, length: int, limits: np.ndarray, words: np.ndarray
) -> tuple[int, int]:
    """The sequence that a read holds with the fewest mismatches; its start."""
    packed, unread, n = read
    for step in range(2 * limits[0] + 1):
        start = expected + _shift(step)
        if start >= 0 and start + length <= n:
            found, odd = _window(packed, start, length), _window(unread, start, length)
            place = _closest(found, odd, words, limits[1])
            if place != NONE:
                return place, start
    return NONE, expected


@kernel
def _locate_gapped(
    read: tuple, expected: int, length: int, max_shift: int, words: np.ndarray
) -> tuple[int, int, int]:
    """The sequence that a read holds with one base left out or in; its start and its end."""
    packed, unread, n = read
    for step in range(4 * max_shift + 2):
        change = 1 - 2 * (step % 2)
        start = expected + _shift(step // 2)
        if start + min(change, 0) < 0 or start + length + max(change, 0) > n:
            continue
        if _window(unread, start, length) | _window(unread, start + change, length):
            continue
        front, back = _window(packed, start, length), _window(packed, start + change, length)
        place = _gapped(front, back, words, length, length - (change < 0))
        if place != NONE:
            return place, start, start + length + change
    return NONE, expected, expected + length


@kernel
def _random_part(read: tuple, start: int, end: int, length: int) -> int | np.int64:
    """The bases of a random part as a number; NONE where they are too many, too few or unread."""
    if end - start != length or start < 0 or end > read[2] or _window(read[1], start, length):
        return NONE
    return np.int64(_window(read[0], start, length))


@kernel
def _find_with_faults(
    read: tuple, origin: int, plan: Plan, places: np.ndarray, found: np.ndarray
) -> None:
    """Find part by part; each is expected where the one before it ends. `places`: starts, ends."""
    spans, words, owners, limits = plan.spans, plan.words, plan.owners, plan.limits
    tables = plan.keys, plan.places
    at = origin + spans[0, 0]
    for part in range(N_PARTS):
        length, own = spans[part, 1], words[owners[part] : owners[part + 1]]
        place, start = _locate_exactly(read, at, length, limits[0], tables, part)
        if place == NONE:
            place, start = _locate_closest(read, at, length, limits, own)
        end = start + length
        if place == NONE:
            place, start, end = _locate_gapped(read, at, length, limits[0], own)
        found[part], places[part, 0], places[part, 1] = place, start, end
        if part < N_PARTS - 1:
            at = end + spans[part + 1, 0] - spans[part, 0] - length
    found[SAMPLE], found[START] = UNKNOWN, places[0, 0]
    found[N_A] = _random_part(read, places[0, 1], places[1, 0], spans[N_A, 1])
    found[N_B] = _random_part(read, places[3, 1], places[4, 0], spans[N_B, 1])


@njit(cache=True)
def find_parts(
    packed: np.ndarray,
    unread: np.ndarray,
    lengths: np.ndarray,
    which: np.ndarray,
    backwards: bool,  # noqa: FBT001  compiled code takes no keywords
    plan: Plan,
    found: np.ndarray,
) -> None:
    """Fill in what reads hold that are not without fault.

    A part is taken without fault at the shift closest to where it is expected, else with the fewest
    mismatches, else with one base left out or in.

    Parameters
    ----------
    packed, unread, lengths
        The reads; reverse complements where `backwards`, whose end is then that of the whole.
    which
        Positions of the reads to be looked at.
    plan
        What is looked for.
    found
        (n_reads, N_FOUND) int32: position of each part's sequence, NONE or TIE; at N_A and N_B the
        random parts as numbers, or NONE; at SAMPLE UNKNOWN, and at START where primer A begins, in
        front of which the sample tag is to be looked for.
    """
    whole = plan.spans[N_PARTS - 1].sum()
    places = np.empty((N_PARTS, 2), np.int64)
    for i in which:
        n = lengths[i]
        origin = n - whole if backwards else 0
        _find_with_faults((packed[i], unread[i], n), origin, plan, places, found[i])
