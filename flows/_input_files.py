"""The files that a run of a study reads."""

from __future__ import annotations

from contextlib import suppress
from typing import TYPE_CHECKING

from hiaim_sc.study import list_screens, named_files, screen_files
from hiaim_sc.study.tables import ALLOCATION, table_schemas

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hiaim_sc.study import Study


def digest_inputs(
    study: Study, digest: Callable[[Path], str], *, with_arms: bool
) -> dict[str, str]:
    """Digest of every input file, by its path in the study folder where it lies there.

    Parameters
    ----------
    digest
        Of a file.
    with_arms
        Whether the allocation is among them. A blinded run leaves it closed, and out: a digest of
        few labels can be guessed.
    """
    sealed = None if with_arms else study.folder / ALLOCATION
    shown = {}
    for path in dict.fromkeys(_input_files(study)):
        if path == sealed:
            continue
        inside = path.is_relative_to(study.folder)
        with suppress(OSError):  # not there, or kept out since it cannot be read
            shown[str(path.relative_to(study.folder) if inside else path)] = digest(path)
    return shown


def _input_files(study: Study) -> Iterator[Path]:
    tables = sorted([ALLOCATION, "study.yaml", *table_schemas(None)])
    yield from (study.folder / name for name in tables)
    yield from named_files(study).values()
    for name in study.delivered_libraries():
        files = study.library_files(name)
        yield from filter(None, (files.gex, files.gex_raw, files.vdj, files.dna_barcodes))
    for name in list_screens(study):
        screen = screen_files(study, name)
        yield from (*screen.reads, screen.layout, screen.sample_tags, screen.tags_a, screen.tags_b)
