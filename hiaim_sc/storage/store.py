"""The store: a folder of artefacts, each complete or not there at all."""

from __future__ import annotations

import fcntl
import json
import os
import shutil
import uuid
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal

from hiaim_sc.errors import DamagedArtefactError
from hiaim_sc.storage.digests import digest_file, digest_table, digest_value
from hiaim_sc.storage.file_digests import FileDigests
from hiaim_sc.storage.payloads import Payload, read_payload, write_payload
from hiaim_sc.storage.recipe import Recipe
from hiaim_sc.storage.stored_counts import StoredCounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping

    import pandas as pd

_MANIFEST = "artefact.json"


@dataclass(frozen=True)
class Artefact:
    """A complete artefact on disk.

    Attributes
    ----------
    key
        Its recipe's key.
    folder
        Where it lies.
    files
        Payload name: file name.
    """

    key: str
    folder: Path
    files: dict[str, str]

    def __contains__(self, name: str) -> bool:
        return name in self.files

    def read(self, name: str) -> Any:
        """Read one payload; `DamagedArtefactError` when it has none of that name."""
        return read_payload(self._path(name))

    def open(self, name: str) -> StoredCounts:
        """Counts that are read by rows; `DamagedArtefactError` when it has none of that name."""
        return StoredCounts(self._path(name))

    def _path(self, name: str) -> Path:
        if name not in self.files:
            msg = f"artefact {self.key[:12]} has no {name}, only {', '.join(sorted(self.files))}"
            raise DamagedArtefactError(msg)
        return self.folder / self.files[name]


@dataclass(frozen=True)
class Look:
    """What the store says about a recipe before anything runs."""

    recipe: Recipe
    status: Literal["reused", "recomputed"]
    why: str


class Store:
    """Artefacts by key, below one folder.

    Writers work beside the artefact's place and rename into it, so that a reader sees all of an
    artefact or nothing. Two runs at once may compute the same artefact: the first to finish wins
    and both are right, since equal keys mean equal content.

    Parameters
    ----------
    root
        The store's folder; made when first written to.
    verify
        Read every file again, also those that look unchanged.

    Attributes
    ----------
    digests
        Of files in the store and elsewhere; remembered between runs once saved.
    """

    def __init__(self, root: Path, *, verify: bool = False) -> None:
        self.root = Path(root)
        self.digests = FileDigests(self.root / "digests.json", reread=verify)

    def folder(self, key: str) -> Path:
        """Where the artefact of this key lies, or would lie."""
        return self.root / "artefacts" / key[:2] / key

    def find(self, key: str) -> Artefact | None:
        """The artefact of this key, or None where there is none that reads as one.

        Its files are not read: `damage` does that.
        """
        manifest = self.folder(key) / _MANIFEST
        try:
            files = json.loads(manifest.read_text(encoding="utf-8"))["files"]
            names = {name: str(entry["file"]) for name, entry in files.items()}
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return None
        return Artefact(key, manifest.parent, names)

    def get(self, key: str) -> Artefact:
        """The artefact of this key; `DamagedArtefactError` when it is not there."""
        artefact = self.find(key)
        if artefact is None:
            msg = f"artefact {key[:12]} is not in {self.root}"
            raise DamagedArtefactError(msg)
        return artefact

    def damage(self, key: str) -> str | None:
        """What is wrong with a stored artefact: the first file that is not as its manifest says."""
        folder = self.folder(key)
        try:
            files = json.loads((folder / _MANIFEST).read_text(encoding="utf-8"))["files"]
            for entry in files.values():
                path = folder / entry["file"]
                if not path.exists() or self.digests.of(path) != entry["sha256"]:
                    return str(entry["file"])
        except (OSError, ValueError, KeyError, TypeError, AttributeError):
            return _MANIFEST
        return None

    def look(self, recipe: Recipe) -> Look:
        """Whether the artefact of this recipe can be reused, and why not."""
        if not self.folder(recipe.key).exists():
            return Look(recipe, "recomputed", recipe.why_not(self._last(recipe)))
        damaged = self.damage(recipe.key)
        if damaged:
            return Look(recipe, "recomputed", f"damaged: {damaged}")
        return Look(recipe, "reused", "nothing changed")

    def put(self, recipe: Recipe, payloads: Mapping[str, Payload]) -> Artefact:
        """Write an artefact, whole or not at all.

        An intact artefact of the same key is left as it is; a damaged one is replaced.
        """
        with self.locked(recipe.key):
            if self.folder(recipe.key).exists():
                if self.damage(recipe.key) is None:
                    return self._remember(recipe)
                shutil.rmtree(self.folder(recipe.key))
            self._write(recipe, payloads)
        return self._remember(recipe)

    def put_value(self, name: str, table: pd.DataFrame) -> str:
        """Store an input that is a table in memory, under the digest of its content.

        Returns
        -------
        The key, `value_key(name, table)`, to be used as an input of recipes.
        """
        recipe = _value_recipe(name, table)
        if self.find(recipe.key) is None or self.damage(recipe.key):
            self.put(recipe, {name: table})
        return recipe.key

    @contextmanager
    def locked(self, name: str) -> Iterator[None]:
        """Hold the store's lock of this name; the kernel frees it when the process dies."""
        path = self.root / "locks" / digest_value(name)[:32]
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("w") as handle:
            fcntl.flock(handle, fcntl.LOCK_EX)
            yield

    def _write(self, recipe: Recipe, payloads: Mapping[str, Payload]) -> None:
        final = self.folder(recipe.key)
        work = final.with_name(f".{recipe.key}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
        work.mkdir(parents=True)
        try:
            files = {}
            for name, payload in sorted(payloads.items()):
                path = write_payload(work, name, payload)
                files[name] = {"file": path.name, "sha256": digest_file(path)}
            content = {"recipe": asdict(recipe), "files": files}
            (work / _MANIFEST).write_text(json.dumps(content, indent=1), encoding="utf-8")
            work.rename(final)
        finally:
            shutil.rmtree(work, ignore_errors=True)

    def _index(self, recipe: Recipe) -> Path:
        owner = "cohort" if recipe.library_id is None else f"library-{recipe.library_id}"
        return self.root / "last" / owner / f"{recipe.stage.replace(':', '-')}.json"

    def _remember(self, recipe: Recipe) -> Artefact:
        path = self._index(recipe)
        path.parent.mkdir(parents=True, exist_ok=True)
        work = path.with_name(f".{path.name}.{os.getpid()}.{uuid.uuid4().hex[:8]}")
        work.write_text(json.dumps(asdict(recipe)), encoding="utf-8")
        work.replace(path)
        return self.get(recipe.key)

    def _last(self, recipe: Recipe) -> Recipe | None:
        try:
            return Recipe(**json.loads(self._index(recipe).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None


def value_key(name: str, table: pd.DataFrame) -> str:
    """Key under which `Store.put_value` would store this table; writes nothing."""
    return _value_recipe(name, table).key


def _value_recipe(name: str, table: pd.DataFrame) -> Recipe:
    return Recipe(f"value:{name}", None, {"content": digest_table(table)}, {}, "", {})
