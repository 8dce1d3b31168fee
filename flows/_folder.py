"""The study folder as a run may see it: held against the registry of arrivals."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

from flows._progress import NoProgress
from flows._run import StudyRun
from flows.process_library import reader_fault
from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.study import read_study
from hiaim_sc.study.arrivals import (
    Registry,
    hold_against,
    hold_copies,
    leave_out,
    let_library_in,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hiaim_sc.storage import Store
    from hiaim_sc.study import Study
    from hiaim_sc.study.arrivals import Look


def registry_of(store: Store) -> Registry:
    """The registry of arrivals that belongs to a store."""
    return Registry(store.root / "arrivals.jsonl")


def open_study(folder: Path, store: Store, *, automatic: bool = False) -> Study:
    """The study, with each library in the state that the registry of arrivals knows.

    What is of purged patients is left out.

    Parameters
    ----------
    automatic
        Nobody has asked for this run just now: libraries whose files changed a moment ago wait for
        the next one, and a study of which no file is left is not released.

    Raises
    ------
    UserInputError
        With every fault of study.yaml and of the tables; in an automatic run also when no file is
        there of those that were taken in.
    """
    standing = registry_of(store).read()
    purged = standing.purged
    may_be_gone = standing.entries.keys() | {n for p in purged.values() for n in p.libraries}
    study = leave_out(read_study(folder, may_be_gone=may_be_gone), purged)
    is_moving = _younger_than(study.config.options.arrivals.still_seconds) if automatic else None
    found = hold_against(study, standing, store.digests.of, is_moving=is_moving)
    found = hold_copies(found, purged.values(), store.digests.of)
    taken_in = {e.library_id for e in standing.of(study.libraries["library_id"]) if e.files}
    if automatic and taken_in and taken_in <= found.gone:
        allowed = "the files of the registered libraries; is their storage mounted?"
        raise UserInputError([Fault("storage", 0, "", "none is there", allowed)])
    return found


def _younger_than(seconds: float) -> Callable[[Look], bool]:
    newest_ns = time.time_ns() - round(seconds * 1e9)
    return lambda look: any(changed > newest_ns for _, (_, _, changed, _) in look)


def release_from_quarantine(
    folder: Path, store: Store, library_id: str, *, who: str, reason: str
) -> None:
    """Let a library in as its files are now, and write down who did and why.

    Raises
    ------
    UserInputError
        Where nothing can be let in.
    """
    study = open_study(folder, store)
    let_library_in(
        study,
        registry_of(store),
        library_id,
        who=who,
        reason=reason,
        fault=reader_fault(StudyRun(study, store, NoProgress()), library_id),
    )
