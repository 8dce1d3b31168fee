"""Patients who have withdrawn and were purged: what is theirs, and the study without it."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from hiaim_sc.errors import describe_unreadable
from hiaim_sc.study.paths import is_there
from hiaim_sc.study.screens import list_screens, screen_files
from hiaim_sc.study.tables import FILE_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Callable, Collection, Iterable, Mapping
    from pathlib import Path

    import pandas as pd

    from hiaim_sc.study.arrivals.entries import Purge
    from hiaim_sc.study.study import Study

# That a sample was planned, and why it has no value, is told of every patient who was randomised.
_PLACE = ("sample_id", "patient_id", "visit", "tissue", "session_phase")
_TELLS_NOTHING = {*_PLACE, "status", "reason", "sample_tag", "screen_id", "role"}
# What is known of a person before anything is measured: of no use but with cells of theirs, so
# that nothing made with these tables tells of a patient of whom nothing else had arrived.
_PERSONAL = ("participants", "hla")
_WITHDREW = "withdrew"


@dataclass(frozen=True)
class Owned:
    """What of a study folder is a patient's.

    Attributes
    ----------
    libraries
        Of one of their samples.
    pooled
        Of theirs and other patients' samples.
    screens
        Bulk screens with one of their samples.
    files
        Files of all these.
    """

    libraries: tuple[str, ...]
    pooled: tuple[str, ...]
    screens: tuple[str, ...]
    files: tuple[Path, ...]


def owned_by(study: Study, patient_id: str) -> Owned:
    """What of a study folder holds cells of a patient, as its tables say."""
    samples = _samples_of(study, patient_id)
    names = _libraries_with(study, samples)
    single = set(study.libraries.loc[study.libraries["sample_id"].isin(samples), "library_id"])
    screens = _screens_with(study, samples)
    files: list[Path] = []
    for name in names:
        files += study.library_files(name).paths
    for name in screens:
        files += screen_files(study, name).reads
    return Owned(
        tuple(sorted(names & single)),
        tuple(sorted(names - single)),
        tuple(sorted(screens)),
        tuple(dict.fromkeys(sorted(files))),
    )


def leave_out(study: Study, purged: Mapping[str, Purge]) -> Study:
    """The study without what is of purged patients.

    Their rows of participants and samples stay, with nothing in them but where a sample was
    planned, the strata, and the status ``withdrew``. Their libraries are held, pooled ones as a
    whole: which cells of a pool are theirs is known only after these were read. So are bulk
    screens with one of their samples.
    """
    for purge in purged.values():
        study = _leave_out_one(study, purge)
    return study


def hold_copies(study: Study, purged: Iterable[Purge], digest_of: Callable[[Path], str]) -> Study:
    """The same, without libraries and screens whose files are those that a purged patient was in.

    Parameters
    ----------
    digest_of
        Digest of a file or folder.
    """
    known = {digest: purge for purge in purged for digest in purge.digests}
    if not known:
        return study

    def find(paths: Iterable[Path]) -> str:
        """Why they are held; what cannot be read may be such a file."""
        try:
            digests = [digest_of(path) for path in paths if is_there(path)]
        except OSError as error:
            return describe_unreadable(error)
        return next((_why(known[digest]) for digest in digests if digest in known), "")

    held, screens = dict(study.held), dict(study.held_screens)
    for name in set(study.delivered_libraries()) - held.keys():
        if reason := find(study.library_files(name).paths):
            held[name] = reason
    for name in list_screens(study):
        if reason := find(screen_files(study, name).reads):
            screens[name] = reason
    return _without_screens(replace(study, held=held), screens)


def says_something(name: str, table: Any, patient_id: str) -> bool:
    """Whether a table that stages were given tells more of a patient than what was planned.

    Parameters
    ----------
    name, table
        As `hiaim_sc.storage.stored_tables` yields them; a damaged one may say anything.
    """
    if table is None:
        return True
    if name == "strata" or "patient_id" not in table:
        return False
    own = table[table["patient_id"] == patient_id]
    telling = [column for column in own.columns if column not in _TELLS_NOTHING]
    return bool(own[telling].notna().to_numpy().any())


def is_personal(name: str) -> bool:
    """Whether a table tells of a person what no result shows without cells of theirs."""
    return name in _PERSONAL


def _leave_out_one(study: Study, purge: Purge) -> Study:
    samples = _samples_of(study, purge.patient_id)
    libraries, screens = _libraries_with(study, samples), _screens_with(study, samples)
    is_out = study.libraries["library_id"].isin(libraries)
    held = study.libraries.mask(_cells(study.libraries, is_out, FILE_COLUMNS))
    held.loc[is_out, "state"] = "expected"
    is_theirs = study.samples["patient_id"] == purge.patient_id
    told = study.samples.mask(_cells(study.samples, is_theirs, _others(study.samples, _PLACE)))
    told.loc[is_theirs, ["status", "reason"]] = [_WITHDREW, f"purged on {purge.when[:10]}"]
    people = study.participants
    kept = ("patient_id", "withdrawn_on", *study.config.design.strata)
    who = people["patient_id"] == purge.patient_id
    measured = study.measurements
    if measured is not None:
        is_own = measured["patient_id"] == purge.patient_id
        measured = measured[~is_own].reset_index(drop=True)
    labelled = study.cell_type_overrides
    if labelled is not None:
        labelled = labelled[~labelled["library_id"].isin(libraries)].reset_index(drop=True)
    found = replace(
        study,
        cell_type_overrides=labelled,
        participants=people.mask(_cells(people, who, _others(people, kept))),
        samples=told,
        libraries=held,
        measurements=measured,
        held={**study.held, **dict.fromkeys(libraries, _why(purge))},
    )
    return _without_screens(found, {**study.held_screens, **dict.fromkeys(screens, _why(purge))})


def _without_screens(study: Study, held: Mapping[str, str]) -> Study:
    def rest(table: pd.DataFrame | None) -> pd.DataFrame | None:
        if table is None:
            return None
        return table[~table["screen_id"].isin(list(held))].reset_index(drop=True)

    return replace(
        study,
        bulk_screens=rest(study.bulk_screens),
        bulk_samples=rest(study.bulk_samples),
        held_screens=held,
    )


def _why(purge: Purge) -> str:
    return (
        f"holds cells of a patient who withdrew and was purged on {purge.when[:10]}; a pool can be"
        " delivered again without them and without their hashtag or sample tag"
    )


def _samples_of(study: Study, patient_id: str) -> set[str]:
    return set(study.samples.loc[study.samples["patient_id"] == patient_id, "sample_id"])


def _libraries_with(study: Study, samples: Collection[str]) -> set[str]:
    """Libraries of these samples, pooled ones with them included."""
    wanted = list(samples)
    own = study.libraries.loc[study.libraries["sample_id"].isin(wanted), "library_id"]
    tags = study.hashtags
    pooled = [] if tags is None else tags.loc[tags["sample_id"].isin(wanted), "library_id"]
    return {*own, *pooled} & set(study.libraries["library_id"])


def _screens_with(study: Study, samples: Collection[str]) -> set[str]:
    table = study.bulk_samples
    if table is None:
        return set()
    return set(table.loc[table["sample_id"].isin(list(samples)), "screen_id"])


def _others(table: pd.DataFrame, kept: Collection[str]) -> list[str]:
    return [column for column in table.columns if column not in kept]


def _cells(table: pd.DataFrame, rows: pd.Series, columns: Collection[str]) -> pd.DataFrame:
    """True in these columns of these rows."""
    return table.notna().assign(**{c: rows if c in columns else False for c in table.columns})
