"""What is known of the libraries that arrive."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping


@dataclass(frozen=True)
class Quarantine:
    """Why a library is kept out.

    Attributes
    ----------
    reason
        One sentence for the technician who can mend it.
    files
        Column of libraries.tsv: digest of the file for which it is kept out; empty where the files
        cannot be read.
    can_be_released
        Whether a person may let it in as it is.
    """

    reason: str
    files: Mapping[str, str]
    can_be_released: bool


@dataclass(frozen=True)
class Release:
    """Who let a library in, and why.

    Attributes
    ----------
    who, when, reason
        User, UTC time, and what they said.
    was
        Why it had been kept out.
    gate
        The check of the reader that does not hold for it; empty where there is none.
    """

    who: str
    when: str
    reason: str
    was: str
    gate: str = ""

    def __str__(self) -> str:
        before = f" (was: {self.was})" if self.was else ""
        return f"released by {self.who} on {self.when[:10]}: {self.reason}{before}"


@dataclass(frozen=True)
class Entry:
    """What is known of one library.

    Attributes
    ----------
    library_id
        Which.
    files
        Column of libraries.tsv: digest of the file that was taken in. Empty before that.
    since
        When it was taken in, UTC.
    quarantine
        Why it is kept out; None where it is not.
    release
        Who let these files in; None where nobody had to.
    line
        Line of the registry that spoke of it last.
    """

    library_id: str
    files: Mapping[str, str] = field(default_factory=dict)
    since: str = ""
    quarantine: Quarantine | None = None
    release: Release | None = None
    line: int = 0


@dataclass(frozen=True)
class Purge:
    """A patient who has withdrawn, and of whom nothing may come back.

    Attributes
    ----------
    patient_id
        Who.
    when, who
        UTC time and user of the first purge.
    libraries
        Of their samples, pooled ones included.
    digests
        Of all files that held cells of theirs.
    """

    patient_id: str
    when: str
    who: str
    libraries: frozenset[str] = frozenset()
    digests: frozenset[str] = frozenset()


@dataclass(frozen=True)
class Standing:
    """What the registry says.

    Attributes
    ----------
    entries
        By library_id.
    announced
        The line up to which a run has been asked for.
    purged
        By patient_id.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    announced: int = 0
    purged: Mapping[str, Purge] = field(default_factory=dict)

    def of(self, library_ids: Iterable[str]) -> list[Entry]:
        """What is known of these libraries; those it has not heard of are left out."""
        return [self.entries[name] for name in library_ids if name in self.entries]

    def unannounced(self) -> tuple[Entry, ...]:
        """What changed since a run was last asked for, by library_id."""
        new = [entry for entry in self.entries.values() if entry.line > self.announced]
        return tuple(sorted(new, key=lambda entry: entry.library_id))
