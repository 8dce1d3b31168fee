"""The study as a run may see it: what the tables say, held against what has arrived."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from hiaim_sc.errors import describe_unreadable
from hiaim_sc.study.arrivals.delivery import deliveries, look_at
from hiaim_sc.study.arrivals.judging import describe_change
from hiaim_sc.study.library_files import LetIn
from hiaim_sc.study.paths import is_there

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hiaim_sc.study.arrivals.delivery import Delivery, Look
    from hiaim_sc.study.arrivals.entries import Entry, Standing
    from hiaim_sc.study.study import Study


def hold_against(
    study: Study,
    standing: Standing,
    digest_of: Callable[[Path], str],
    *,
    is_moving: Callable[[Look], bool] | None = None,
) -> Study:
    """The study with the state of each library as the registry knows it.

    A library that was taken in counts as delivered, whatever libraries.tsv says; one that is kept
    out, has changed or is gone is held back with the reason. A library that the registry does not
    know is as the table says.

    Parameters
    ----------
    standing
        What the registry says.
    digest_of
        Digest of a file or folder.
    is_moving
        Whether files that nobody has taken in yet may still be written to: then the library counts
        as expected.
    """
    held, let_in, gone = dict(study.held), {}, set()
    states = study.libraries.set_index("library_id")["state"].to_dict()
    for delivery in deliveries(study):
        name = delivery.library_id
        entry = standing.entries.get(name)
        if entry is not None and (reason := _reason(delivery, entry, digest_of)):
            if look_at(delivery.paths) is None:
                gone.add(name)
            states[name], held[name] = "delivered", reason
        elif entry is not None and entry.files:
            states[name] = "delivered"
            if entry.release is not None:
                let_in[name] = LetIn(entry.release.gate, str(entry.release))
        else:
            states[name] = _not_taken_in(delivery, is_moving)
    libraries = study.libraries.assign(state=study.libraries["library_id"].map(states))
    return replace(study, libraries=libraries, held=held, let_in=let_in, gone=frozenset(gone))


def _not_taken_in(delivery: Delivery, is_moving: Callable[[Look], bool] | None) -> str:
    """State of a library whose files, as they are, nobody has judged."""
    look = look_at(delivery.paths) if is_moving else None
    moves = is_moving is not None and look is not None and is_moving(look)
    return "expected" if moves else delivery.state


def _reason(delivery: Delivery, entry: Entry, digest_of: Callable[[Path], str]) -> str:
    """Why the library is held back; empty where it is not.

    Other bytes than those that were kept out, of a library that was never taken in, are as new.
    """
    gone = sorted(str(path) for path in delivery.paths.values() if not is_there(path))
    if gone and (entry.files or delivery.state == "delivered"):
        when = f" when it was registered on {entry.since[:10]}" if entry.since else " before"
        return (
            f"{', '.join(gone)} is not there any more; it was{when}: copy it back, or take the"
            " library out of libraries.tsv"
        )
    if gone:
        return ""
    try:
        files = {column: digest_of(path) for column, path in delivery.paths.items()}
    except OSError as error:
        return describe_unreadable(error)
    if entry.quarantine is not None and entry.quarantine.files == files:
        return entry.quarantine.reason
    return describe_change(entry, files)
