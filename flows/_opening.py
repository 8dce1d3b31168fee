"""Whether and under which plan a run opens the arms."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.study import changes_since, require_frozen_plan

if TYPE_CHECKING:
    from hiaim_sc.study import FrozenPlan, PlanChange, Study


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
        """Whether the plan is as it was frozen."""
        return self.frozen is not None and not self.changes


def open_arms(study: Study, request: ArmsRequest) -> Opening:
    """What the user asked for, refused where it cannot be.

    Raises
    ------
    UserInputError
        When the options contradict each other, or the plan does not allow to unblind.
    """
    if request.blinded and request.unblind:
        allowed = "one of the two"
        raise UserInputError([Fault("command line", 0, "", "--blinded --unblind", allowed)])
    if request.deviation and not request.unblind:
        allowed = "only together with --unblind"
        raise UserInputError([Fault("command line", 0, "", "--deviation", allowed)])
    if not request.unblind:
        return Opening(blinded=request.blinded)
    deviation = (request.deviation or "").strip()
    frozen = require_frozen_plan(study, deviation=deviation)
    return Opening(
        frozen=frozen,
        changes=tuple(changes_since(frozen, study.config)),
        deviation=deviation,
    )
