"""The files of one library as they lie there: do they move, and are they whole?"""

from __future__ import annotations

import hashlib
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.storage import files_of, sign_file
from hiaim_sc.study.file_checks import inspect_library
from hiaim_sc.study.file_kinds import GZIP_MAGIC
from hiaim_sc.study.paths import PathRoots
from hiaim_sc.study.tables import FILE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hiaim_sc.storage import Signature
    from hiaim_sc.study.study import Study

_CHUNK = 1 << 20
# Digest and signature of every file: equal while nothing changes.
type Look = tuple[tuple[str, Signature], ...]


@dataclass(frozen=True)
class Delivery:
    """What a row of libraries.tsv says of its files.

    Attributes
    ----------
    library_id, state
        As in the table.
    paths
        Column: resolved path, of the files that the row names; they need not be there.
    """

    library_id: str
    state: str
    paths: Mapping[str, Path]


def deliveries(study: Study) -> list[Delivery]:
    """Every library whose row names a file, in the order of the ids."""
    roots = PathRoots.of(study.folder, study.config.data_roots)
    columns = ["library_id", "state", *FILE_COLUMNS]
    found = []
    for row in study.libraries[columns].to_dict("records"):
        texts = {column: row[column] for column in FILE_COLUMNS if isinstance(row[column], str)}
        paths = {column: roots.locate(text) for column, text in texts.items()}
        if paths:
            found.append(Delivery(row["library_id"], row["state"], paths))
    return found


def look_at(paths: Mapping[str, Path]) -> Look | None:
    """What moves when any of the files does; None while one of them cannot be looked at."""
    try:
        found = [file for path in paths.values() for file in files_of(path)]
        return tuple((str(file), sign_file(file)) for file in found)
    except OSError:
        return None


def is_marked(paths: Mapping[str, Path], marker: str) -> bool:
    """Whether the marker lies beside one of the files, or in a folder that is one."""
    folders = {path if path.is_dir() else path.parent for path in paths.values()}
    folders |= {path.parent for path in paths.values()}
    return any((folder / marker).exists() for folder in folders)


def find_fault(study: Study, delivery: Delivery) -> str:
    """Everything that the headers of the library's files show to be wrong; empty when nothing."""
    roots = PathRoots.of(study.folder, study.config.data_roots)
    outside = [path for path in delivery.paths.values() if not roots.hold(path)]
    if outside:
        listed = ", ".join(str(path) for path in outside)
        return f"{listed} leads out of the study folder and the folders that data_roots names"
    _, faults = inspect_library(study.library_files(delivery.library_id), study.config.options)
    return "; ".join(dict.fromkeys(faults.values()))


def digest_whole(path: Path) -> str:
    """Digest of one file; every byte is read once.

    Raises
    ------
    LibraryFaultError
        When one that is gzipped is damaged, its end is missing or its checksum wrong. (HDF5 files
        say how long they are: `find_fault` sees it.)
    OSError
        When the system does not give its bytes, which says nothing of them.
    """
    digest = hashlib.sha256()
    try:
        with path.open("rb") as handle:
            is_gzip = handle.peek(2)[:2] == GZIP_MAGIC
            unpacker = _Unpacker() if is_gzip else None
            while chunk := handle.read(_CHUNK):
                digest.update(chunk)
                if unpacker is not None:
                    unpacker.feed(chunk)
    except zlib.error as error:
        reason = f"{path.name} cannot be read; it may be damaged: copy it again ({error})"
        raise LibraryFaultError(reason) from error
    if unpacker is not None and not unpacker.is_at_end:
        reason = f"{path.name} ends before the end of its gzip stream: cut short; copy it again"
        raise LibraryFaultError(reason)
    return digest.hexdigest()


class _Unpacker:
    """Follows a gzip stream of one or several members to its end, in little memory."""

    def __init__(self) -> None:
        self._member = zlib.decompressobj(wbits=31)

    @property
    def is_at_end(self) -> bool:
        self._member.flush()
        return self._member.eof

    def feed(self, chunk: bytes) -> None:
        while chunk:
            if self._member.eof:
                chunk = chunk.lstrip(b"\0")  # padding between members
                if not chunk:
                    return
                self._member = zlib.decompressobj(wbits=31)
            self._member.decompress(chunk, _CHUNK)
            chunk = self._member.unused_data or self._member.unconsumed_tail
