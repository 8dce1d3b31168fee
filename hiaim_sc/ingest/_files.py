"""Opening a delivered file, plain or gzipped, and saying what is wrong when it cannot be read."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import h5py

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study.file_kinds import GZIP_MAGIC, name_kind, read_all

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_text(path: Path) -> str:
    """Text of a table, decompressed where it is gzipped; refuses what is no text table."""
    content = read_all(path)
    kind = name_kind(content[:200]) if content else ""
    if kind:
        reason = f"{path.name} is {kind}; a .csv or .tsv in UTF-8 is expected here"
        raise LibraryFaultError(reason)
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        reason = f"{path.name} is no text table ({error})"
        raise LibraryFaultError(reason) from error


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file open for reading; whatever fails inside becomes a fault of the library."""
    try:
        with h5py.File(_hdf5_source(path), "r") as file:
            yield file
    except LibraryFaultError:
        raise
    except (OSError, KeyError, ValueError, RuntimeError, TypeError) as error:
        reason = (
            f"{path.name} cannot be read as HDF5 ({path.stat().st_size:,} bytes): cut short or not"
            f" the file it is named for; copy it again ({error})"
        )
        raise LibraryFaultError(reason) from error


def _hdf5_source(path: Path) -> Path | BinaryIO:
    if not path.is_file():
        reason = f"{path.name} is not there ({path})"
        raise LibraryFaultError(reason)
    with path.open("rb") as file:
        is_gzipped = file.read(2) == GZIP_MAGIC
    return io.BytesIO(read_all(path)) if is_gzipped else path
