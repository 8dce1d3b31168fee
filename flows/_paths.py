"""Where a study's things lie when nothing is said."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


def default_results(folder: Path) -> Path:
    """Where a study's releases go."""
    return folder / "results"


def default_store(folder: Path) -> Path:
    """Where a study's artefacts lie."""
    return folder / ".hiaim"
