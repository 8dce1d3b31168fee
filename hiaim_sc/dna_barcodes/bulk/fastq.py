"""FASTQ files as blocks of text with the places of their reads, in memory of a fixed size."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, BinaryIO, Final

import numpy as np
from isal import igzip

from hiaim_sc.dna_barcodes.bulk.records import RECORD_FAULTS, find_unpaired, split_records
from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study.file_kinds import GZIP_MAGIC, name_kind

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import TracebackType

    type IntArray = np.ndarray[tuple[int, int], np.dtype[np.int64]]
    type Text = np.ndarray[tuple[int], np.dtype[np.uint8]]

# Small enough to stay in the cache between decompression and matching.
_BLOCK: Final = 1 << 20
_MOST_RECORDS: Final = 1 << 14
# Bases are read eight at a time, so a block does not end with the last of them.
_SPARE: Final = 16


@dataclass(frozen=True)
class Reads:
    """Some reads of a file.

    Attributes
    ----------
    text
        The block they stand in; valid until the next block is read.
    spans
        (n_reads, 4): start and length of the name, start and length of the bases.
    """

    text: Text
    spans: IntArray


class FastqFile:
    """A FASTQ file, plain or gzipped (also of several members), read block by block.

    Parameters
    ----------
    path
        The file.
    block
        Bytes held at a time; a record must fit in.
    """

    def __init__(self, path: Path, *, block: int = _BLOCK) -> None:
        self._name = path.name
        try:
            self._raw: BinaryIO = path.open("rb")
        except OSError as error:
            reason = f"{path.name} cannot be read ({error.strerror})"
            raise LibraryFaultError(reason) from error
        self.size = path.stat().st_size
        is_gzipped = self._raw.read(2) == GZIP_MAGIC
        self._raw.seek(0)
        self._file: Any = self._raw
        if is_gzipped:
            self._file = igzip.open(self._raw)  # type: ignore[no-untyped-call]
        self._text: Text = np.empty(block, dtype=np.uint8)
        self._spans = np.empty((_MOST_RECORDS, 4), dtype=np.int64)
        self._n_filled = self._n_used = self._n_read = 0
        self._is_at_end = False

    def __enter__(self) -> FastqFile:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        at: TracebackType | None,
    ) -> None:
        self._raw.close()

    @property
    def n_bytes_read(self) -> int:
        """How much of the file has been read."""
        return self._raw.tell()

    def next_reads(self) -> Reads:
        """The next reads; none at the end of the file.

        Raises
        ------
        LibraryFaultError
            When the file is damaged or no FASTQ file: which record, and what is wrong with it.
        """
        while True:
            n, n_used, fault = split_records(
                self._text[self._n_used :], self._n_filled - self._n_used, self._spans
            )
            if fault:
                self._refuse(n, fault)
            if n:
                found = Reads(self._text[self._n_used :], self._spans[:n])
                self._n_used += n_used
                self._n_read += n
                return found
            self._n_used += n_used
            if self._is_at_end:
                if self._n_used < self._n_filled:
                    self._refuse(0, 4)
                return Reads(self._text, self._spans[:0])
            self._fill()

    def _refuse(self, n: int, fault: int) -> None:
        start = self._text[: self._n_filled].tobytes()
        if self._n_read + n == 0 and (kind := name_kind(start)):
            reason = f"{self._name} is {kind}, no FASTQ file (plain or gzipped)"
            raise LibraryFaultError(reason)
        reason = (
            f"{self._name} is no whole FASTQ file: record {self._n_read + n + 1:,}: "
            f"{RECORD_FAULTS[fault]}"
        )
        raise LibraryFaultError(reason)

    def _fill(self) -> None:
        """Move what is left to the front of the block and read on behind it."""
        left = self._n_filled - self._n_used
        self._text[:left] = self._text[self._n_used : self._n_filled].copy()
        self._n_used, self._n_filled = 0, left
        room = memoryview(self._text)[left:-_SPARE]
        if not len(room):
            reason = f"{self._name} has no line end in {len(self._text):,} bytes: no FASTQ file"
            raise LibraryFaultError(reason)
        try:
            n_new = self._file.readinto(room)
        except (OSError, EOFError, zlib.error) as error:
            reason = f"{self._name} is cut short or damaged: copy it again ({error})"
            raise LibraryFaultError(reason) from error
        self._n_filled += n_new
        if n_new == 0:
            self._is_at_end = True
            self._end_last_line()

    def _end_last_line(self) -> None:
        if self._n_filled and self._text[self._n_filled - 1] != ord("\n"):
            self._text[self._n_filled] = ord("\n")
            self._n_filled += 1


def pair_reads(first: FastqFile, second: FastqFile) -> Iterator[tuple[Reads, Reads]]:
    """Reads of two files side by side.

    Raises
    ------
    LibraryFaultError
        When the files do not hold the mates of the same fragments in the same order.
    """
    one, two, n_pairs = first.next_reads(), second.next_reads(), 0
    while len(one.spans) and len(two.spans):
        n = min(len(one.spans), len(two.spans))
        odd = find_unpaired(one.text, one.spans[:n], two.text, two.spans[:n])
        if odd >= 0:
            reason = f"the reads of the two files are no mates from record {n_pairs + odd + 1:,} on"
            raise LibraryFaultError(reason)
        yield Reads(one.text, one.spans[:n]), Reads(two.text, two.spans[:n])
        n_pairs += n
        one = Reads(one.text, one.spans[n:]) if n < len(one.spans) else first.next_reads()
        two = Reads(two.text, two.spans[n:]) if n < len(two.spans) else second.next_reads()
    if len(one.spans) or len(two.spans):
        shorter = "second" if len(one.spans) else "first"
        reason = f"the {shorter} file ends after {n_pairs:,} reads, the other goes on"
        raise LibraryFaultError(reason)
