"""What of a store nothing needs any more, and what of it may not stay."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from graphlib import TopologicalSorter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Collection, Iterable, Iterator
    from pathlib import Path

    from hiaim_sc.storage.store import Store


@dataclass(frozen=True)
class Collected:
    """What was, or would be, removed.

    Attributes
    ----------
    n_artefacts, n_bytes
        Artefacts, and the bytes of their files.
    """

    n_artefacts: int
    n_bytes: int


def collect_garbage(store: Store, needed: Iterable[str], *, remove: bool) -> Collected:
    """Remove every artefact that is not needed, nor an input of one that is.

    Half-written ones are removed as well: nobody may be writing to the store.

    Parameters
    ----------
    needed
        Keys of artefacts that must stay; those not in the store are no fault.
    remove
        False only counts.
    """
    kept = _with_inputs(store, needed)
    return discard((f for f in _folders(store) if f.name not in kept), remove=remove)


def discard(folders: Iterable[Path], *, remove: bool) -> Collected:
    """Remove these folders of artefacts, one after the other; nobody may be writing to the store.

    Parameters
    ----------
    remove
        False only counts.
    """
    n_artefacts = n_bytes = 0
    for folder in folders:
        n_artefacts += 1
        n_bytes += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if remove:
            shutil.rmtree(folder)
    return Collected(n_artefacts, n_bytes)


def trace(store: Store, owners: Collection[str], keys: Collection[str]) -> list[Path]:
    """Folders of all that was made of these libraries or artefacts, each after its inputs.

    What cannot be read, or is half-written, is among them: nobody can say what it was made from.

    Parameters
    ----------
    owners
        Libraries, by id: their artefacts, and those that name one of theirs as an input.
    keys
        Artefacts to begin with.
    """
    recipes = {folder.name: _recipe(folder) for folder in _folders(store)}
    found, more = {key for key, recipe in recipes.items() if recipe is None}, True
    while more:
        new = {
            key
            for key, recipe in recipes.items()
            if key not in found and _is_of(key, recipe, owners, {*keys, *found})
        }
        found, more = found | new, bool(new)
    order = TopologicalSorter({key: found.intersection(_inputs(recipes[key])) for key in found})
    folders = {folder.name: folder for folder in _folders(store)}
    return [folders[key] for key in order.static_order()]


def _is_of(key: str, recipe: Any, owners: Collection[str], reached: Collection[str]) -> bool:
    return (
        key in reached
        or recipe["library_id"] in owners
        or any(name.partition("/")[2] in owners for name in recipe["inputs"])
        or any(value in reached for value in recipe["inputs"].values())
    )


def stored_tables(store: Store) -> Iterator[tuple[str, str, Any]]:
    """Name, key and content of every table of the study that stages were given as an input.

    The content is None where the artefact is damaged.
    """
    for folder in _folders(store):
        recipe, artefact = _recipe(folder), store.find(folder.name)
        if artefact is None or recipe is None or not recipe["stage"].startswith("value:"):
            continue
        name = recipe["stage"].removeprefix("value:")
        yield name, folder.name, None if store.damage(folder.name) else artefact.read(name)


def _folders(store: Store) -> list[Path]:
    """Every artefact's folder, also of those half-written."""
    return sorted((store.root / "artefacts").glob("*/*"))


def _with_inputs(store: Store, keys: Iterable[str]) -> set[str]:
    """These keys and those of everything that their artefacts were made from."""
    found: set[str] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += _inputs(_recipe(store.folder(key)))
    return found


def _inputs(recipe: dict[str, Any] | None) -> list[str]:
    """Inputs of an artefact: keys of others, digests of files and plain words alike."""
    return [] if recipe is None else [str(key) for key in recipe["inputs"].values()]


def _recipe(folder: Path) -> dict[str, Any] | None:
    """What an artefact was made from; None where nobody can tell."""
    try:
        recipe = json.loads((folder / "artefact.json").read_text(encoding="utf-8"))["recipe"]
        whole = isinstance(recipe["inputs"], dict) and isinstance(recipe["stage"], str)
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return recipe if whole and "library_id" in recipe else None
