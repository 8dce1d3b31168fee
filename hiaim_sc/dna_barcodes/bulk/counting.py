"""From the reads of a bulk screen to counts of molecules per dna_barcode and sample tag."""

from __future__ import annotations

from contextlib import ExitStack
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.dna_barcodes.bulk.fastq import FastqFile, pair_reads
from hiaim_sc.dna_barcodes.bulk.matching import Matcher
from hiaim_sc.dna_barcodes.bulk.molecules import Molecules, count_distinct
from hiaim_sc.dna_barcodes.bulk.outcomes import OUTCOMES
from hiaim_sc.dna_barcodes.bulk.plan import build_plan
from hiaim_sc.errors import LibraryFaultError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from pathlib import Path

    from hiaim_sc.config import BulkOptions, ReadLayout
    from hiaim_sc.study import ScreenTags

    type Matched = tuple[np.ndarray, np.ndarray]

COUNT_COLUMNS: Final = ("dna_barcode", "sample_tag", "n_reads", "n_distinct")
SAMPLE_COLUMNS: Final = ("sample_tag", "n_reads", "n_reads_n12", "n_distinct", "saturation")


@dataclass(frozen=True)
class ScreenCounts:
    """What the reads of a screen come to.

    Attributes
    ----------
    counts
        `dna_barcode sample_tag n_reads n_distinct`, a row for each pair that was read, sorted.
        `n_distinct`: different N12, as they are or with those taken together that one wrong base
        explains.
    outcomes
        `outcome n`, every word of `OUTCOMES`; `n` add up to the reads (pairs) of the screen.
    samples
        `sample_tag n_reads n_reads_n12 n_distinct saturation`, every sample tag. `saturation`: 1 -
        distinct molecules / reads with N12, the share of reads that found nothing new.
    """

    counts: pd.DataFrame
    outcomes: pd.DataFrame
    samples: pd.DataFrame


def count_screen(
    reads: Sequence[Path],
    layout: ReadLayout,
    tags: ScreenTags,
    options: BulkOptions,
    *,
    progress: Callable[[int, int], None] | None = None,
) -> ScreenCounts:
    """Molecules of each dna_barcode and sample tag in the reads of a screen.

    A read counts for the dna_barcode ``A<n>B<m>`` and the sample tag it holds when at least two of
    its three constant parts are found and no tag is doubtful. Memory does not grow with the files,
    only with the number of different molecules.

    Parameters
    ----------
    reads
        One FASTQ file, or two with the mates of the same fragments; plain or gzipped.
    layout
        How a read is built.
    tags
        Its sample tags and epitope tags.
    options
        Whether N12 that differ in one base are taken together.
    progress
        Told how many bytes of how many are read.

    Raises
    ------
    LibraryFaultError
        When a file is damaged, no FASTQ file, or not the mate of the other.
    UserInputError
        When there are too many tags to be counted.

    References
    ----------
    Bentzen et al. 2016, doi:10.1038/nbt.3662.
    """
    plan = build_plan(layout, tags.sample, tags.a, tags.b)
    matcher, molecules = Matcher(plan), Molecules()
    n_of_outcome = np.zeros(len(OUTCOMES), dtype=np.int64)
    n_bits = 2 * (layout.n_a + layout.n_b)
    for n_of_these, numbers in _match_files(reads, matcher, progress):
        n_of_outcome += n_of_these
        molecules.add(numbers)
    if not n_of_outcome.sum():
        reason = f"{reads[0].name} holds no reads"
        raise LibraryFaultError(reason)
    table = _tabulate(*molecules.counts(), tags, n_bits, options)
    outcomes = pd.DataFrame({"outcome": list(OUTCOMES), "n": n_of_outcome})
    counts = table[table["n_reads"] > 0].sort_values(["dna_barcode", "sample_tag"])
    return ScreenCounts(
        counts[list(COUNT_COLUMNS)].reset_index(drop=True), outcomes, _sum_samples(table, tags)
    )


def _match_files(
    reads: Sequence[Path], matcher: Matcher, progress: Callable[[int, int], None] | None
) -> Iterator[Matched]:
    with ExitStack() as stack:
        files = [stack.enter_context(FastqFile(path)) for path in reads]
        for matched in _match_reads(files, matcher):
            if progress is not None:
                progress(sum(f.n_bytes_read for f in files), sum(f.size for f in files))
            yield matched


def _match_reads(files: Sequence[FastqFile], matcher: Matcher) -> Iterator[Matched]:
    if len(files) > 1:
        for first, second in pair_reads(*files):
            yield matcher.match_pairs(first, second)
        return
    while len((found := files[0].next_reads()).spans):
        yield matcher.match(found)


def _tabulate(
    keys: np.ndarray, n_reads: np.ndarray, tags: ScreenTags, n_bits: int, options: BulkOptions
) -> pd.DataFrame:
    groups, n12 = keys >> (n_bits + 1), keys & ((1 << (n_bits + 1)) - 1)
    is_molecule = n12 > 0
    is_own = is_molecule.copy()
    if options.collapse_n12:
        is_own[is_molecule] = count_distinct(
            groups[is_molecule], n12[is_molecule] - 1, n_reads[is_molecule], n_bits // 2
        )
    first = np.flatnonzero(np.diff(groups, prepend=-1))  # they are sorted
    codes = groups[first]
    sums = {
        name: np.add.reduceat(values.astype(np.int64), first) if len(first) else first
        for name, values in {
            "n_reads": n_reads,
            "n_reads_n12": np.where(is_molecule, n_reads, 0),
            "n_distinct": is_own,
        }.items()
    }
    sample, pair = np.divmod(codes, len(tags.a.names) * len(tags.b.names))
    tag_a, tag_b = np.divmod(pair, len(tags.b.names))
    names = (
        np.array(tags.a.names, dtype=object)[tag_a] + np.array(tags.b.names, dtype=object)[tag_b]
    )
    return pd.DataFrame(
        {"dna_barcode": names, "sample_tag": np.array(tags.sample.names, dtype=object)[sample]}
        | sums
    ).astype({"dna_barcode": "str", "sample_tag": "str"})


def _sum_samples(table: pd.DataFrame, tags: ScreenTags) -> pd.DataFrame:
    sums = table.groupby("sample_tag")[["n_reads", "n_reads_n12", "n_distinct"]].sum()
    sums = sums.reindex(sorted(tags.sample.names), fill_value=0).rename_axis("sample_tag")
    found = sums.reset_index().astype({"sample_tag": "str"})
    with_n12 = found["n_reads_n12"].where(found["n_reads_n12"] > 0)
    return found.assign(saturation=1 - found["n_distinct"] / with_n12)
