"""Which database of receptors with known antigens a file is, by its header."""

from __future__ import annotations

import csv
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study.file_kinds import name_kind, read_start

if TYPE_CHECKING:
    from pathlib import Path

VDJDB, IEDB, MCPAS = "VDJdb", "IEDB", "McPAS-TCR"
_N_BYTES = 65_536
# What tells a layout, in the words of `fold_names`. VDJdb has one with both chains in a row, two
# with a row per chain.
_LAYOUTS = (
    (VDJDB, {"cdr3.alpha", "cdr3.beta", "v.beta", "antigen.epitope", "species"}),
    (VDJDB, {"gene", "cdr3", "v.segm", "antigen.epitope", "species"}),
    (VDJDB, {"gene", "cdr3", "v", "epitope", "species"}),
    (IEDB, {"chain 1 cdr3 curated", "chain 2 cdr3 curated"}),
    (MCPAS, {"cdr3.alpha.aa", "cdr3.beta.aa", "species", "epitope.peptide"}),
)


@dataclass(frozen=True)
class DatabaseHeader:
    """What the header of a database says.

    Attributes
    ----------
    database
        ``VDJdb``, ``IEDB`` or ``McPAS-TCR``.
    columns
        Name of each column in lower case; group and field of IEDB joined by a blank.
    separator
        Tab or comma.
    n_lines
        Lines of the header: two in IEDB's export of all receptors.
    """

    database: str
    columns: tuple[str, ...]
    separator: str
    n_lines: int


def read_database_header(path: Path) -> DatabaseHeader:
    """Header of a VDJdb, IEDB or McPAS-TCR file, plain or gzipped.

    Raises
    ------
    LibraryFaultError
        When it is none of these; one sentence on what it is.
    """
    start = read_start(path, _N_BYTES)
    if kind := name_kind(start):
        _refuse(path, f"is {kind}")
    lines = start.decode("utf-8-sig", errors="replace").splitlines()
    separator = "\t" if "\t" in lines[0] else ","
    rows = list(csv.reader(lines[:2], delimiter=separator))
    one = _fold_names(rows[0])
    layouts = [(one, 1)]
    if len(rows) > 1 and len(rows[0]) == len(rows[1]):
        joined = [f"{group} {field}" for group, field in zip(*rows, strict=True)]
        layouts.append((_fold_names(joined), 2))
    for columns, n_lines in layouts:
        for database, needed in _LAYOUTS:
            if needed <= set(columns):
                return DatabaseHeader(database, columns, separator, n_lines)
    return _refuse(path, f"begins with {', '.join(rows[0][:6])}")


def _fold_names(names: list[str]) -> tuple[str, ...]:
    return tuple(name.strip().casefold().replace(" - ", " ") for name in names)


def _refuse(path: Path, words: str) -> DatabaseHeader:
    reason = (
        f"{path.name} {words}: the VDJdb .tsv, the IEDB receptor export .csv or the McPAS-TCR .csv"
        " is expected"
    )
    raise LibraryFaultError(reason)
