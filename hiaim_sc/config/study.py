"""The design of a trial, and the whole of ``study.yaml``."""

from __future__ import annotations

import itertools
from typing import Self

from pydantic import Field, model_validator

from hiaim_sc.config.base import Model, Name
from hiaim_sc.config.options import Options
from hiaim_sc.config.plan import AnalysisPlan


class Design(Model):
    """The trial's design, as randomised."""

    arms: tuple[Name, ...] = Field(min_length=2, description="Arms, reference arm first.")
    visits: dict[Name, int] = Field(
        min_length=1, description="Visit name: day after randomisation; the first is the baseline."
    )
    tissues: tuple[Name, ...] = Field(min_length=1)
    strata: tuple[str, ...] = Field(
        (), description="Columns of participants.tsv that were randomised in."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        for key in ("arms", "tissues", "strata"):
            values = getattr(self, key)
            if len(set(values)) != len(values):
                msg = f"{key} has a value twice: {', '.join(values)}"
                raise ValueError(msg)
        days = list(self.visits.values())
        if any(later <= earlier for earlier, later in itertools.pairwise(days)):
            msg = f"visits must stand in the order of their days, each later than the last: {days}"
            raise ValueError(msg)
        return self

    @property
    def baseline(self) -> str:
        """The first visit."""
        return next(iter(self.visits))

    @property
    def follow_ups(self) -> tuple[str, ...]:
        """The visits after the baseline, in order."""
        return tuple(self.visits)[1:]


class StudyConfig(Model):
    """The whole of ``study.yaml``."""

    study: Name
    design: Design
    data_roots: tuple[str, ...] = Field((), description="Further folders that paths may name.")
    options: Options = Options()
    analysis_plan: AnalysisPlan = AnalysisPlan()
