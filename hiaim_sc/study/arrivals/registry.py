"""What has arrived: a file of JSON lines that is only ever added to.

Each line is one thing that happened. What is known now follows from reading them in order, so a
writer that is killed leaves either its whole line or a torn last one, which counts for nothing.
"""

from __future__ import annotations

import fcntl
import json
import os
from dataclasses import replace
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

from hiaim_sc.errors import HiaimError
from hiaim_sc.study.arrivals.entries import Entry, Purge, Quarantine, Release, Standing

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping
    from pathlib import Path


class DamagedRegistryError(HiaimError):
    """A line of the registry of arrivals cannot be read."""


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
                    f"{self.path} line {number} is damaged ({error}): restore the file from a"
                    " backup, or take out this line and repeat the purge if it was of one; never"
                    " remove the file: it says who was purged"
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

    def purge(
        self, patient_id: str, *, who: str, libraries: Iterable[str], digests: Iterable[str]
    ) -> None:
        """Nothing of this patient may be used again, nor these files, which hold their cells."""
        self._add(
            "purged",
            patient_id=patient_id,
            who=who,
            libraries=sorted(libraries),
            digests=sorted(digests),
        )

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
    if line["event"] == "purged":
        return replace(standing, purged={**standing.purged, **_purged(standing, line)})
    name = str(line["library_id"])
    before = standing.entries.get(name, Entry(name))
    entry = replace(_CHANGES[line["event"]](before, line), line=number)
    return replace(standing, entries={**standing.entries, name: entry})


def _purged(standing: Standing, line: Mapping[str, Any]) -> dict[str, Purge]:
    name = str(line["patient_id"])
    before = standing.purged.get(name, Purge(name, line["when"], line["who"]))
    libraries = before.libraries.union(line["libraries"])
    digests = before.digests.union(line["digests"])
    return {name: replace(before, libraries=libraries, digests=digests)}


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
