"""A person lets a library in that is kept out or waited for; an unreadable one stays out."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault, LibraryFaultError, UserInputError, describe_unreadable
from hiaim_sc.storage import digest_file
from hiaim_sc.study.arrivals.delivery import deliveries, digest_whole, find_fault, look_at
from hiaim_sc.study.arrivals.entries import Entry
from hiaim_sc.study.arrivals.judging import find_twin
from hiaim_sc.study.paths import is_there
from hiaim_sc.study.tables import LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hiaim_sc.study.arrivals.delivery import Delivery
    from hiaim_sc.study.arrivals.registry import Registry
    from hiaim_sc.study.study import Study


def let_library_in(
    study: Study,
    registry: Registry,
    library_id: str,
    *,
    who: str,
    reason: str,
    fault: Mapping[str, str] | None = None,
) -> None:
    """Let a library in as its files are now, and write down who did and why.

    Parameters
    ----------
    library_id
        One that is kept out (changed bytes, a low join rate), or still waited for (a marker or the
        still time).
    who, reason
        The person, and their words.
    fault
        What the reader found: its ``reason``, and the ``gate`` that a person may open.

    Raises
    ------
    UserInputError
        Where nothing can be let in: files that are not there, cannot be read, are not what they
        are said to be, or are another library's.
    """
    if not reason.strip():
        raise UserInputError([Fault("command line", 0, "--reason", reason, "why it is let in")])
    delivery = _find(study, library_id)
    entry = registry.read().entries.get(library_id, Entry(library_id))
    files = _files(study, registry, delivery)
    gate, was = "", entry.quarantine.reason if entry.quarantine else ""
    if fault is not None:
        gate, was = fault.get("gate", ""), fault["reason"]
        if not gate:
            raise _refusal(library_id, was)
    elif entry.quarantine is None and entry.files == files:
        allowed = "a library that is quarantined or waited for; this one is in"
        raise UserInputError([Fault(LIBRARIES, 0, "library_id", library_id, allowed)])
    registry.let_in(library_id, files, who=who, reason=reason.strip(), was=was, gate=gate)


def _find(study: Study, library_id: str) -> Delivery:
    named = {delivery.library_id: delivery for delivery in deliveries(study)}
    if library_id not in named:
        allowed = f"a library of libraries.tsv that names a file: {', '.join(named) or 'none does'}"
        raise UserInputError([Fault(LIBRARIES, 0, "library_id", library_id, allowed)])
    return named[library_id]


def _files(study: Study, registry: Registry, delivery: Delivery) -> dict[str, str]:
    """Digests of the library's files, or a refusal."""
    look = look_at(delivery.paths)
    if look is None:
        gone = ", ".join(str(path) for path in delivery.paths.values() if not is_there(path))
        raise _refusal(delivery.library_id, f"{gone} is not there")
    try:
        files = {
            column: digest_file(path, of_file=digest_whole)
            for column, path in delivery.paths.items()
        }
        found = find_fault(study, delivery)
    except LibraryFaultError as error:
        found = error.reason
    except OSError as error:
        found = describe_unreadable(error)
    others = registry.read().of(study.libraries["library_id"])
    found = found or find_twin(others, delivery.library_id, files)
    if found:
        raise _refusal(delivery.library_id, found)
    if look_at(delivery.paths) != look:
        raise _refusal(delivery.library_id, "its files change while they are read")
    return files


def _refusal(library_id: str, why: str) -> UserInputError:
    allowed = f"cannot be let in: {why}. No reason makes these files usable: deliver them again"
    return UserInputError([Fault(LIBRARIES, 0, "library_id", library_id, allowed)])
