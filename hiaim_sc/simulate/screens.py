"""A bulk screen with DNA-barcoded multimers as a sequencer would write it, with known truth."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence
    from pathlib import Path

    from hiaim_sc.config import ReadLayout

    type Reads = np.ndarray[tuple[int, int], np.dtype[np.uint8]]

_BASES: Final = np.frombuffer(b"ACGT", dtype=np.uint8)
_COMPLEMENT: Final = str.maketrans("ACGT", "TGCA")
_BLOCK: Final = 50_000


@dataclass(frozen=True)
class ScreenDesign:
    """What is pooled in a screen.

    Attributes
    ----------
    layout
        How a read is built.
    sample_tags, tags_a, tags_b
        Name: bases; tags B as the B oligonucleotide has them.
    molecules
        Mean molecules of each dna_barcode (index, ``A<n>B<m>``) in each sample tag (columns).
    """

    layout: ReadLayout
    sample_tags: Mapping[str, str]
    tags_a: Mapping[str, str]
    tags_b: Mapping[str, str]
    molecules: pd.DataFrame


@dataclass(frozen=True)
class ScreenNoise:
    """What goes wrong between the molecules and the reads.

    Attributes
    ----------
    copies
        Mean reads of a molecule, one at least; the rest is geometric.
    hopping, chimeras
        Share of reads with another sample tag, and with the B half of another molecule.
    substitutions
        Probability that a base is read as another.
    gaps
        Share of reads with one base left out or in.
    reversed_reads
        Share of reads of the other strand.
    """

    copies: float = 2.0
    hopping: float = 0.0
    chimeras: float = 0.0
    substitutions: float = 0.0
    gaps: float = 0.0
    reversed_reads: float = 0.0


def draw_tags(n: int, length: int, rng: np.random.Generator, *, distance: int) -> list[str]:
    """Random tags that differ from each other in at least so many bases."""
    tags = np.empty((0, length), dtype=np.uint8)
    while len(tags) < n:
        candidate = rng.choice(_BASES, size=length)
        if not len(tags) or (tags != candidate).sum(axis=1).min() >= distance:
            tags = np.vstack([tags, candidate])
    return [tag.tobytes().decode() for tag in tags]


def write_screen(
    path: Path, design: ScreenDesign, noise: ScreenNoise, *, rng: np.random.Generator
) -> pd.DataFrame:
    """Write the reads of a screen as gzipped FASTQ, in random order; the same rng, the same bytes.

    Returns
    -------
    pandas.DataFrame
        `dna_barcode sample_tag n_molecules n_reads n_distinct`. `n_molecules` went into the tube;
        `n_reads` and `n_distinct` are what the reads would show without wrong bases: hopped tags
        and chimeras show what they are, for no reader can know better.
    """
    molecules = _draw_molecules(design, rng)
    reads = _draw_reads(molecules, design, noise, rng)
    with path.open("wb") as raw, gzip.GzipFile("", "wb", 6, raw, mtime=0) as file:
        for first in range(0, len(reads), _BLOCK):
            for number, bases in enumerate(
                _spell_reads(reads.iloc[first : first + _BLOCK], design, noise, rng), start=first
            ):
                file.write(
                    b"@SIM:1:FC:1:1101:%d 1:N:0:1\n%b\n+\n%b\n" % (number, bases, b"F" * len(bases))
                )
    return _tabulate_truth(molecules, reads, design)


def _draw_molecules(design: ScreenDesign, rng: np.random.Generator) -> pd.DataFrame:
    """`sample a b n_a n_b`, a row per molecule, as positions and numbers."""
    means = design.molecules[list(design.sample_tags)].to_numpy(dtype=float)
    n = rng.poisson(means)
    dna_barcode, sample = np.nonzero(n)
    tag_a, tag_b = _split_names(design)
    times = n[dna_barcode, sample]
    table = pd.DataFrame({"sample": sample, "a": tag_a[dna_barcode], "b": tag_b[dna_barcode]})
    table = table.loc[table.index.repeat(times)].reset_index(drop=True)
    for name, length in (("n_a", design.layout.n_a), ("n_b", design.layout.n_b)):
        table[name] = rng.integers(4**length, size=len(table))
    return table


def _split_names(design: ScreenDesign) -> tuple[np.ndarray, np.ndarray]:
    """Positions of the tags that each dna_barcode is made of."""
    parts = design.molecules.index.str.extract(r"^(A\d+)(B\d+)$")
    places = [
        pd.Index(list(tags)).get_indexer(parts[column])
        for column, tags in ((0, design.tags_a), (1, design.tags_b))
    ]
    return places[0], places[1]


def _draw_reads(
    molecules: pd.DataFrame, design: ScreenDesign, noise: ScreenNoise, rng: np.random.Generator
) -> pd.DataFrame:
    """The molecules as they are read, in random order, before any wrong base."""
    copies = rng.geometric(1 / max(noise.copies, 1.0), size=len(molecules))
    reads = molecules.loc[molecules.index.repeat(copies)].reset_index(drop=True)
    if noise.hopping:
        is_hopped = rng.random(len(reads)) < noise.hopping
        reads.loc[is_hopped, "sample"] = rng.integers(
            len(design.sample_tags), size=int(is_hopped.sum())
        )
    if noise.chimeras:
        is_chimera = rng.random(len(reads)) < noise.chimeras
        partner = rng.integers(len(molecules), size=int(is_chimera.sum()))
        reads.loc[is_chimera, ["b", "n_b"]] = molecules.loc[partner, ["b", "n_b"]].to_numpy()
    return reads.iloc[rng.permutation(len(reads))].reset_index(drop=True)


def _spell_reads(
    reads: pd.DataFrame, design: ScreenDesign, noise: ScreenNoise, rng: np.random.Generator
) -> Iterator[bytes]:
    layout = design.layout
    tags_b = [_turn(tag) for tag in design.tags_b.values()]
    bases = np.hstack(
        [
            _as_rows(list(design.sample_tags.values()))[reads["sample"]],
            _repeat(layout.primer_a, len(reads)),
            _spell_numbers(reads["n_a"].to_numpy(), layout.n_a),
            _as_rows(list(design.tags_a.values()))[reads["a"]],
            _repeat(layout.annealing, len(reads)),
            _as_rows(tags_b)[reads["b"]],
            _spell_numbers(reads["n_b"].to_numpy(), layout.n_b),
            _repeat(_turn(layout.primer_b), len(reads)),
        ]
    )
    if noise.substitutions:
        bases = _substitute(bases, noise.substitutions, rng)
    has_gap = rng.random(len(bases)) < noise.gaps
    is_turned = rng.random(len(bases)) < noise.reversed_reads
    for row, gap, turned in zip(bases, has_gap, is_turned, strict=True):
        read = _leave_out_or_in(row, rng) if gap else row.tobytes()
        yield _turn(read.decode()).encode() if turned else read


def _substitute(bases: Reads, probability: float, rng: np.random.Generator) -> Reads:
    is_wrong = rng.random(bases.shape) < probability
    codes = np.searchsorted(_BASES, bases[is_wrong])
    changed = bases.copy()
    changed[is_wrong] = _BASES[(codes + rng.integers(1, 4, size=len(codes))) % 4]
    return changed


def _leave_out_or_in(row: np.ndarray, rng: np.random.Generator) -> bytes:
    at = int(rng.integers(len(row)))
    if rng.random() < 0.5:
        return np.delete(row, at).tobytes()
    return np.insert(row, at, rng.choice(_BASES)).tobytes()


def _as_rows(sequences: Sequence[str]) -> Reads:
    return np.array([list(sequence.encode()) for sequence in sequences], dtype=np.uint8)


def _repeat(sequence: str, n: int) -> Reads:
    return np.broadcast_to(_as_rows([sequence]), (n, len(sequence)))


def _spell_numbers(numbers: np.ndarray, length: int) -> Reads:
    return _BASES[(numbers[:, None] // 4 ** np.arange(length)) % 4]


def _turn(sequence: str) -> str:
    return sequence.translate(_COMPLEMENT)[::-1]


def _tabulate_truth(
    molecules: pd.DataFrame, reads: pd.DataFrame, design: ScreenDesign
) -> pd.DataFrame:
    keys = ["a", "b", "sample"]
    table = pd.DataFrame(
        {
            "n_molecules": molecules.groupby(keys).size(),
            "n_reads": reads.groupby(keys).size(),
            "n_distinct": reads.drop_duplicates().groupby(keys).size(),
        }
    )
    table = table.fillna(0).astype("int64").reset_index()
    names = [np.array(list(tags)) for tags in (design.tags_a, design.tags_b, design.sample_tags)]
    table["dna_barcode"] = np.char.add(names[0][table["a"]], names[1][table["b"]])
    table["sample_tag"] = names[2][table["sample"]]
    order = ["dna_barcode", "sample_tag"]
    columns = [*order, "n_molecules", "n_reads", "n_distinct"]
    return table[columns].sort_values(order, ignore_index=True)
