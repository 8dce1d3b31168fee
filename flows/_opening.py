"""Whether and under which plan a run opens the arms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.study import PlanChange, changes_since, find_allocation_faults, require_frozen_plan

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.study import FrozenPlan, Study


@dataclass(frozen=True)
class ArmsRequest:
    """What the user asked for.

    Attributes
    ----------
    blinded
        Leave the allocation closed.
    unblind
        Compare the arms under the frozen plan.
    deviation
        Why the plan is not as it was frozen.
    """

    blinded: bool = False
    unblind: bool = False
    deviation: str | None = None

    @property
    def word(self) -> str:
        """The same in one word."""
        if self.blinded:
            return "blinded"
        return "unblind" if self.unblind else "explore"


@dataclass(frozen=True)
class Opening:
    """How a run treats the allocation.

    Attributes
    ----------
    blinded
        It stays closed; random labels are compared.
    frozen
        The plan under which the arms are unblinded; None in an exploratory or a blinded run.
    changes
        What differs from that plan.
    deviation
        The reason given for the changes.
    """

    blinded: bool = False
    frozen: FrozenPlan | None = None
    changes: tuple[PlanChange, ...] = ()
    deviation: str = ""

    @property
    def prespecified(self) -> bool:
        """Whether the plan is as it was frozen, and was frozen before the arms were compared."""
        return self.frozen is not None and not self.changes

    @property
    def plan_record(self) -> dict[str, str] | None:
        """What a release says of that plan."""
        if self.frozen is None:
            return None
        return {"plan_hash": self.frozen.plan_hash, "frozen_at": self.frozen.frozen_at}


def open_arms(study: Study, request: ArmsRequest, *, results: Path) -> Opening:
    """What the user asked for, refused where it cannot be.

    Parameters
    ----------
    results
        The study's releases: one that compared the arms before the plan was frozen is a change of
        that plan, too.

    Raises
    ------
    UserInputError
        When the options contradict each other, the allocation to be opened is faulty, or the plan
        does not allow to unblind.
    """
    if request.blinded and request.unblind:
        allowed = "one of the two"
        raise UserInputError([Fault("command line", 0, "", "--blinded --unblind", allowed)])
    if request.deviation and not request.unblind:
        allowed = "only together with --unblind"
        raise UserInputError([Fault("command line", 0, "", "--deviation", allowed)])
    faults = [] if request.blinded else find_allocation_faults(study)
    if faults:
        raise UserInputError(faults)
    if not request.unblind:
        return Opening(blinded=request.blinded)
    deviation = (request.deviation or "").strip()
    frozen = require_frozen_plan(study, deviation=deviation)
    return Opening(
        frozen=frozen,
        changes=(*changes_since(frozen, study.config), *_seen_before(frozen, results)),
        deviation=deviation,
    )


def _seen_before(frozen: FrozenPlan, results: Path) -> list[PlanChange]:
    """A change per release that compared the arms before the plan was frozen."""
    frozen_at = datetime.fromisoformat(frozen.frozen_at)
    seen = []
    for path in sorted(results.glob("[0-9]*/manifest.json")):
        manifest = json.loads(path.read_text(encoding="utf-8"))
        if datetime.fromisoformat(manifest["started"]) < frozen_at and not manifest["blinded"]:
            seen.append(PlanChange("arms", "sealed", f"compared in release {path.parent.name}"))
    return seen
