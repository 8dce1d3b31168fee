"""Digests of files that have not changed since they were last read."""

from __future__ import annotations

import json
import os
import time
import uuid
from pathlib import Path
from typing import TYPE_CHECKING

from hiaim_sc.storage.digests import digest_file

if TYPE_CHECKING:
    from collections.abc import Callable

# size, time of change of content, time of change of anything, inode
type Signature = tuple[int, int, int, int]

# A file written twice within one tick of its file system's clock shows one time for both: what is
# younger than the coarsest tick in use (FAT: 2 s) is read, not remembered.
_TICK_NS = 2_000_000_000


def sign_file(path: Path) -> Signature:
    """What moves when a file's content does.

    The time of change of the inode is among it: it moves with every write, also where a copy sets
    the time of modification back.
    """
    status = path.stat()
    return status.st_size, status.st_mtime_ns, status.st_ctime_ns, status.st_ino


class FileDigests:
    """SHA-256 of files; those that look as they did when last read are not read again.

    Parameters
    ----------
    path
        Where digests are kept between runs; anything unreadable there counts as nothing.
    reread
        Read every file once, whatever is remembered.
    clock
        Nanoseconds since the epoch.
    """

    def __init__(
        self, path: Path, *, reread: bool = False, clock: Callable[[], int] = time.time_ns
    ) -> None:
        self._path = path
        self._reread = reread
        self._clock = clock
        self._known: dict[str, tuple[Signature, str]] | None = None
        self._fresh: dict[str, tuple[Signature, str]] = {}

    def of(self, path: Path) -> str:
        """Digest of a file, or of a folder's files and their names, as `digest_file`."""
        return digest_file(path, of_file=self._of_file)

    def read(self, path: Path, of_file: Callable[[Path], str] = digest_file) -> str:
        """The same, but every file is read, whatever is remembered; what is found is remembered.

        Parameters
        ----------
        of_file
            Reads one file and gives its digest.
        """
        return digest_file(path, of_file=lambda file: self._read(file, of_file))

    def save(self) -> None:
        """Write down what was read; files that are gone are forgotten."""
        if not self._fresh:
            return
        kept = {name: entry for name, entry in self._load().items() if Path(name).exists()}
        content = json.dumps({**kept, **self._fresh}, separators=(",", ":"))
        self._path.parent.mkdir(parents=True, exist_ok=True)
        work = self._path.with_name(f".{self._path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
        work.write_text(content, encoding="utf-8")
        work.replace(self._path)
        self._known, self._fresh = None, {}
        self._reread = False

    def _of_file(self, path: Path) -> str:
        entry = self._fresh.get(str(path))
        if entry is None and not self._reread:
            entry = self._load().get(str(path))
        if entry is not None and entry[0] == sign_file(path):
            return entry[1]
        return self._read(path, digest_file)

    def _read(self, path: Path, of_file: Callable[[Path], str]) -> str:
        read_at, signature = self._clock(), sign_file(path)
        digest = of_file(path)
        is_old = max(signature[1], signature[2]) < read_at - _TICK_NS
        if is_old and sign_file(path) == signature:
            self._fresh[str(path)] = (signature, digest)
        return digest

    def _load(self) -> dict[str, tuple[Signature, str]]:
        if self._known is None:
            self._known = _read(self._path)
        return self._known


def _read(path: Path) -> dict[str, tuple[Signature, str]]:
    try:
        entries = json.loads(path.read_text(encoding="utf-8")).items()
        return {
            name: (_signature(*signature), str(digest)) for name, (signature, digest) in entries
        }
    except (OSError, ValueError, TypeError, AttributeError):
        return {}


def _signature(size: int, modified: int, changed: int, inode: int) -> Signature:
    return size, modified, changed, inode
