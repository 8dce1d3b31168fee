"""What can go wrong, said so that the person who can mend it understands it."""

from __future__ import annotations

import errno
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence


# What a file system or a network mends by itself: waiting helps.
_PASSING = frozenset(
    {
        errno.EIO,
        errno.EAGAIN,
        errno.EBUSY,
        errno.ENETDOWN,
        errno.ENETRESET,
        errno.ENETUNREACH,
        errno.EHOSTDOWN,
        errno.EHOSTUNREACH,
        errno.ENOTCONN,
        errno.ENOLCK,
        errno.EREMOTEIO,
        errno.ESTALE,
        errno.ETIMEDOUT,
    }
)


class HiaimError(Exception):
    """Base of every error this project raises on purpose."""


@dataclass(frozen=True, order=True)
class Fault:
    """One thing wrong with what the user gave.

    Attributes
    ----------
    table
        File name of the table (``samples.tsv``), or the config file.
    row
        Line number in that file, the header being line 1; 0 where the fault belongs to no row.
    column
        Column name, or the dotted key in a YAML file; empty where the fault belongs to no column.
    value
        The value as it was read.
    allowed
        What is allowed, or what to do next.
    """

    table: str
    row: int
    column: str
    value: str
    allowed: str

    @property
    def where(self) -> str:
        """Table, line and column."""
        where = self.table
        if self.row:
            where += f" line {self.row}"
        if self.column:
            where += f", {self.column}"
        return where

    def __str__(self) -> str:
        return f"{self.where}: {self.value!r}: {self.allowed}"


class UserInputError(HiaimError):
    """The user's input is wrong (exit code 2). Carries every fault, not only the first.

    Parameters
    ----------
    faults
        All faults found, in the order they should be read.
    """

    def __init__(self, faults: Iterable[Fault]) -> None:
        self.faults: tuple[Fault, ...] = tuple(faults)
        n = len(self.faults)
        lines = [f"{n} fault{'s' if n != 1 else ''} in the input:"]
        lines += [f"  {fault}" for fault in self.faults]
        super().__init__("\n".join(lines))

    # Workers are processes: without this, unpickling would call __init__ with the message.
    def __reduce__(self) -> tuple[type[UserInputError], tuple[Sequence[Fault]]]:
        return type(self), (self.faults,)


class LibraryFaultError(HiaimError):
    """A library's files are unusable: the library is quarantined, the others go on.

    Parameters
    ----------
    reason
        One sentence for the technician who can mend it: which file, what is wrong, what was
        expected.
    gate
        Name of the check, where a person may let the library in all the same.
    """

    def __init__(self, reason: str, *, gate: str = "") -> None:
        self.reason = reason
        self.gate = gate
        super().__init__(reason)


class DamagedArtefactError(HiaimError):
    """An artefact in the store does not match its own manifest."""


def can_recover(error: BaseException | None) -> bool:
    """Whether the file system or the network failed, now or as the cause, so that waiting helps.

    Input that is wrong stays wrong, and so does a file that is not there.
    """
    while error is not None:
        if isinstance(error, TimeoutError | ConnectionError):
            return True
        if isinstance(error, OSError) and error.errno in _PASSING:
            return True
        error = error.__cause__
    return False


def find_system_error(error: BaseException | None) -> OSError | None:
    """What the system answered instead of a file's bytes, now or as the cause.

    None where there were bytes: then they are what is wrong. Readers of gzip and HDF5 raise an
    `OSError` without a number for these.
    """
    while error is not None:
        if isinstance(error, OSError) and error.errno is not None:
            return error
        error = error.__cause__
    return None


def describe_unreadable(error: OSError) -> str:
    """Why a file cannot be read and what to do, for the technician."""
    name = error.filename or "a file"
    if isinstance(error, FileNotFoundError):
        return f"{name} is not there any more: copy it back"
    mend = "see where the path leads"
    if can_recover(error):
        mend = "its storage failed, and it is tried again"
    elif isinstance(error, PermissionError):
        mend = "let the account that runs this read it"
    return f"{name} cannot be read ({error.strerror or error}): {mend}"
