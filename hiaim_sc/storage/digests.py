"""SHA-256 digests of files and of plain values."""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    import pandas as pd


def digest_file(path: Path, *, of_file: Callable[[Path], str] | None = None) -> str:
    """Hexadecimal SHA-256 of a file's bytes, or of a folder's files and their names.

    Parameters
    ----------
    path
        A file, or a folder (a 10x ``mtx`` folder): then the sorted names and digests of its files
        are digested.
    of_file
        Gives the digest of one file; by default the file is read.
    """
    of_file = of_file or _digest_bytes
    if path.is_dir():
        return digest_value([[str(i.relative_to(path)), of_file(i)] for i in files_of(path)])
    return of_file(path)


def files_of(path: Path) -> list[Path]:
    """The file itself, or the files below a folder, sorted."""
    return sorted(item for item in path.rglob("*") if item.is_file()) if path.is_dir() else [path]


def _digest_bytes(path: Path) -> str:
    with path.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def digest_value(value: object) -> str:
    """Hexadecimal SHA-256 of a value made of dicts, lists, strings, numbers, booleans and None.

    Dict keys are sorted and nothing is escaped, so that the digest depends on the value alone.
    """
    text = json.dumps(
        value, sort_keys=True, separators=(",", ":"), ensure_ascii=False, allow_nan=False
    )
    return hashlib.sha256(text.encode()).hexdigest()


def digest_table(table: pd.DataFrame) -> str:
    """Hexadecimal SHA-256 of a table's columns and values, its rows in the order they stand."""
    text = table.to_csv(index=False, lineterminator="\n", float_format="%.17g")
    return hashlib.sha256(text.encode()).hexdigest()
