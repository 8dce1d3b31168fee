"""Opening a delivered file, plain or gzipped, and saying what is wrong when it cannot be read."""

from __future__ import annotations

import gzip
import io
import zlib
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

import h5py

from hiaim_sc.errors import LibraryFaultError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_GZIP_MAGIC = b"\x1f\x8b"
_ZIP_MAGIC = b"PK\x03\x04"
_HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"


def read_bytes(path: Path) -> bytes:
    """Content of a file, decompressed where it is gzipped, whatever its name ends in."""
    try:
        content = path.read_bytes()
        return gzip.decompress(content) if content.startswith(_GZIP_MAGIC) else content
    except FileNotFoundError:
        reason = f"{path.name} is not there ({path})"
    except (OSError, EOFError, zlib.error) as error:
        reason = f"{path.name} cannot be read; it may be cut short: copy it again ({error})"
    raise LibraryFaultError(reason)


def read_text(path: Path) -> str:
    """Text of a table, decompressed where it is gzipped; refuses what is no text table."""
    content = read_bytes(path)
    start = content[:200].lstrip().lower()
    if start.startswith((b"<!doctype", b"<html", b"<?xml")):
        reason = (
            f"{path.name} is a web page, not a table: the download went wrong (often a login page);"
            " fetch it again"
        )
        raise LibraryFaultError(reason)
    if content.startswith((_ZIP_MAGIC, _HDF5_MAGIC)):
        kind = "a spreadsheet or zip file" if content.startswith(_ZIP_MAGIC) else "an HDF5 file"
        reason = f"{path.name} is {kind}, not a text table; a .csv or .tsv is expected here"
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
        is_gzipped = file.read(2) == _GZIP_MAGIC
    return io.BytesIO(read_bytes(path)) if is_gzipped else path
