"""A patient who has withdrawn: what was made from them, and how it is removed for good.

The registry is told first. Killed at any point after that, nothing of the patient is used again,
and the same command goes on with what is left.
"""

from __future__ import annotations

import json
import os
import shutil
from dataclasses import dataclass
from getpass import getuser
from typing import TYPE_CHECKING, Any

from flows._folder import registry_of
from flows._releases import empty_release, leftovers, point_latest, releases_in, remove_halves
from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.storage import Collected, discard, read_payload, stored_tables, trace
from hiaim_sc.study import read_study
from hiaim_sc.study.arrivals import is_personal, owned_by, says_something

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.storage import Store
    from hiaim_sc.study import Study
    from hiaim_sc.study.arrivals import Owned, Purge


@dataclass(frozen=True)
class Traces:
    """What is there of a patient.

    Attributes
    ----------
    patient_id
        Who.
    owned
        What of the study folder is theirs; it stays there.
    owners
        Libraries and bulk screens, also of earlier versions of the tables.
    artefacts
        Folders of the store, each after those that it was made from.
    releases
        Folders.
    size
        Number and bytes of the artefacts.
    """

    patient_id: str
    owned: Owned
    owners: frozenset[str]
    artefacts: tuple[Path, ...]
    releases: tuple[Path, ...]
    size: Collected


def find_traces(
    folder: Path, store: Store, results: Path, patient_id: str, *, force: bool
) -> Traces:
    """What is there of a patient in a study's store and releases.

    Parameters
    ----------
    force
        Also of one who has not withdrawn, or whose row is gone from participants.tsv.

    Raises
    ------
    UserInputError
        When nobody may be purged under this name.
    """
    study = read_study(folder, may_be_gone="all")
    purge = registry_of(store).read().purged.get(patient_id)
    owned = owned_by(study, patient_id)
    owners = frozenset({*owned.libraries, *owned.pooled, *owned.screens})
    owners |= purge.libraries if purge else frozenset()
    said: set[str] = set()
    personal: list[Path] = []
    tables = list(stored_tables(store))
    for name, key, table in tables:
        if says_something(name, table, patient_id):
            owners |= _owners_in(name, table, patient_id)
            if is_personal(name):
                personal.append(store.folder(key))
            else:
                said.add(key)
    for name, key, table in tables:
        if name == "overrides" and table is not None and owners & set(table["library_id"]):
            personal.append(store.folder(key))  # a person's words on their cells
    artefacts = [*personal, *trace(store, owners, said)]
    keys = {path.name for path in artefacts}
    releases = [path for path in releases_in(results) if _holds(path, patient_id, owners, keys)]
    # a purge that was killed
    releases += [path for path in releases_in(results, emptied=True) if leftovers(path)]
    size = discard(artefacts, remove=False)
    found = Traces(patient_id, owned, owners, tuple(artefacts), tuple(releases), size)
    _require_withdrawn(study, found, purge, force=force)
    return found


def _owners_in(name: str, table: Any, patient_id: str) -> frozenset[str]:
    """Libraries and screens that an earlier version of the tables had of the patient."""
    column = {"layout": "library_id", "tags": "screen_id"}.get(name)
    if table is None or column is None:
        return frozenset()
    return frozenset(table.loc[table["patient_id"] == patient_id, column])


def _holds(release: Path, patient_id: str, owners: frozenset[str], keys: set[str]) -> bool:
    """Whether a release was made of these artefacts, or has a cell or a value of the patient."""
    manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    made_of = {*manifest["artefacts"].values(), *(task["key"] for task in manifest["tasks"])}
    libraries = {name.partition("/")[2] for name in manifest["artefacts"]}
    if made_of & keys or libraries & owners:
        return True
    for name, column in (("cells", "cell_barcode"), ("endpoints", "value")):
        path = release / "tables" / f"{name}.parquet"
        if path.is_file():
            table: Any = read_payload(path)
            own = table.loc[table["patient_id"] == patient_id, column]
            if own.notna().any():
                return True
    return False


def _require_withdrawn(study: Study, found: Traces, purge: Purge | None, *, force: bool) -> None:
    people = study.participants.set_index("patient_id")
    name = found.patient_id
    if name not in people.index:
        if purge is None and not (force and (found.artefacts or found.releases)):
            allowed = "a patient of participants.tsv; of one whose row is gone, only with --force"
            raise UserInputError([Fault("participants.tsv", 0, "patient_id", name, allowed)])
        return
    withdrawn = people["withdrawn_on"].get(name) if "withdrawn_on" in people else None
    if purge is None and not force and not isinstance(withdrawn, str):
        allowed = f"the date on which {name} withdrew consent, or --force"
        raise UserInputError([Fault("participants.tsv", 0, "withdrawn_on", "", allowed)])


def require_removable(store: Store, found: Traces) -> None:
    """Refuses to begin what would stop halfway at a folder of another user.

    Raises
    ------
    UserInputError
        With every folder that may not be written.
    """
    made = (*found.artefacts, *found.releases)
    folders = {store.root, *(path.parent for path in made)}
    folders.update(folder for path in made for folder, *_ in path.walk())
    allowed = "a folder that this user may write; purge as the user who owns the store"
    faults = [
        Fault(str(folder), 0, "", getuser(), allowed)
        for folder in sorted(folders)
        if not os.access(folder, os.W_OK | os.X_OK)
    ]
    if faults:
        raise UserInputError(faults)


def remove_traces(store: Store, results: Path, found: Traces, *, who: str) -> None:
    """Write down that the patient is purged, and remove everything that was found.

    Nobody may be writing to the store.
    """
    registry = registry_of(store)
    before = registry.read().purged.get(found.patient_id)
    digests = {store.digests.of(path) for path in found.owned.files if path.exists()}
    store.digests.save()
    if before is None or digests - before.digests or found.owners - before.libraries:
        registry.purge(found.patient_id, who=who, libraries=found.owners, digests=digests)
    for release in found.releases:
        empty_release(release, when=registry.read().purged[found.patient_id].when)
    remove_halves(results)
    if found.releases:
        point_latest(results)
    discard(reversed(found.artefacts), remove=True)  # none outlives what it was made from
    for name in found.owners:
        shutil.rmtree(store.root / "last" / f"library-{name}", ignore_errors=True)
