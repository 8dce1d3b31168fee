"""The analysis plan, frozen: what was decided before the arms were seen, and what changed since."""

from __future__ import annotations

import hashlib
import json
import os
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.study.plan_files import digest_plan_files

if TYPE_CHECKING:
    from collections.abc import Mapping
    from datetime import datetime

    from hiaim_sc.config import StudyConfig
    from hiaim_sc.study.study import Study

PLAN_LOCK = "sap.lock.json"
_CONFIG = "study.yaml"
_ABSENT = "(not set)"
_NO_FILE = "(no such file)"
_ANEW = "undo the change; while nobody has compared the arms, remove sap.lock.json and freeze again"


@dataclass(frozen=True)
class FrozenPlan:
    """What ``freeze`` wrote.

    Attributes
    ----------
    plan_hash
        `hash_plan` of the plan.
    frozen_at
        UTC time, ISO 8601.
    version
        Of hiaim-sc.
    plan
        `plan_of` the study at that time.
    """

    plan_hash: str
    frozen_at: str
    version: str
    plan: dict[str, Any]


@dataclass(frozen=True)
class PlanChange:
    """One thing that is no longer as it was frozen.

    Attributes
    ----------
    item
        Dotted key in ``study.yaml``, or a file.
    before, after
        The key's values as JSON, or "(not set)"; the beginning of the file's SHA-256.
    is_file
        Whether it is a file.
    """

    item: str
    before: str
    after: str
    is_file: bool = False

    def __str__(self) -> str:
        return f"{self.item}: {self.before} -> {self.after}"

    def to_fault(self, since: str, advice: str) -> Fault:
        """The change as a fault: what was there since when, and what can be done."""
        table, column = (self.item, "") if self.is_file else (_CONFIG, self.item)
        return Fault(table, 0, column, self.after, f"{self.before}, as {since}; {advice}")


def plan_of(study: Study) -> dict[str, Any]:
    """Design, options and analysis plan of ``study.yaml``, and the digests of the plan's files.

    Without any such file there is no ``files`` in it.
    """
    values = study.config.model_dump(mode="json", exclude={"options": {"arrivals"}})
    plan = {name: values[name] for name in ("design", "options", "analysis_plan")}
    files = digest_plan_files(study)
    return {**plan, "files": files} if files else plan


def hash_plan(plan: dict[str, Any]) -> str:
    """SHA-256 of a plan as canonical JSON: sorted keys, no spaces, UTF-8.

    Examples
    --------
    >>> hash_plan({"b": 1, "a": "é"}) == hash_plan({"a": "é", "b": 1})
    True
    """
    text = json.dumps(plan, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8")).hexdigest()


def freeze_plan(study: Study, *, now: datetime, version: str) -> FrozenPlan:
    """Lock the study's plan in ``sap.lock.json``; a plan that is locked already stays as it is.

    Raises
    ------
    UserInputError
        When another plan was frozen before, or the strata are not declared.
    """
    earlier = read_frozen_plan(study)
    if earlier is not None:
        since = f"frozen on {earlier.frozen_at[:10]}"
        if changes := changes_since(earlier, study):
            raise UserInputError([change.to_fault(since, _ANEW) for change in changes])
        return earlier
    if faults := find_undeclared(study.config):
        raise UserInputError(faults)
    plan = plan_of(study)
    frozen = FrozenPlan(hash_plan(plan), now.isoformat(timespec="seconds"), version, plan)
    path = study.folder / PLAN_LOCK
    work = path.with_name(f".{path.name}.{os.getpid()}")
    work.write_text(json.dumps(asdict(frozen), indent=1, ensure_ascii=False), encoding="utf-8")
    work.replace(path)
    return frozen


def read_frozen_plan(study: Study) -> FrozenPlan | None:
    """The frozen plan, None where there is none.

    Raises
    ------
    UserInputError
        When the file was edited or damaged.
    """
    path = study.folder / PLAN_LOCK
    if not path.is_file():
        return None
    allowed = "the file as freeze wrote it; restore it, for without it the plan counts as changed"
    try:
        frozen = FrozenPlan(**json.loads(path.read_text(encoding="utf-8")))
        found = hash_plan(frozen.plan)
    except (OSError, ValueError, TypeError, AttributeError) as error:
        raise UserInputError([Fault(PLAN_LOCK, 0, "", str(error), allowed)]) from error
    if found != frozen.plan_hash:
        raise UserInputError([Fault(PLAN_LOCK, 0, "plan_hash", frozen.plan_hash, allowed)])
    return frozen


def changes_since(frozen: FrozenPlan, study: Study) -> list[PlanChange]:
    """What differs from the frozen plan, by key and by file; empty when nothing does.

    A lock of a version that recorded no files knows none of them: each counts as changed.
    """
    old, new = dict(frozen.plan), plan_of(study)
    files = changed_files(old.pop("files", {}), new.pop("files", {}))
    before, after = _flatten(old), _flatten(new)
    keys = [
        PlanChange(key, before.get(key, _ABSENT), after.get(key, _ABSENT))
        for key in sorted({*before, *after})
        if before.get(key) != after.get(key)
    ]
    return keys + files


def changed_files(before: Mapping[str, str], after: Mapping[str, str]) -> list[PlanChange]:
    """Files, by name, that have another digest, are new or are gone."""
    return [
        PlanChange(name, _shorten(before.get(name)), _shorten(after.get(name)), is_file=True)
        for name in sorted({*before, *after})
        if before.get(name) != after.get(name)
    ]


def _shorten(digest: str | None) -> str:
    return _NO_FILE if digest is None else f"sha256 {digest[:12]}"


def require_frozen_plan(study: Study, *, deviation: str = "") -> FrozenPlan:
    """The frozen plan that allows the arms to be opened.

    Parameters
    ----------
    deviation
        Why the plan is not as it was frozen; empty: it must not have changed.

    Raises
    ------
    UserInputError
        When nothing was frozen, the strata are not declared, there is no allocation, or the plan
        has changed without a reason.
    """
    config = study.config
    faults = find_undeclared(config)
    if study.allocation_file() is None:
        allowed = "the allocation; without it nothing can be unblinded"
        faults.append(Fault("allocation.tsv", 0, "", "not there", allowed))
    frozen = read_frozen_plan(study)
    if frozen is None:
        allowed = "a frozen plan: run hiaim-sc freeze before anybody sees the arms"
        faults.append(Fault(PLAN_LOCK, 0, "", "not there", allowed))
    elif not deviation:
        advice = f"{_ANEW}; or state the reason with --deviation"
        since = f"frozen on {frozen.frozen_at[:10]}"
        faults += [change.to_fault(since, advice) for change in changes_since(frozen, study)]
    if faults or frozen is None:
        raise UserInputError(faults)
    return frozen


def find_undeclared(config: StudyConfig) -> list[Fault]:
    """A fault where nobody said within which strata patients were randomised."""
    if config.design.strata or config.analysis_plan.unstratified:
        return []
    allowed = (
        "the columns of participants.tsv that were randomised in; where there were none, set"
        " analysis_plan.unstratified: true"
    )
    return [Fault(_CONFIG, 0, "design.strata", "[]", allowed)]


def _flatten(values: Any, prefix: str = "") -> dict[str, str]:
    """Dotted key: value as JSON. A list is one value: its order counts."""
    if not isinstance(values, dict) or not values:
        return {prefix: json.dumps(values, ensure_ascii=False)}
    found: dict[str, str] = {}
    for key, value in values.items():
        found |= _flatten(value, f"{prefix}.{key}" if prefix else str(key))
    return found
