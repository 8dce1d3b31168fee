"""What has arrived: a file of JSON lines that is only ever added to.

Each line is one thing that happened. What is known now follows from reading them in order, so a
writer that is killed leaves either its whole line or a torn last one, which counts for nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hiaim_sc.errors import HiaimError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path


class DamagedRegistryError(HiaimError):
    """A line of the registry of arrivals cannot be read."""


@dataclass(frozen=True)
class Quarantine:
    """Why a library is kept out.

    Attributes
    ----------
    reason
        One sentence for the technician who can mend it.
    files
        Column of libraries.tsv: digest of the file for which it is kept out.
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
class Standing:
    """What the registry says.

    Attributes
    ----------
    entries
        By library_id.
    announced
        The line up to which a run has been asked for.
    """

    entries: Mapping[str, Entry] = field(default_factory=dict)
    announced: int = 0

    def of(self, library_ids: Iterable[str]) -> list[Entry]:
        """What is known of these libraries; those it has not heard of are left out."""
        return [self.entries[name] for name in library_ids if name in self.entries]

    def unannounced(self) -> tuple[Entry, ...]:
        """What changed since a run was last asked for, by library_id."""
        new = [entry for entry in self.entries.values() if entry.line > self.announced]
        return tuple(sorted(new, key=lambda entry: entry.library_id))


class Registry:
    """The registry of a study's arrivals.

    Parameters
    ----------
    path
        Its file; made when first written to.
    now
        The time, with its zone.
    """

    def __init__(self, path: Path, *, now: Callable[[], datetime] | None = None) -> None:
        self.path = path
        self._now = now or _utc_now

    def read(self) -> Standing:
        """What is known now.

        Raises
        ------
        DamagedRegistryError
            When a line other than a torn last one is not as it was written.
        """
        content = self.path.read_bytes() if self.path.is_file() else b""
        whole = content[: content.rfind(b"\n") + 1]
        standing = Standing()
        for number, line in enumerate(whole.splitlines(), start=1):
            try:
                standing = _follow(standing, json.loads(line), number)
            except (ValueError, KeyError, TypeError) as error:
                msg = (
                    f"{self.path} line {number} is damaged ({error}); restore the file, or remove"
                    " it to take every library in anew"
                )
                raise DamagedRegistryError(msg) from error
        return standing

    def take_in(self, library_id: str, files: Mapping[str, str]) -> None:
        """These files are whole, checked, and the library's."""
        self._add("registered", library_id=library_id, files=dict(files))

    def keep_out(self, library_id: str, quarantine: Quarantine) -> None:
        """These files are not to be used."""
        self._add(
            "quarantined",
            library_id=library_id,
            files=dict(quarantine.files),
            reason=quarantine.reason,
            can_be_released=quarantine.can_be_released,
        )

    def let_in(self, library_id: str, files: Mapping[str, str], **said: str) -> None:
        """A person has let these files in; `said` holds the texts of a `Release` but `when`."""
        self._add("released", library_id=library_id, files=dict(files), **said)

    def announce(self, line: int) -> None:
        """A run has been asked for that sees everything up to this line."""
        self._add("announced", line=line)

    def _add(self, event: str, **facts: Any) -> None:
        when = self._now().isoformat(timespec="seconds")
        text = json.dumps({"when": when, "event": event, **facts}, ensure_ascii=False)
        self.path.parent.mkdir(parents=True, exist_ok=True)
        with self.path.open("a+b") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            _cut_torn_line(handle)
            handle.write(text.encode() + b"\n")
            handle.flush()
            os.fsync(handle.fileno())


def _utc_now() -> datetime:
    return datetime.now(UTC)


def _cut_torn_line(handle: Any) -> None:
    handle.seek(0)
    content = handle.read()
    whole = content.rfind(b"\n") + 1
    if whole != len(content):
        handle.truncate(whole)


def _follow(standing: Standing, line: Mapping[str, Any], number: int) -> Standing:
    """What is known after one more line."""
    if line["event"] == "announced":
        return replace(standing, announced=int(line["line"]))
    name = str(line["library_id"])
    before = standing.entries.get(name, Entry(name))
    entry = replace(_CHANGES[line["event"]](before, line), line=number)
    return replace(standing, entries={**standing.entries, name: entry})


def _registered(entry: Entry, line: Mapping[str, Any]) -> Entry:
    release = entry.release if entry.files == line["files"] else None
    return Entry(entry.library_id, line["files"], line["when"], release=release)


def _quarantined(entry: Entry, line: Mapping[str, Any]) -> Entry:
    found = Quarantine(line["reason"], line["files"], line["can_be_released"])
    return replace(entry, quarantine=found)


def _released(entry: Entry, line: Mapping[str, Any]) -> Entry:
    release = Release(line["who"], line["when"], line["reason"], line["was"], line["gate"])
    return Entry(entry.library_id, line["files"], line["when"], release=release)


_CHANGES: dict[str, Callable[[Entry, Mapping[str, Any]], Entry]] = {
    "registered": _registered,
    "quarantined": _quarantined,
    "released": _released,
}
