"""Options of arrivals."""

from __future__ import annotations

from pydantic import Field

from hiaim_sc.config.base import Model


class ArrivalOptions(Model):
    """When a library that is being copied counts as there. No number depends on it."""

    marker: str | None = Field(
        None,
        pattern=r"^[^/]+$",
        description="File beside a library's files that says they are complete, such as"
        " {library_id}.done; without it a row in libraries.tsv whose files are there says so.",
    )
    still_seconds: float = Field(
        60.0, ge=0, description="Files must not have changed for this long."
    )
    look_seconds: float = Field(2.0, gt=0, description="Time between two looks at the files.")
    gather_seconds: float = Field(
        3.0, ge=0, description="Time without a further arrival before a run is asked for."
    )
