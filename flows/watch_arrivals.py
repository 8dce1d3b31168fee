"""Looks for libraries that arrive, takes them in or keeps them out, and asks for a run.

What is decided is in the registry before anybody is told, and what has been told is written down
after: a watcher that dies in between tells it again, under the same event id.
"""

from __future__ import annotations

import json
import time
from datetime import UTC, datetime
from typing import TYPE_CHECKING
from uuid import NAMESPACE_URL, uuid5

import httpx

from flows._closed_faults import ClosedInputError
from flows._folder import registry_of
from flows._presence import close_dead_runs
from hiaim_sc.errors import UserInputError, can_recover
from hiaim_sc.storage import sign_file
from hiaim_sc.study import read_study
from hiaim_sc.study.arrivals import Watcher, leave_out

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path
    from threading import Event

    from hiaim_sc.storage import Store
    from hiaim_sc.study import Study
    from hiaim_sc.study.arrivals import Entry

    type Message = dict[str, object]
    type Send = Callable[[Sequence[Message]], None]

_ALIVE_SECONDS = 15.0
# A stream of arrivals that never pauses must not put the run off for ever.
_MOST_GATHERS = 20


class Arrivals:
    """Watches one study.

    Parameters
    ----------
    folder
        The study folder.
    store
        Its store, which holds the registry.
    send
        Sends events; raises `httpx.HTTPError` while nobody takes them.
    tell
        Is told what happens, in words.
    clock
        Seconds, never going back.
    """

    def __init__(
        self,
        folder: Path,
        store: Store,
        *,
        send: Send,
        tell: Callable[[str], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self._store = store
        self._registry = registry_of(store)
        self._watcher = Watcher(self._registry, store.digests, clock=clock)
        self._send = send
        self._tell = tell
        self._clock = clock
        self._tables: object = None
        self._study: Study | None = None
        self._waits_for = ""
        self._undecided: dict[str, str] = {}
        self._new_since = self._last_new = 0.0
        self._line = 0

    def watch(self, stop: Event) -> None:
        """Look again and again until told to stop."""
        checked = -_ALIVE_SECONDS
        while not stop.is_set():
            try:
                self.look()
                if self._clock() - checked >= _ALIVE_SECONDS:
                    checked = self._clock()
                    close_dead_runs(self._store.root)
            except httpx.HTTPError as error:
                self._tell(f"the Prefect server does not answer ({error}); trying again")
            except OSError as error:
                if not can_recover(error):
                    raise
                self._tell(f"the storage does not answer ({error}); trying again")
            options = self._study.config.options.arrivals if self._study else None
            stop.wait(options.look_seconds if options else _ALIVE_SECONDS)

    def look(self) -> None:
        """Look once at the files; tell what has arrived, and ask for a run when no more does."""
        study = self._read()
        if study is None:
            return
        if self._watcher.look(leave_out(study, self._registry.read().purged)):
            self._store.digests.save()
        if self._watcher.undecided != self._undecided:
            self._undecided = dict(self._watcher.undecided)
            for name, reason in self._undecided.items():
                self._tell(f"{name}: not decided yet: {reason}")
        new = self._registry.read().unannounced()
        if not new:
            self._line = 0
            return
        line, now = max(entry.line for entry in new), self._clock()
        if line != self._line:
            self._tell_of([entry for entry in new if entry.line > self._line], study)
            self._new_since = now if self._line == 0 else self._new_since
            self._line, self._last_new = line, now
        gather = study.config.options.arrivals.gather_seconds
        if now - self._last_new >= gather or now - self._new_since >= _MOST_GATHERS * gather:
            self._send([_settled(study, new)])
            self._registry.announce(line)
            self._line = 0

    def _read(self) -> Study | None:
        """The study, read again when its tables have changed; None while it is faulty.

        What was faulty is read at every look: not all faults are mended in a table.
        """
        files = [*self._folder.glob("*.tsv"), *self._folder.glob("study.yaml")]
        tables = [(path.name, sign_file(path)) for path in sorted(files)]
        if self._study is None or tables != self._tables:
            before, self._waits_for = self._waits_for, ""
            self._tables, self._study = tables, None
            try:
                self._study = read_study(self._folder, may_be_gone="all")
            except UserInputError as error:
                self._waits_for = str(error)
                if self._waits_for != before:
                    closed = ClosedInputError(error.faults)
                    self._tell(f"waiting until this is mended: {closed}")
        return self._study

    def _tell_of(self, entries: Sequence[Entry], study: Study) -> None:
        self._send([_library_event(entry, study) for entry in entries])
        for entry in entries:
            reason = f"quarantined: {entry.quarantine.reason}" if entry.quarantine else "arrived"
            self._tell(f"{entry.library_id}: {reason}")


def send_events(events: Sequence[Message]) -> None:
    """Send events to the configured Prefect server, and know that it has them."""
    from prefect.client.orchestration import get_client

    with get_client(sync_client=True) as client:
        client.request("POST", "/events", json=list(events)).raise_for_status()


def _library_event(entry: Entry, study: Study) -> Message:
    name = study.config.study
    what = "quarantined" if entry.quarantine else "arrived"
    payload = {"library": entry.library_id}
    if entry.quarantine:
        payload["reason"] = entry.quarantine.reason
    return {
        **_event(f"hiaim.library.{what}", f"hiaim.library.{name}.{entry.library_id}", [entry]),
        "related": [
            {"prefect.resource.id": f"hiaim.study.{name}", "prefect.resource.role": "study"}
        ],
        "payload": payload,
    }


def _settled(study: Study, entries: Sequence[Entry]) -> Message:
    event = _event("hiaim.arrivals.settled", f"hiaim.study.{study.config.study}", entries)
    return {**event, "payload": {"n_libraries": len(entries)}}


def _event(event: str, resource: str, entries: Sequence[Entry]) -> Message:
    """An event whose id follows from what it tells, so that telling it twice is telling it once."""
    known = [[e.library_id, e.since, dict(e.files), str(e.quarantine), e.line] for e in entries]
    return {
        "id": str(uuid5(NAMESPACE_URL, json.dumps([event, resource, known]))),
        "event": event,
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": resource},
    }
