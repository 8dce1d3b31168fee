"""The releases of a study: which there are, which is the latest, and what a purge leaves of one."""

from __future__ import annotations

import json
import os
import shutil
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

LATEST = "latest"
# What an emptied release still tells: that it was made, when, under which plan, and whether it
# compared the arms. Later releases are held against it.
_KEPT = ("release_id", "study", "started", "blinded", "plan_hash", "frozen_plan")


def releases_in(results: Path, *, emptied: bool = False) -> list[Path]:
    """Folders of the complete releases, oldest first; or of those that a purge has emptied."""
    found = sorted(path.parent for path in results.glob("[0-9]*/manifest.json"))
    return [path for path in found if is_emptied(path) == emptied]


def remove_halves(results: Path) -> None:
    """Remove what runs that died while they wrote a release have left of it.

    For one who holds the lock of runs: then nobody is writing one.
    """
    for half in results.glob(".[0-9]*T[0-9]*Z-*"):
        shutil.rmtree(half)


def is_emptied(release: Path) -> bool:
    """Whether a purge has left nothing of it but its record."""
    manifest = json.loads((release / "manifest.json").read_text(encoding="utf-8"))
    return "purged" in manifest


def empty_release(release: Path, *, when: str) -> None:
    """Remove everything of a release but that there was one, and its deviations.

    The record is written first: a release of which only a part could be removed is none already.

    Parameters
    ----------
    when
        UTC time of the purge.
    """
    path = release / "manifest.json"
    manifest = json.loads(path.read_text(encoding="utf-8"))
    kept = {name: manifest.get(name) for name in _KEPT}
    kept |= {"purged": manifest.get("purged", when), "artefacts": {}, "tasks": []}
    work = path.with_name(f".{path.name}.{os.getpid()}")
    work.write_text(json.dumps(kept, indent=1, ensure_ascii=False), encoding="utf-8")
    work.replace(path)
    for file in leftovers(release):
        file.unlink()
    for folder in sorted(release.rglob("*"), reverse=True):
        if folder.is_dir() and not any(folder.iterdir()):
            shutil.rmtree(folder)


def leftovers(release: Path) -> list[Path]:
    """The files of a release that do not stay when it is emptied."""
    stays = {release / "manifest.json", *(release / "tables").glob("deviations.*")}
    return [file for file in release.rglob("*") if not file.is_dir() and file not in stays]


def point_latest(results: Path, release: Path | None = None) -> None:
    """Have ``latest`` lead to a release; without one to the newest, or nowhere where there is none.

    Parameters
    ----------
    release
        Folder of the release.
    """
    found = [release] if release else releases_in(results)
    if not found:
        (results / LATEST).unlink(missing_ok=True)
        return
    link = results / f".{LATEST}.{os.getpid()}"
    link.unlink(missing_ok=True)
    link.symlink_to(found[-1].name)
    link.replace(results / LATEST)
