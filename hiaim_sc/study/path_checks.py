"""The files that the tables name: there, inside the study, and claimed once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

import pandas as pd

from hiaim_sc.errors import Fault
from hiaim_sc.study.cross_checks import row_faults
from hiaim_sc.study.paths import is_there
from hiaim_sc.study.read_layouts import locate_layout, packaged_layouts
from hiaim_sc.study.tables import (
    BULK_SCREENS,
    FILE_COLUMNS,
    LIBRARIES,
    SCREEN_FILE_COLUMNS,
)

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping
    from pathlib import Path

    from hiaim_sc.study.paths import PathRoots


def check_paths(
    tables: Mapping[str, pd.DataFrame],
    roots: PathRoots,
    *,
    may_be_gone: Collection[str] | Literal["all"] = (),
) -> list[Fault]:
    """Faults of the paths in libraries.tsv and bulk_screens.tsv; no file is opened.

    Files of libraries that are only expected need not be there yet, those of libraries in
    `may_be_gone` not any more.
    """
    faults: list[Fault] = []
    if (libraries := tables.get(LIBRARIES)) is not None:
        known = may_be_gone if may_be_gone != "all" else set(libraries["library_id"])
        faults += _check_libraries(libraries, roots, known)
    if (screens := tables.get(BULK_SCREENS)) is not None:
        faults += _check_layouts(screens, roots)
        for column in SCREEN_FILE_COLUMNS:
            for line, text in screens.loc[screens[column] != "", column].items():
                path = roots.locate(text)
                faults += _check_path(BULK_SCREENS, int(line), column, text, path, roots)
    return faults


def _check_layouts(screens: pd.DataFrame, roots: PathRoots) -> list[Fault]:
    allowed = f"a layout file of the study, or one of {', '.join(packaged_layouts())}"
    return [
        Fault(BULK_SCREENS, int(line), "layout", text, allowed)
        for line, text in screens.loc[screens["layout"] != "", "layout"].items()
        if not roots.hold(roots.locate(text)) or locate_layout(text, roots.locate(text)) is None
    ]


def _check_libraries(
    libraries: pd.DataFrame, roots: PathRoots, may_be_gone: Collection[str]
) -> list[Fault]:
    delivered = libraries[libraries["state"] == "delivered"]
    is_bare = (delivered[["gex", "vdj", "dna_barcodes"]] == "").all(axis=1)
    allowed = "a path in gex, vdj or dna_barcodes, or state expected"
    faults = row_faults(delivered[is_bare], LIBRARIES, "library_id", allowed)
    claims = []
    for column in FILE_COLUMNS:
        for line, text in delivered.loc[delivered[column] != "", column].items():
            path = roots.locate(text)
            is_known = delivered.loc[line, "library_id"] in may_be_gone
            if is_there(path) or not is_known:
                faults += _check_path(LIBRARIES, int(line), column, text, path, roots)
            claims.append((int(line), column, text, path))
    return faults + _check_claims(claims)


def _check_path(
    table: str, line: int, column: str, text: str, path: Path, roots: PathRoots
) -> list[Fault]:
    if not roots.hold(path):
        allowed = "a path inside the study folder or a folder that data_roots names"
        return [Fault(table, line, column, text, allowed)]
    if not is_there(path):
        return [Fault(table, line, column, text, f"an existing file; {path} is not there")]
    if path.is_dir() and not column.startswith(("gex", "dna")):
        return [Fault(table, line, column, text, "a file, not a folder")]
    return []


def _check_claims(claims: list[tuple[int, str, str, Path]]) -> list[Fault]:
    """Two libraries with one file; gene expression and DNA barcodes of one library share theirs."""
    table = pd.DataFrame(claims, columns=["line", "column", "text", "path"])
    table["path"] = table["path"].astype(str)
    first = dict(table.drop_duplicates("path")[["path", "line"]].itertuples(index=False))
    claimed = [
        (row, f"a file of its own; line {first[row.path]} claims this one")
        for row in table.itertuples()
        if first[row.path] != row.line
    ]
    same = table[table.duplicated(["line", "path"], keep=False) & (table["column"] == "vdj")]
    claimed += [
        (row, "the table of contigs; this file is the library's matrix")
        for row in same.itertuples()
    ]
    return [Fault(LIBRARIES, row.line, row.column, row.text, words) for row, words in claimed]
