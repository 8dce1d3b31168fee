"""What a step may read. Its source is part of every stage's code."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from hiaim_sc.errors import HiaimError
from hiaim_sc.storage import Artefact, Store, generator
from hiaim_sc.study.library_files import LibraryFiles
from hiaim_sc.study.pooling import pool_tables
from hiaim_sc.study.screens import ScreenFiles

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import numpy as np
    import pandas as pd

    from hiaim_sc.compare import Screen
    from hiaim_sc.config import Options, StudyConfig


@dataclass(frozen=True)
class Inputs:
    """What a step may read.

    Attributes
    ----------
    store
        Where artefacts lie.
    stage, library_id
        Who is running; they seed the random numbers.
    keys
        Name of the input: artefact key. A library's artefact is named ``<stage>/<library_id>``.
    config
        The settings the stage declared.
    files
        The library's files, for ingest, or a bulk screen's, for the counting of its reads.
    allocation
        The allocation, for an unblinded comparison only.
    databases
        Digest and path of each database of receptors, for the stage that reads them only.
    """

    store: Store
    stage: str
    library_id: str | None
    keys: dict[str, str]
    config: StudyConfig
    files: LibraryFiles | ScreenFiles | None = None
    allocation: Path | None = None
    databases: tuple[tuple[str, Path], ...] = ()

    @property
    def options(self) -> Options:
        """The options of all stages; what this stage did not declare is at its default."""
        return self.config.options

    @property
    def library_files(self) -> LibraryFiles:
        """The library's files; only ingest was given them."""
        if not isinstance(self.files, LibraryFiles):
            msg = f"stage {self.stage} was given no files"
            raise HiaimError(msg)
        return self.files

    @property
    def screen_files(self) -> ScreenFiles:
        """The bulk screen's files; only the counting of its reads was given them."""
        if not isinstance(self.files, ScreenFiles):
            msg = f"stage {self.stage} was given no files of a screen"
            raise HiaimError(msg)
        return self.files

    @property
    def rng(self) -> np.random.Generator:
        """Random numbers of this stage and library alone."""
        return generator(self.stage, self.library_id or "")

    def one(self, name: str) -> Artefact:
        """The artefact of this name."""
        return self.store.get(self.keys[name])

    def table(self, name: str) -> Any:
        """A table of the study by name, or None when the stage was given none."""
        return self.one(name).read(name) if name in self.keys else None

    def each(self, stage: str) -> dict[str, Artefact]:
        """That stage's artefact of every library, by library_id."""
        prefix = f"{stage}/"
        return {
            name.removeprefix(prefix): self.store.get(key)
            for name, key in sorted(self.keys.items())
            if name.startswith(prefix)
        }

    def tables(self, stage: str, name: str) -> dict[str, pd.DataFrame]:
        """That table of every library that has it, by library_id."""
        return {
            library_id: artefact.read(name)
            for library_id, artefact in self.each(stage).items()
            if name in artefact
        }

    def pooled(self, stage: str, name: str, columns: Sequence[str]) -> pd.DataFrame:
        """These columns of that table, of all libraries."""
        tables = {key: table[list(columns)] for key, table in self.tables(stage, name).items()}
        return pool_tables(tables, columns)


def kept_barcodes(cell_qc: pd.DataFrame) -> list[str]:
    """Cell barcodes of one library that pass QC."""
    return list(cell_qc.loc[cell_qc["qc_pass"], "cell_barcode"])


def stained_screen(inputs: Inputs) -> Screen | None:
    """What was stained with pMHC multimers, if anything."""
    from hiaim_sc.compare import Screen

    stained = inputs.each("specificity")
    if not stained or "antigens" not in inputs.keys:
        return None
    return Screen(
        inputs.one("antigen_calls").read("calls"),
        inputs.table("antigens"),
        inputs.table("hla"),
        frozenset(stained),
        paired_only=inputs.options.dna_barcodes.require_pair,
    )
