"""Which endpoints are judged together, and what that does to their p-values."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd

from hiaim_sc.compare.contrasts import PLACE, Place, Trial
from hiaim_sc.stats import benjamini_hochberg, max_t
from hiaim_sc.storage import generator

if TYPE_CHECKING:
    from collections.abc import Collection

    from hiaim_sc.config import AnalysisPlan, StudyConfig

REGISTERED, PRIMARY, KEY_SECONDARY = "registered_primary", "primary", "key_secondary"


class Family(NamedTuple):
    """What a comparison is judged with.

    Attributes
    ----------
    name
        Comparisons of one family share the adjustment of their p-values.
    gate
        The name again where the family is a gate; empty elsewhere.
    planned
        Whether the plan names the endpoint.
    """

    name: str
    gate: str
    planned: bool


def find_family(place: Place, config: StudyConfig) -> Family:
    """Family of a comparison.

    The registered primary outcome stands alone. At the last visit and at rest the plan's primary
    and key secondary endpoints are gates. All else belongs to the plan's families: one whose name
    starts with a tissue and ``_`` holds endpoints of that tissue alone (``tumour_`` stands for
    tissue ``tumor``), another those of any. What the plan does not name goes by its assay
    (``measurements:<assay>``) or tissue (``<tissue>_other``).
    """
    gate = _find_gate(place, config)
    if gate:
        return Family(gate, gate, planned=True)
    spelt = _spell(place.tissue)
    tissues = {_spell(name) for name in config.design.tissues} | {"blood", "tumour"}
    for family, members in config.analysis_plan.families.items():
        prefix = _spell(family.split("_")[0])
        if place.endpoint in members and (prefix == spelt or prefix not in tissues):
            return Family(family, "", planned=True)
    assay = place.endpoint.split(":")[0]
    return Family(f"{spelt}_other" if spelt else f"measurements:{assay}", "", planned=False)


def _find_gate(place: Place, config: StudyConfig) -> str:
    """The gate that a comparison belongs to; empty for none."""
    plan, last = config.analysis_plan, list(config.design.visits)[-1]
    registered = plan.registered_primary
    if place.session_phase != "rest":
        return ""
    if registered and place.endpoint == registered.endpoint:
        return REGISTERED if place.visit == (registered.visit or last) else ""
    if place.visit != last:
        return ""
    # a measurement is of no tissue
    if place.endpoint in plan.primary and place.tissue in (plan.primary_tissue, ""):
        return PRIMARY
    planned = plan.key_secondary_tissue.get(place.endpoint, place.tissue)
    is_key = place.endpoint in plan.key_secondary and place.tissue in (planned, "")
    return KEY_SECONDARY if is_key else ""


def find_level(gate: str, config: StudyConfig) -> float:
    """The level that a comparison of a gate is judged at; of no gate where `gate` is empty.

    The contrasts of a trial with several treated arms share the level of the gates equally
    (Bonferroni), so that it holds for all of them together.
    """
    plan = config.analysis_plan
    if gate == REGISTERED and plan.registered_primary:
        return plan.registered_primary.alpha
    return plan.alpha / (len(config.design.arms) - 1) if gate else plan.alpha


def list_gates(plan: AnalysisPlan) -> dict[str, tuple[str, ...]]:
    """The gates in the order in which they open, each with the endpoints planned for it."""
    # the registered primary outcome is judged by itself, wherever else the plan names it
    alone = plan.registered_primary.endpoint if plan.registered_primary else None
    return {
        gate: tuple(name for name in names if name != alone)
        for gate, names in ((PRIMARY, plan.primary), (KEY_SECONDARY, plan.key_secondary))
    }


def is_open(rows: pd.DataFrame, planned: Collection[str]) -> bool:
    """Whether a gate lets through what lies behind it: all of its hypotheses are rejected.

    Serial gatekeeping: a gate that holds a true null opens the next only by an error of its own,
    which its adjustment keeps to the level; so the level holds over all gates together. One
    rejection would not do: the next gate would be tested at the full level beside a true null of
    this one. What could not be tested is not rejected.

    Parameters
    ----------
    rows
        Comparisons of the gate, of one contrast.
    planned
        Endpoints that must be among them.
    """
    return set(planned) <= set(rows["endpoint"]) and bool((rows["p_adj"] <= rows["alpha"]).all())


def judge(table: pd.DataFrame, trial: Trial, *, prespecified: bool) -> pd.DataFrame:
    """The comparisons with ``family gate alpha p_adj prespecified``.

    The p-values of a gate, or of one of the plan's joint families, are adjusted together by max-T
    (min-P) over the same redrawn arms, those of any other family by Benjamini-Hochberg. The
    registered primary outcome is not adjusted and has a level of its own. What lies behind a gate
    that does not open (`is_open`) is no longer prespecified: its numbers stay.

    Parameters
    ----------
    table
        A row per comparison with its place, ``contrast`` and ``p_perm``.
    trial
        What the rows were computed from.
    prespecified
        Whether the plan was frozen before the arms were opened, and has not changed.
    """
    places = [Place(*row) for row in table[PLACE].itertuples(index=False, name=None)]
    families = [find_family(place, trial.config) for place in places]
    table = table.assign(
        family=[family.name for family in families],
        gate=[family.gate for family in families],
        prespecified=[prespecified and family.planned for family in families],
        alpha=[find_level(family.gate, trial.config) for family in families],
    )
    is_joint = (table["gate"] != "") | table["family"].isin(
        trial.config.analysis_plan.joint_families
    )
    for (family, contrast), group in table[is_joint].groupby(["family", "contrast"]):
        adjusted = group["p_perm"].to_numpy(dtype=float)
        if family != REGISTERED:
            together = [places[position] for position in group.index]
            adjusted = _adjust_together(together, adjusted, trial, str(family), str(contrast))
        table.loc[group.index, "p_adj"] = adjusted
    for _, group in table[~is_joint].groupby("family"):
        table.loc[group.index, "p_adj"] = benjamini_hochberg(group["p_perm"].to_numpy(dtype=float))
    return _close_gates(table, trial.config.analysis_plan)


def _adjust_together(
    places: list[Place], p_perm: np.ndarray, trial: Trial, family: str, contrast: str
) -> np.ndarray:
    tested = [place for place, p in zip(places, p_perm, strict=True) if np.isfinite(p)]
    adjusted = np.full(len(places), np.nan)
    if not tested:
        return adjusted
    treated = contrast.split(" - ", maxsplit=1)[0]
    outcomes = [trial.outcome(place, treated) for place in tested]
    patients = outcomes[0].patients
    for outcome in outcomes[1:]:
        patients = patients.union(outcome.patients)
    values = [pd.Series(o.values, o.patients).reindex(patients) for o in outcomes]
    before = [
        pd.Series(np.nan if o.baseline is None else o.baseline, o.patients).reindex(patients)
        for o in outcomes
    ]
    options, design = trial.config.options.compare, trial.config.design
    arms = sorted([design.arms[0], treated])
    found = max_t(
        np.column_stack(values),
        (trial.arms.reindex(patients) == treated).to_numpy(dtype=bool),
        baseline=np.column_stack(before),
        strata=trial.labels.reindex(patients).to_numpy(dtype=object) if design.strata else None,
        n_draws=options.n_draws,
        rng=generator("max_t", options.seed, family, *arms),
    )
    # never below the p of the endpoint alone, which comes from draws of its own
    adjusted[np.isfinite(p_perm)] = np.fmax(found.p_adjusted, p_perm[np.isfinite(p_perm)])
    return adjusted


def _close_gates(table: pd.DataFrame, plan: AnalysisPlan) -> pd.DataFrame:
    """A gate that does not open takes what lies behind it with it, contrast by contrast."""
    for _, rows in table.groupby("contrast"):
        behind = rows["gate"] != REGISTERED
        for gate, planned in list_gates(plan).items():
            is_own = rows["gate"] == gate
            behind &= ~is_own
            if not is_open(rows[is_own], planned):
                table.loc[rows.index[behind], "prespecified"] = False
    return table


def _spell(tissue: str) -> str:
    return "tumour" if tissue == "tumor" else tissue
