"""Looks at the files that libraries.tsv names, again and again, and says what has arrived."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from hiaim_sc.errors import (
    LibraryFaultError,
    can_recover,
    describe_unreadable,
    find_system_error,
)
from hiaim_sc.study.arrivals.delivery import (
    deliveries,
    digest_whole,
    find_fault,
    is_marked,
    look_at,
)
from hiaim_sc.study.arrivals.entries import Entry, Quarantine
from hiaim_sc.study.arrivals.judging import describe_change, find_twin

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping
    from pathlib import Path

    from hiaim_sc.storage import FileDigests
    from hiaim_sc.study.arrivals.delivery import Delivery, Look
    from hiaim_sc.study.arrivals.entries import Standing
    from hiaim_sc.study.arrivals.registry import Registry
    from hiaim_sc.study.study import Study


class Watcher:
    """Takes libraries in when their files are whole and have been still, and keeps bad ones out.

    What it has seen of files that still move is in memory; what it has decided is in the registry.
    A new watcher goes on from there.

    Parameters
    ----------
    registry
        Where decisions are written, one after the other.
    digests
        Digests of files; not saved here.
    clock
        Seconds, never going back.
    look
        What moves when any of the files does; None while one is not there.

    Attributes
    ----------
    undecided
        library_id: what the storage answered when its files were last read; they are read again
        after another still time.
    """

    def __init__(
        self,
        registry: Registry,
        digests: FileDigests,
        *,
        clock: Callable[[], float] = time.monotonic,
        look: Callable[[Mapping[str, Path]], Look | None] = look_at,
    ) -> None:
        self._registry = registry
        self._digests = digests
        self._clock = clock
        self._look = look
        self._since: dict[str, tuple[Look, float]] = {}
        self._examined: dict[str, tuple[Look, dict[str, str], str]] = {}
        self.undecided: dict[str, str] = {}

    def look(self, study: Study) -> tuple[str, ...]:
        """Look once; the libraries that were taken in or are kept out since the last time.

        A library is ready when its row in libraries.tsv says ``delivered``, or its marker is there,
        or no marker is asked for; and all its files have been still for `still_seconds` and do not
        change while they are read.
        """
        changed, standing = [], self._registry.read()
        for delivery in deliveries(study):
            look = self._still(study, delivery)
            if look is not None and self._consider(study, delivery, look, standing):
                changed.append(delivery.library_id)
                standing = self._registry.read()
        return tuple(changed)

    def _still(self, study: Study, delivery: Delivery) -> Look | None:
        """The files as they have been for long enough, None where they have not."""
        options, name = study.config.options.arrivals, delivery.library_id
        look = self._look(delivery.paths)
        if look is None or not _is_declared(delivery, options.marker):
            self._since.pop(name, None)
            return None
        before, since = self._since.get(name, (None, 0.0))
        if look != before:
            self._since[name] = (look, self._clock())
            return None
        return look if self._clock() - since >= options.still_seconds else None

    def _consider(self, study: Study, delivery: Delivery, look: Look, standing: Standing) -> bool:
        """Decide on files that have been still; whether that is news."""
        name = delivery.library_id
        entry = standing.entries.get(name, Entry(name))
        seen, files, fault = self._examined.get(name, (None, {}, ""))
        if seen != look:
            try:
                files, fault = self._examine(study, delivery, entry)
            except (OSError, LibraryFaultError) as error:
                return self._leave_unread(delivery, entry, error)
            self.undecided.pop(name, None)
            if self._look(delivery.paths) != look:
                self._since.pop(name, None)  # it moved while it was read
                return False
            self._examined[name] = (look, files, fault)
        found = _judge(standing.of(study.libraries["library_id"]), entry, files, fault)
        if found is None:
            if entry.quarantine is None and entry.files == files:
                return False
            self._registry.take_in(name, files)
            return True
        if found == entry.quarantine:
            return False
        self._registry.keep_out(name, found)
        return True

    def _leave_unread(self, delivery: Delivery, entry: Entry, error: Exception) -> bool:
        """Files whose bytes the system does not give; whether that is news.

        Nothing is remembered of them: what lets them be read need not change how they look.
        """
        name = delivery.library_id
        self._since.pop(name, None)
        failure = find_system_error(error)
        reason = describe_unreadable(failure) if failure else str(error)
        if can_recover(error):
            self.undecided[name] = reason
            return False
        found = Quarantine(reason, dict.fromkeys(delivery.paths, ""), can_be_released=False)
        if found == entry.quarantine:
            return False
        self._registry.keep_out(name, found)
        return True

    def _examine(
        self, study: Study, delivery: Delivery, entry: Entry
    ) -> tuple[dict[str, str], str]:
        """Digest of each file and what is wrong with any; files taken in before are known good."""
        paths = delivery.paths
        if entry.files:
            files = {column: self._digests.of(path) for column, path in paths.items()}
            if files == entry.files:
                return files, ""
        try:
            files = {name: self._digests.read(path, digest_whole) for name, path in paths.items()}
            return files, find_fault(study, delivery)
        except LibraryFaultError as error:
            if can_recover(error):
                raise
            return {name: self._digests.of(path) for name, path in paths.items()}, error.reason


def _is_declared(delivery: Delivery, marker: str | None) -> bool:
    if marker is None or delivery.state == "delivered":
        return True
    return is_marked(delivery.paths, marker.replace("{library_id}", delivery.library_id))


def _judge(
    others: list[Entry], entry: Entry, files: Mapping[str, str], fault: str
) -> Quarantine | None:
    """Why these files are kept out; None where they are not."""
    change = describe_change(entry, files)
    if fault:
        return Quarantine("; ".join(filter(None, [fault, change])), files, can_be_released=False)
    twin = find_twin(others, entry.library_id, files)
    if twin:
        return Quarantine(twin, files, can_be_released=False)
    return Quarantine(change, files, can_be_released=True) if change else None
