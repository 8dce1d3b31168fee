"""Columns of a contig file as text, whatever its format, under AIRR's names."""

from __future__ import annotations

import gzip
import itertools
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import pandas as pd

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study.contig_formats import (
    CELL_RANGER,
    EXPECTED,
    ContigFormat,
    Layout,
    is_json,
    read_layout,
    refuse_other_kinds,
)
from hiaim_sc.study.contig_json import COLUMNS, read_contig_rows
from hiaim_sc.study.file_kinds import GZIP_MAGIC, read_all, read_start

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

MISSING: Final = ("", "None", "none", "NA", "NaN", "nan", "null")
_CHUNK: Final = 1 << 20
_BLOCK: Final = 1 << 23


@dataclass(frozen=True)
class RawContigs:
    """A contig file as text.

    Attributes
    ----------
    kind
        Format of the file.
    table
        Text columns under our names, where the file has them; missing values are missing.
    """

    kind: ContigFormat
    table: pd.DataFrame


def read_columns(path: Path) -> RawContigs:
    """What a contig file says, ``.csv``, ``.tsv`` or ``.json``, gzipped or plain.

    Raises
    ------
    LibraryFaultError
        When the file is no contig table of a known format.
    """
    start = read_start(path, _CHUNK)
    refuse_other_kinds(start, path.name)
    if is_json(start):
        return RawContigs(CELL_RANGER, _read_json(path))
    layout = read_layout(start, path.name)
    return RawContigs(layout.kind, _read_text(path, layout))


def _read_text(path: Path, layout: Layout) -> pd.DataFrame:
    """The columns that are used; a row with fewer fields than the header is a fault in a .csv."""
    import pyarrow as pa

    content = read_all(path)
    if layout.separator == "\t":
        content = _complete_rows(content, layout)
    try:
        return _parse(content, layout)
    except pa.ArrowInvalid as error:
        reason = f"{path.name} is no contig table: {str(error).strip()}: {EXPECTED}"
        raise LibraryFaultError(reason) from error


def _parse(content: bytes, layout: Layout) -> pd.DataFrame:
    import pyarrow as pa
    from pyarrow import csv

    names = layout.columns
    table = csv.read_csv(
        pa.BufferReader(content),
        csv.ReadOptions(use_threads=False, block_size=_BLOCK, skip_rows=layout.n_skipped),
        csv.ParseOptions(delimiter=layout.separator),
        csv.ConvertOptions(
            include_columns=list(names.values()),
            column_types=dict.fromkeys(names.values(), pa.string()),
            null_values=list(MISSING),
            strings_can_be_null=True,
        ),
    )
    return table.rename_columns(list(names)).to_pandas()


def _complete_rows(content: bytes, layout: Layout) -> bytes:
    """The table with the tabs that some writers of AIRR leave out at the end of a row."""
    n_tabs = len(layout.header) - 1
    lines = content.splitlines()
    return b"\n".join(line + b"\t" * (n_tabs - line.count(b"\t")) for line in lines if line)


def _read_json(path: Path) -> pd.DataFrame:
    rows = list(read_contig_rows(_decompress(path), path.name))
    columns = zip(*rows, strict=True) if rows else itertools.repeat(())
    texts = {
        name: pd.Series(column, dtype=object).map(str, na_action="ignore").astype("str")
        for name, column in zip(COLUMNS, columns, strict=False)
    }
    names = CELL_RANGER.find(COLUMNS)
    return pd.DataFrame({ours: texts[name] for ours, name in names.items()})


def _decompress(path: Path) -> Iterator[str]:
    """Text of a file in pieces, so that it never stands in memory as a whole."""
    with path.open("rb") as file:
        is_gzipped = file.read(2) == GZIP_MAGIC
    try:
        with (
            gzip.open(path, "rt", encoding="utf-8-sig")
            if is_gzipped
            else path.open(encoding="utf-8-sig") as text
        ):
            yield from iter(lambda: text.read(_CHUNK), "")
    except (OSError, EOFError, zlib.error, UnicodeDecodeError) as error:
        reason = f"{path.name} cannot be read; it may be cut short: copy it again ({error})"
        raise LibraryFaultError(reason) from error
