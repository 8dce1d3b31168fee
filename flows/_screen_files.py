"""``count-dna-barcodes``: the files of one bulk screen in, its counts as tables out."""

from __future__ import annotations

import os
import shutil
from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault, LibraryFaultError, UserInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from hiaim_sc.config import BulkOptions
    from hiaim_sc.dna_barcodes import ScreenCounts
    from hiaim_sc.study import ScreenTags


def read_screen_tags(sample_tags: Path, tags_a: Path, tags_b: Path) -> ScreenTags:
    """The tags of a screen; every fault of the three files at once."""
    from hiaim_sc.study import ScreenTags, TagSet, read_tags

    faults: list[Fault] = []
    found: list[TagSet] = []
    for path, kind in ((sample_tags, "sample"), (tags_a, "A"), (tags_b, "B")):
        try:
            found.append(read_tags(path, kind))  # type: ignore[arg-type]
        except UserInputError as error:
            faults += error.faults
    if faults:
        raise UserInputError(faults)
    return ScreenTags(*found)


def count_files(
    reads: Sequence[Path],
    layout: Path,
    tags: ScreenTags,
    options: BulkOptions,
    progress: Callable[[int, int], None],
) -> ScreenCounts:
    """Counts of one screen; damaged reads are a fault of the input.

    Raises
    ------
    UserInputError
        When a file cannot be used, with what is wrong with it.
    """
    from hiaim_sc.dna_barcodes import count_screen
    from hiaim_sc.study import read_layout

    if len(reads) > 2:
        allowed = "one file, or two with the mates of the same fragments; join lanes with cat"
        raise UserInputError([Fault("--reads", 0, "", str(len(reads)), allowed)])
    if len({path.resolve() for path in reads}) < len(reads):
        allowed = "the mates in a file of their own; this one is given twice"
        raise UserInputError([Fault("--reads", 0, "", reads[0].name, allowed)])
    try:
        return count_screen(
            reads, read_layout(str(layout), layout), tags, options, progress=progress
        )
    except LibraryFaultError as error:
        raise UserInputError([Fault("--reads", 0, "", "", error.reason)]) from error


def check_folder(folder: Path) -> None:
    """Refuse a folder to write into whose name, or that of one above it, is a file's."""
    for path in (folder, *folder.parents):
        if path.exists() and not path.is_dir():
            raise UserInputError([Fault("--out", 0, "", str(path), "a folder; this is a file")])


def write_counts(found: ScreenCounts, folder: Path) -> None:
    """Write ``counts.tsv``, ``reads.tsv`` and ``samples.tsv``; each appears when it is whole."""
    work = folder.with_name(f".{folder.name}.{os.getpid()}")
    work.mkdir(parents=True)
    try:
        for name, table in {
            "counts": found.counts,
            "reads": found.outcomes,
            "samples": found.samples,
        }.items():
            table.to_csv(
                work / f"{name}.tsv",
                sep="\t",
                index=False,
                lineterminator="\n",
                float_format="%.6g",
            )
        folder.mkdir(exist_ok=True)
        for path in sorted(work.iterdir()):
            path.replace(folder / path.name)
    finally:
        shutil.rmtree(work, ignore_errors=True)
