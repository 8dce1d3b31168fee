"""What reads are matched with: layout and tags as packed words and hash tables."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np

from hiaim_sc.dna_barcodes.bulk.parts import N_PARTS, fill_table
from hiaim_sc.errors import Fault, UserInputError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiaim_sc.config import ReadLayout
    from hiaim_sc.study import TagSet

_CODES: Final = {"A": 0, "C": 1, "T": 2, "G": 3}
_COMPLEMENT: Final = str.maketrans("ACGT", "TGCA")
_MOST_BITS: Final = 62


class Plan(NamedTuple):
    """What reads are matched with; arrays only, as compiled code wants them.

    Attributes
    ----------
    words, owners
        Packed sequences of all parts, and where those of each part begin (N_PARTS + 1).
    sample_words
        Packed sample tags.
    keys, places
        (N_PARTS + 1, n_slots) hash tables of each part and of the sample tags: word, and its
        position or -1 where the slot is empty.
    spans
        (N_FOUND, 2) start and length in a read without errors: of the parts, of the sample tag, and
        of the random parts A and B.
    limits
        Largest shift and number of mismatches.
    """

    words: np.ndarray
    owners: np.ndarray
    sample_words: np.ndarray
    keys: np.ndarray
    places: np.ndarray
    spans: np.ndarray
    limits: np.ndarray


def build_plan(layout: ReadLayout, sample_tags: TagSet, tags_a: TagSet, tags_b: TagSet) -> Plan:
    """The plan of a screen.

    Raises
    ------
    UserInputError
        Where a screen has more combinations of tags and random parts than can be counted.
    """
    _refuse_too_many(layout, sample_tags, tags_a, tags_b)
    parts: list[Sequence[str]] = [
        [layout.primer_a],
        tags_a.sequences,
        [layout.annealing],
        [reverse_complement(sequence) for sequence in tags_b.sequences],
        [reverse_complement(layout.primer_b)],
    ]
    packed = [pack(part) for part in parts]
    sample_words = pack(sample_tags.sequences)
    n_slots = 1 << (4 * max(map(len, [*packed, sample_words]))).bit_length()
    keys = np.zeros((N_PARTS + 1, n_slots), dtype=np.uint64)
    places = np.full((N_PARTS + 1, n_slots), -1, dtype=np.int64)
    for row, words in enumerate([*packed, sample_words]):
        fill_table(words, keys[row], places[row])
    return Plan(
        words=np.concatenate(packed),
        owners=np.cumsum([0, *map(len, packed)]),
        sample_words=sample_words,
        keys=keys,
        places=places,
        spans=_place_parts(layout, [len(part[0]) for part in parts], sample_tags.length),
        limits=np.array([layout.max_shift, layout.max_mismatches]),
    )


def _place_parts(layout: ReadLayout, lengths: Sequence[int], n_sample: int) -> np.ndarray:
    gaps = np.array([n_sample, layout.n_a, 0, 0, layout.n_b])
    starts = np.cumsum(gaps) + np.cumsum(lengths) - lengths
    spans = [
        *zip(starts, lengths, strict=True),
        (0, n_sample),
        (starts[1] - layout.n_a, layout.n_a),
        (starts[4] - layout.n_b, layout.n_b),
    ]
    return np.array(spans, dtype=np.int64)


def reverse_complement(sequence: str) -> str:
    """The other strand, 5' to 3'."""
    return sequence.translate(_COMPLEMENT)[::-1]


def pack(sequences: Sequence[str]) -> np.ndarray:
    """Each sequence as a word, two bits a base, the first in the lowest."""
    return np.array(
        [sum(_CODES[base] << 2 * i for i, base in enumerate(text)) for text in sequences],
        dtype=np.uint64,
    )


def _refuse_too_many(layout: ReadLayout, *tags: TagSet) -> None:
    n_combinations = int(np.prod([len(found.names) for found in tags], dtype=object))
    if (n_combinations - 1).bit_length() + 2 * (layout.n_a + layout.n_b) + 1 > _MOST_BITS:
        allowed = "fewer tags, or shorter random parts: a molecule must fit 62 bits"
        raise UserInputError([Fault("tags", 0, "", f"{n_combinations:,} combinations", allowed)])
