"""Whether and under which plan a run opens the arms."""

from __future__ import annotations

import json
from dataclasses import dataclass
from datetime import datetime
from typing import TYPE_CHECKING, Any, Final, NamedTuple

from flows._input_files import digest_inputs
from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.study import (
    PlanChange,
    changed_files,
    changes_since,
    find_allocation_faults,
    require_frozen_plan,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from hiaim_sc.study import FrozenPlan, Study

_ADVICE: Final = "put it back, or state the reason with --deviation"


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
        What differs from that plan, and what has changed since the arms were first compared.
    deviation
        The reason given for the changes.
    """

    blinded: bool = False
    frozen: FrozenPlan | None = None
    changes: tuple[PlanChange, ...] = ()
    deviation: str = ""

    @property
    def prespecified(self) -> bool:
        """Whether plan and inputs are as they were before the arms were compared."""
        return self.frozen is not None and not self.changes

    @property
    def plan_record(self) -> dict[str, str] | None:
        """What a release says of that plan."""
        if self.frozen is None:
            return None
        return {"plan_hash": self.frozen.plan_hash, "frozen_at": self.frozen.frozen_at}


def open_arms(
    study: Study, request: ArmsRequest, *, results: Path, digest: Callable[[Path], str]
) -> Opening:
    """What the user asked for, refused where it cannot be.

    Parameters
    ----------
    results
        The study's releases. One that compared the arms before the plan was frozen is a change of
        that plan, too; and so is whatever input has changed since the first of them.
    digest
        Of a file.

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
    looks = _looks(results)
    moved = _moved_since(looks[0].manifest, study, digest) if looks else []
    if moved and not deviation:
        since = f"in release {looks[0].name}, the first that compared the arms"
        raise UserInputError([change.to_fault(since, _ADVICE) for change in moved])
    planned = changes_since(frozen, study)
    known = {change.item for change in planned}
    return Opening(
        frozen=frozen,
        changes=(
            *planned,
            *(change for change in moved if change.item not in known),
            *_seen_before(frozen, looks),
        ),
        deviation=deviation,
    )


class _Look(NamedTuple):
    """A release that compared the arms."""

    name: str
    manifest: dict[str, Any]


def _looks(results: Path) -> list[_Look]:
    """The releases that compared the arms, oldest first."""
    paths = sorted(results.glob("[0-9]*/manifest.json"))
    found = [_Look(p.parent.name, json.loads(p.read_text(encoding="utf-8"))) for p in paths]
    return [look for look in found if not look.manifest["blinded"]]


def _moved_since(
    manifest: dict[str, Any], study: Study, digest: Callable[[Path], str]
) -> list[PlanChange]:
    """The inputs that are not as they were when the arms were first compared.

    What arrives before that is no change; afterwards everything is, since whoever chose it may have
    seen the arms. ``study.yaml`` is held against the frozen plan, key by key.
    """
    if "inputs" not in manifest:  # a purge took them
        return [PlanChange("inputs", "all", "without those of a purged patient", is_file=True)]
    before, after = dict(manifest["inputs"]), digest_inputs(study, digest, with_arms=True)
    for files in (before, after):
        files.pop("study.yaml", None)
    let_in = {name: found.words for name, found in study.let_in.items()}
    return changed_files(before, after) + [
        PlanChange(f"library {name}", "not let in", let_in[name], is_file=True)
        for name in sorted(let_in)
        if manifest.get("let_in", {}).get(name) != let_in[name]
    ]


def _seen_before(frozen: FrozenPlan, looks: list[_Look]) -> list[PlanChange]:
    """A change per release that compared the arms before the plan was frozen."""
    frozen_at = datetime.fromisoformat(frozen.frozen_at)
    return [
        PlanChange("arms", "sealed", f"compared in release {look.name}")
        for look in looks
        if datetime.fromisoformat(look.manifest["started"]) < frozen_at
    ]
