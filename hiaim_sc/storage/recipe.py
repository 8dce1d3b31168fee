"""What an artefact is made from."""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from functools import cached_property
from typing import Any

from hiaim_sc.storage.digests import digest_value


@dataclass(frozen=True)
class Recipe:
    """Everything a stage's result depends on, and nothing else.

    Attributes
    ----------
    stage
        Name of the stage.
    library_id
        The library, or None for a stage of the whole cohort.
    inputs
        Name of the input: key of the artefact or digest of the file.
    options
        The stage's own options, all of them, defaults included.
    code
        Digest of the source that runs.
    versions
        Versions of the libraries that the code uses.
    """

    stage: str
    library_id: str | None
    inputs: dict[str, str]
    options: dict[str, Any]
    code: str
    versions: dict[str, str] = field(default_factory=dict)

    @cached_property
    def key(self) -> str:
        """Name of the artefact: digest of all fields."""
        return digest_value(asdict(self))

    def why_not(self, previous: Recipe | None) -> str:
        """Why this is not the artefact made last time, in words.

        Parameters
        ----------
        previous
            The recipe that the same stage and library had when last run, if any.
        """
        if previous is None:
            return "first run"
        reasons = []
        for what, now, before in (
            ("input", self.inputs, previous.inputs),
            ("option", self.options, previous.options),
            ("version", self.versions, previous.versions),
        ):
            changed = sorted(n for n in now.keys() | before.keys() if now.get(n) != before.get(n))
            if changed:
                reasons.append(f"{what} changed: {_shorten(changed)}")
        if self.code != previous.code:
            reasons.append("code changed")
        return "; ".join(reasons) or "not in the store"


def _shorten(names: list[str], *, limit: int = 4) -> str:
    shown = ", ".join(names[:limit])
    return shown if len(names) <= limit else f"{shown} and {len(names) - limit} more"
