"""What of a store nothing needs any more."""

from __future__ import annotations

import json
import shutil
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterable
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
    n_artefacts = n_bytes = 0
    for folder in sorted((store.root / "artefacts").glob("*/*")):
        if folder.name in kept:
            continue
        n_artefacts += 1
        n_bytes += sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
        if remove:
            shutil.rmtree(folder)
    return Collected(n_artefacts, n_bytes)


def _with_inputs(store: Store, keys: Iterable[str]) -> set[str]:
    """These keys and those of everything that their artefacts were made from."""
    found: set[str] = set()
    waiting = list(keys)
    while waiting:
        key = waiting.pop()
        if key not in found:
            found.add(key)
            waiting += _inputs(store.folder(key))
    return found


def _inputs(folder: Path) -> list[str]:
    """Inputs of an artefact: keys of others, digests of files and plain words alike."""
    try:
        manifest = json.loads((folder / "artefact.json").read_text(encoding="utf-8"))
        return [str(key) for key in manifest["recipe"]["inputs"].values()]
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return []
