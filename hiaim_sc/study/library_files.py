"""Where a library's files are, and who let it in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class LibraryFiles:
    """Where a library's files are; None: there is none.

    Attributes
    ----------
    library_id
        Name of the library.
    gex, gex_raw
        Filtered and unfiltered matrix with gene expression.
    vdj
        Table of contigs.
    dna_barcodes
        Matrix with the pMHC multimers' tags; may be the same file as `gex`.
    """

    library_id: str
    gex: Path | None
    gex_raw: Path | None
    vdj: Path | None
    dna_barcodes: Path | None

    @property
    def named(self) -> dict[str, Path]:
        """Those that there are, by their column of libraries.tsv."""
        columns = ("gex", "gex_raw", "vdj", "dna_barcodes")
        paths = {name: getattr(self, name) for name in columns}
        return {name: path for name, path in paths.items() if path is not None}

    @property
    def paths(self) -> tuple[Path, ...]:
        """All that there are, each once."""
        return tuple(dict.fromkeys(self.named.values()))


@dataclass(frozen=True)
class LetIn:
    """A quarantined library that a person has let in.

    Attributes
    ----------
    gate
        The check of the reader that does not hold for it; empty where there is none.
    words
        Who, when and why.
    """

    gate: str
    words: str
