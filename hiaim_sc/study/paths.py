"""Where the paths of a table lead: into the study folder or a root that study.yaml names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


def is_there(path: Path) -> bool:
    """Whether a path leads to anything; not round in circles, to a lost mount, a closed folder."""
    try:
        path.stat()
    except OSError:
        return False
    return True


@dataclass(frozen=True)
class PathRoots:
    """The folders that paths of the tables may lead into.

    Attributes
    ----------
    folders
        Resolved; the study folder first.
    """

    folders: tuple[Path, ...]

    @classmethod
    def of(cls, folder: Path, data_roots: Sequence[str] = ()) -> PathRoots:
        """The study folder and the data roots, which are relative to it or absolute."""
        return cls(tuple(dict.fromkeys((folder / root).resolve() for root in (".", *data_roots))))

    def locate(self, text: str) -> Path:
        """The resolved path that a table's text means.

        A relative path is looked for in the study folder, then in the data roots; where it is in
        none of them it is taken as one of the study folder.
        """
        candidates = [(folder / text).resolve() for folder in self.folders]
        return next((path for path in candidates if is_there(path)), candidates[0])

    def hold(self, path: Path) -> bool:
        """Whether a resolved path lies in one of the folders."""
        return any(path.is_relative_to(folder) for folder in self.folders)
