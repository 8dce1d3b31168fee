"""A table of the study folder as text, with the line each row stands in."""

from __future__ import annotations

import csv
import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.errors import Fault
from hiaim_sc.study.file_kinds import name_kind

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

type Record = tuple[int, list[str]]


@dataclass(frozen=True)
class TextTable:
    """A table as it was typed.

    Attributes
    ----------
    name
        File name.
    frame
        All columns as text, empty text where nothing stands; the index is the line in the file.
    faults
        What is wrong with the file's form.
    is_complete
        Whether every row of the file is in `frame`: only then can other tables be held against it.
    """

    name: str
    frame: pd.DataFrame
    faults: tuple[Fault, ...] = ()
    is_complete: bool = True


def read_table(path: Path) -> TextTable:
    """A tab-separated table of UTF-8 text, with or without byte order mark, of any line ending.

    Empty lines are passed over. What is no such table is one fault; rows with too few or too many
    fields, columns without a name and columns that stand twice are a fault each.
    """
    name = path.name
    text, fault = _read_text(path)
    if fault is not None:
        return _no_table(name, fault)
    records, faults = _split(text, name)
    if not records:
        return _no_table(name, *(faults or [Fault(name, 0, "", "", "a line of column names")]))
    (line, header), *rows = records
    names = [field.strip() for field in header]
    n_named = _n_used(names, rows)
    faults += _header_faults(name, line, header[:n_named])
    ragged = [record for record in rows if not _fits(record[1], n_named)]
    faults += [
        Fault(name, at, "", f"{len(fields)} fields", f"{n_named} fields, as in the first line")
        for at, fields in ragged
    ]
    even = [record for record in rows if _fits(record[1], n_named)]
    frame = pd.DataFrame(
        [fields[:n_named] for _, fields in even],
        columns=names[:n_named],
        index=pd.Index([at for at, _ in even], dtype="int64", name="line"),
        dtype="str",
    )
    is_complete = not faults
    return TextTable(name, frame.loc[:, ~frame.columns.duplicated()], tuple(faults), is_complete)


def _no_table(name: str, *faults: Fault) -> TextTable:
    return TextTable(name, pd.DataFrame(), tuple(faults), is_complete=False)


def _read_text(path: Path) -> tuple[str, Fault | None]:
    try:
        content = path.read_bytes()
    except OSError as error:
        return "", Fault(path.name, 0, "", error.strerror or "", "a file that can be read")
    if kind := name_kind(content[:1000]):
        return "", Fault(path.name, 0, "", kind, "a tab-separated text table (UTF-8)")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = content[: error.start].count(b"\n") + 1
        byte = f"byte 0x{content[error.start]:02x}"
        return "", Fault(path.name, line, "", byte, "UTF-8 text: save the table as UTF-8")
    first_line = text.lstrip("\r\n").splitlines()[0] if text.strip() else ""
    for separator, called in ((",", "commas"), (";", "semicolons")):
        if "\t" not in first_line and separator in first_line:
            allowed = f"columns separated by tabs, not by {called}: save the table as .tsv"
            return "", Fault(path.name, 1, "", first_line, allowed)
    return text, None


def _split(text: str, name: str) -> tuple[list[Record], list[Fault]]:
    """The lines that hold anything, as fields, each with the number of its (first) line."""
    records: list[Record] = []
    reader = csv.reader(io.StringIO(text, newline=""), delimiter="\t", strict=True)
    line = 1
    try:
        for fields in reader:
            if any(field.strip() for field in fields):
                records.append((line, fields))
            line = reader.line_num + 1
    except csv.Error as error:
        allowed = 'quotation marks (") in pairs around a whole field, or none'
        return records, [Fault(name, line, "", str(error), allowed)]
    return records, []


def _n_used(names: Sequence[str], rows: Sequence[Record]) -> int:
    """Number of columns but for those at the end with neither a name nor a value."""
    n_used = len(names)
    while n_used and not names[n_used - 1]:
        if any(any(field.strip() for field in fields[n_used - 1 :]) for _, fields in rows):
            break
        n_used -= 1
    return n_used


def _fits(fields: Sequence[str], n_columns: int) -> bool:
    return len(fields) >= n_columns and not any(field.strip() for field in fields[n_columns:])


def _header_faults(name: str, line: int, header: Sequence[str]) -> list[Fault]:
    faults = []
    for position, column in enumerate(header, start=1):
        stripped = column.strip()
        if not stripped:
            faults.append(Fault(name, line, "", column, f"a name for column {position}"))
        elif stripped != column:
            faults.append(Fault(name, line, stripped, column, "no blanks around a column name"))
        if stripped and stripped in [other.strip() for other in header[: position - 1]]:
            faults.append(Fault(name, line, stripped, column, "each column name once"))
    return faults
