"""What is deployed of a study. Imports no Prefect, whose settings are read on import."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


@dataclass(frozen=True)
class Plan:
    """What is deployed.

    Attributes
    ----------
    study
        The study folder.
    store, results
        Of the study; beside it when None.
    pool
        The work pool; made when absent.
    cron, timezone
        When it runs by itself.
    profile
        Where its stages run.
    """

    study: Path
    store: Path | None = None
    results: Path | None = None
    pool: str = "hiaim"
    cron: str = "0 5 * * *"
    timezone: str = "UTC"
    profile: str = "local"
