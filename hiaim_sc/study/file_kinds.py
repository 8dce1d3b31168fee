"""What a file is by its first bytes, whatever its name says."""

from __future__ import annotations

import gzip
import zlib
from typing import TYPE_CHECKING

from hiaim_sc.errors import LibraryFaultError

if TYPE_CHECKING:
    from pathlib import Path

GZIP_MAGIC = b"\x1f\x8b"
HDF5_MAGIC = b"\x89HDF\r\n\x1a\n"
_MAGIC = {
    HDF5_MAGIC: "an HDF5 file",
    GZIP_MAGIC: "a gzipped file",
    b"PK\x03\x04": "a spreadsheet or zip file",
    b"BZh": "a file compressed with bzip2",
    b"\xfd7zXZ\x00": "a file compressed with xz",
    b"\x28\xb5\x2f\xfd": "a file compressed with zstd",
    b"CRAM": "a CRAM file",
    b"BAM\x01": "a BAM file",
    b"\xd0\xcf\x11\xe0": "an old Excel or Word file",
    b"%PDF": "a PDF",
    b"\xff\xfe": "UTF-16 text",
    b"\xfe\xff": "UTF-16 text",
}


def name_kind(start: bytes) -> str:
    """What a file is that begins so; empty where it may be a text table."""
    if not start:
        return "an empty file"
    for magic, kind in _MAGIC.items():
        if start.startswith(magic):
            return kind
    text = start.removeprefix(b"\xef\xbb\xbf").lstrip().lower()
    if text.startswith((b"<!doctype", b"<html", b"<?xml", b"<head")):
        return "a web page (the download went wrong, often a login page)"
    return "a binary file" if b"\0" in start else ""


def read_start(path: Path, n_bytes: int) -> bytes:
    """The first bytes of a file's content, decompressed where it is gzipped.

    Raises
    ------
    LibraryFaultError
        When the file cannot be read or its compression is damaged.
    """
    try:
        with path.open("rb") as file:
            start = file.read(n_bytes)
        if not start.startswith(GZIP_MAGIC):
            return start
        with gzip.open(path) as unpacked:
            return unpacked.read(n_bytes)
    except FileNotFoundError as error:
        reason = f"{path.name} is not there ({path})"
        raise LibraryFaultError(reason) from error
    except (OSError, EOFError, zlib.error) as error:
        reason = f"{path.name} cannot be read; it may be cut short: copy it again ({error})"
        raise LibraryFaultError(reason) from error


def read_all(path: Path) -> bytes:
    """The whole content of a file, decompressed where it is gzipped."""
    return read_start(path, -1)
