"""What becomes of each read: its outcome, and the molecule it counts for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hiaim_sc.dna_barcodes.bulk.bases import pack_reads
from hiaim_sc.dna_barcodes.bulk.parts import (
    N_A,
    N_B,
    N_FOUND,
    N_PARTS,
    NONE,
    SAMPLE,
    START,
    TIE,
    UNKNOWN,
    find_parts,
)
from hiaim_sc.dna_barcodes.bulk.samples import find_samples

if TYPE_CHECKING:
    from hiaim_sc.dna_barcodes.bulk.fastq import Reads
    from hiaim_sc.dna_barcodes.bulk.plan import Plan

    type Found = np.ndarray[tuple[int, int], np.dtype[np.int32]]

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
_TAG_A: Final = 1
_TAG_B: Final = 3
_CONSTANTS: Final = (0, 2, 4)
_LEAST_CONSTANTS: Final = 2


class Matcher:
    """Matches blocks of reads with a plan.

    Parameters
    ----------
    plan
        Layout and tags.
    """

    def __init__(self, plan: Plan) -> None:
        self._plan = plan
        shift = int(plan.limits[0])
        self._whole = int(plan.spans[N_PARTS - 1].sum())
        # every part may be shifted, and the beginning of a read may be cut
        self._n_words = -(-(self._whole + (N_PARTS + 1) * (shift + 1)) // 32) + 1
        slack = np.array([shift, -shift])
        spans = plan.spans[[_TAG_A, _TAG_B]]
        # from where to where tag A and tag B reach, at their most favourable
        self._reach = np.column_stack([spans[:, 0], spans.sum(axis=1)]) + slack
        tags = plan.sample_words[:, None] >> (2 * np.arange(plan.spans[SAMPLE, 1], dtype=np.uint64))
        self._sample_tags = (tags & np.uint64(3)).astype(np.uint8)

    def match(self, reads: Reads) -> tuple[np.ndarray, Found]:
        """Outcome of each read, as a position in `OUTCOMES`, and what was found in it.

        A read with fewer than two constant parts is looked at from its other end, too.
        """
        found = self._look(reads.text, reads.spans, backwards=False)
        again = np.flatnonzero(_n_constants(found) < _LEAST_CONSTANTS)
        if len(again):
            turned = self._look(reads.text, reads.spans[again], backwards=True)
            is_better = _n_constants(turned) >= _LEAST_CONSTANTS
            found[again[is_better]] = turned[is_better]
        return _classify(found, reads.spans[:, 3] < self._reach[-1, 1]), found

    def match_pairs(self, first: Reads, second: Reads) -> tuple[np.ndarray, Found]:
        """Outcome of each pair: the first mate speaks, the second for what the first lacks."""
        found = self._look_at_pairs(first, second, np.arange(len(first.spans)))
        again = np.flatnonzero(_n_constants(found) < _LEAST_CONSTANTS)
        if len(again):
            turned = self._look_at_pairs(second, first, again)
            is_better = _n_constants(turned) >= _LEAST_CONSTANTS
            found[again[is_better]] = turned[is_better]
        n_first, n_second = first.spans[:, 3], second.spans[:, 3]
        is_long = self._covers(n_first, n_second) | self._covers(n_second, n_first)
        return _classify(found, ~is_long), found

    def _covers(self, n_forward: np.ndarray, n_backward: np.ndarray) -> np.ndarray:
        """Whether mates of these lengths, from both ends, are long enough to hold both tags."""
        holds = np.ones(len(n_forward), dtype=bool)
        for start, end in self._reach:
            holds &= (n_forward >= end) | (n_backward >= self._whole - start)
        return holds

    def _look_at_pairs(self, first: Reads, second: Reads, which: np.ndarray) -> Found:
        found = self._look(first.text, first.spans[which], backwards=False)
        lacking = np.flatnonzero((found[:, :START] < 0).any(axis=1))
        if len(lacking):
            mate = self._look(second.text, second.spans[which[lacking]], backwards=True)
            found[lacking] = _join_mates(found[lacking], mate)
        return found

    def _look(self, text: np.ndarray, spans: np.ndarray, *, backwards: bool) -> Found:
        packed = np.empty((len(spans), self._n_words), dtype=np.uint64)
        unread = np.empty_like(packed)
        lengths = np.empty(len(spans), dtype=np.int64)
        pack_reads(text, spans, backwards, packed, unread, lengths)
        found: Found = np.empty((len(spans), N_FOUND), dtype=np.int32)
        find_parts(packed, unread, lengths, backwards, self._plan, found)
        open_ones = np.flatnonzero(found[:, SAMPLE] == UNKNOWN)
        if len(open_ones):
            origin = lengths[open_ones] - self._whole if backwards else 0
            places = np.column_stack(
                [np.broadcast_to(origin, len(open_ones)), found[open_ones, START]]
            )
            places[:, 1] = np.minimum(places[:, 1], lengths[open_ones])
            found[open_ones, SAMPLE] = find_samples(
                packed[open_ones],
                unread[open_ones],
                places.astype(np.int64),
                self._sample_tags,
                int(self._plan.limits[0]),
            )
        return found


def _n_constants(found: Found) -> np.ndarray:
    return (found[:, _CONSTANTS] >= 0).sum(axis=1)


def _join_mates(first: Found, second: Found) -> Found:
    """The first mate's parts, and the second's where the first has none."""
    joined = _first_known(first, second)
    # the sample tag stands in front of primer A: the mate that shows the primer shows the tag
    only_second = (first[:, 0] < 0) & (second[:, 0] >= 0)
    joined[only_second, SAMPLE] = second[only_second, SAMPLE]
    for tag, random in ((_TAG_A, N_A), (_TAG_B, N_B)):
        own, mate = first[:, tag], second[:, tag]
        n_own = np.where(own >= 0, first[:, random], NONE)
        n_mate = np.where((mate >= 0) & ((own < 0) | (own == mate)), second[:, random], NONE)
        joined[:, random] = _first_known(n_own, n_mate)
    return joined


def _first_known(first: np.ndarray, second: np.ndarray) -> np.ndarray:
    """The first where it is known, else the second, and a tie where one is."""
    return np.where(
        first >= 0, first, np.where(second >= 0, second, np.minimum(first, second))
    ).astype(np.int32)


def _classify(found: Found, is_short: np.ndarray) -> np.ndarray:
    tag_a, tag_b, sample = found[:, _TAG_A], found[:, _TAG_B], found[:, SAMPLE]
    holds = {
        "too_short": is_short,
        "no_constant_parts": _n_constants(found) < _LEAST_CONSTANTS,
        "no_tag_a": tag_a == NONE,
        "tie_tag_a": tag_a == TIE,
        "no_tag_b": tag_b == NONE,
        "tie_tag_b": tag_b == TIE,
        "no_sample_tag": sample == NONE,
        "tie_sample_tag": sample == TIE,
        "counted_without_n12": (found[:, N_A] < 0) | (found[:, N_B] < 0),
    }
    place = {name: position for position, name in enumerate(OUTCOMES)}
    return np.select(list(holds.values()), [place[name] for name in holds], place["counted"])
