"""What becomes of each read: its outcome, and the molecule it counts for."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hiaim_sc.dna_barcodes.bulk.bases import pack_reads
from hiaim_sc.dna_barcodes.bulk.exact import find_exact
from hiaim_sc.dna_barcodes.bulk.outcomes import conclude, has_constants
from hiaim_sc.dna_barcodes.bulk.parts import (
    N_A,
    N_B,
    N_FOUND,
    N_PARTS,
    NONE,
    SAMPLE,
    START,
    find_parts,
)
from hiaim_sc.dna_barcodes.bulk.samples import find_samples

if TYPE_CHECKING:
    from hiaim_sc.dna_barcodes.bulk.fastq import Reads
    from hiaim_sc.dna_barcodes.bulk.plan import Plan

    type Found = np.ndarray[tuple[int, int], np.dtype[np.int32]]
    type Concluded = tuple[np.ndarray, np.ndarray]

_TAG_A: Final = 1
_TAG_B: Final = 3


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
        lengths = plan.spans[[N_A, N_B], 1]
        self._sizes = np.concatenate([np.diff(plan.owners)[[_TAG_A, _TAG_B]], lengths])

    def match(self, reads: Reads) -> Concluded:
        """Reads of each outcome, in the order of `OUTCOMES`, and the molecules they count for.

        A read with fewer than two constant parts is looked at from its other end, too.
        """
        found = self._look(reads.text, reads.spans, backwards=False)
        again = np.flatnonzero(~has_constants(found))
        if len(again):
            turned = self._look(reads.text, reads.spans[again], backwards=True)
            is_better = has_constants(turned)
            found[again[is_better]] = turned[is_better]
        return conclude(found, reads.spans[:, 3] >= self._reach[-1, 1], self._sizes)

    def match_pairs(self, first: Reads, second: Reads) -> Concluded:
        """The same of pairs: the first mate speaks, the second for what the first lacks."""
        found = self._look_at_pairs(first, second, np.arange(len(first.spans)))
        again = np.flatnonzero(~has_constants(found))
        if len(again):
            turned = self._look_at_pairs(second, first, again)
            is_better = has_constants(turned)
            found[again[is_better]] = turned[is_better]
        n_first, n_second = first.spans[:, 3], second.spans[:, 3]
        is_long = self._covers(n_first, n_second) | self._covers(n_second, n_first)
        return conclude(found, is_long, self._sizes)

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
        others = find_exact(packed, unread, lengths, backwards, self._plan, found)
        if len(others):
            find_parts(packed, unread, lengths, others, backwards, self._plan, found)
            origin = lengths[others] - self._whole if backwards else np.zeros_like(others)
            ends = np.minimum(found[others, START], lengths[others])
            found[others, SAMPLE] = find_samples(
                packed[others],
                unread[others],
                np.column_stack([origin, ends]),
                self._plan.sample_words,
                self._plan.spans[SAMPLE, 1],
                int(self._plan.limits[0]),
            )
        return found


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
