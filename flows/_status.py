"""Where each library stands."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows._progress import NoProgress
from flows._run import StudyRun
from flows.process_library import process_libraries

if TYPE_CHECKING:
    from hiaim_sc.storage import Store
    from hiaim_sc.study import Study


@dataclass(frozen=True)
class LibraryState:
    """One library.

    Attributes
    ----------
    library_id, sample_id
        Which.
    state
        ``missing`` (expected, not delivered, or not there any more), ``arrived`` (not yet processed
        with the present code and options), ``processed`` or ``quarantined``.
    reason
        Why it is quarantined or missing, or who let it in.
    """

    library_id: str
    sample_id: str
    state: str
    reason: str = ""


def library_states(study: Study, store: Store) -> list[LibraryState]:
    """State of every library of the study, in the order of their ids; nothing runs."""
    run = StudyRun(study, store, NoProgress())
    processed = process_libraries(run)
    waiting = {record.library_id for record in run.records if record.status == "recomputed"}
    delivered = set(study.delivered_libraries())
    samples = study.libraries.set_index("library_id")["sample_id"].fillna("").to_dict()
    states = []
    for row in study.libraries.itertuples():
        name, sample = str(row.library_id), samples[row.library_id]
        if name in study.gone:
            state = LibraryState(name, sample, "missing", study.held[name])
        elif name in processed.quarantined:
            state = LibraryState(name, sample, "quarantined", processed.quarantined[name])
        elif name not in delivered:
            state = LibraryState(name, sample, "missing")
        else:
            words = study.let_in[name].words if name in study.let_in else ""
            here = "arrived" if name in waiting else "processed"
            state = LibraryState(name, sample, here, words)
        states.append(state)
    return states
