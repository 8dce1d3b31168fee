"""One contrast: which patients, which covariates, which estimate, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, fields
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.stats import ancova, estimable, hedges_g, rerandomisation_test
from hiaim_sc.storage import generator

if TYPE_CHECKING:
    from hiaim_sc.config import StudyConfig

# Endpoints that are themselves changes since the baseline: they have no baseline value.
_CHANGES = ("n_called_m",)


@dataclass(frozen=True)
class Place:
    """Where a comparison is made; the fields are columns of the endpoints."""

    endpoint: str
    tissue: str
    visit: str
    session_phase: str


PLACE = [field.name for field in fields(Place)]


@dataclass(frozen=True)
class Trial:
    """Endpoints, allocation and design.

    Attributes
    ----------
    endpoints
        Release table with ``scale``.
    arms
        Arm by ``patient_id``.
    strata
        Indexed by ``patient_id``, as randomised.
    config
        Design, plan and options.
    layout
        Sample and batch of each library.
    """

    endpoints: pd.DataFrame
    arms: pd.Series
    strata: pd.DataFrame
    config: StudyConfig
    layout: pd.DataFrame

    @cached_property
    def values(self) -> pd.Series:
        """Analysed value by place and patient."""
        known = self.endpoints[self.endpoints["value_analysed"].notna()]
        found = known.set_index([*PLACE, "patient_id"])["value_analysed"].astype(float)
        return found.sort_index()

    def at(self, place: Place) -> pd.Series:
        """Analysed value by patient, patients of the trial only."""
        key = tuple(getattr(place, name) for name in PLACE)
        if key not in self.values.index:
            return pd.Series(dtype=float)
        found = self.values.loc[key]
        return found[found.index.isin(self.arms.index)].sort_index()

    def compare(self, place: Place, treated: str) -> dict[str, Any]:
        """A row of the table of comparisons, without what is known of the family only."""
        design, options = self.config.design, self.config.options.compare
        reference = design.arms[0]
        values = self.at(place)
        arm = self.arms.reindex(values.index)
        values = values[arm.isin([reference, treated])]
        is_treated = (self.arms.reindex(values.index) == treated).to_numpy()
        n_treated, n_reference = int(is_treated.sum()), int((~is_treated).sum())
        row = {
            **{name: getattr(place, name) for name in PLACE},
            "contrast": f"{treated} - {reference}",
            "n_reference": n_reference,
            "n_treated": n_treated,
            "scale": self._scale(place),
        }
        empty = self._why_empty(place, values, n_treated, n_reference)
        if empty:
            return {**row, "reason_empty": empty, "method": ""}
        baseline, strata = self._covariates(place, values)
        fit = ancova(values.to_numpy(), is_treated, baseline=baseline, strata=strata)
        row |= {
            "estimate": fit.estimate,
            "se": fit.se,
            "df": fit.df,
            "ci_low": fit.ci_low,
            "ci_high": fit.ci_high,
            "effect_g": hedges_g(values[is_treated].to_numpy(), values[~is_treated].to_numpy()),
            "method": self._method(baseline),
            "reason_empty": "",
        }
        if not np.isfinite(fit.estimate):
            return {**row, "reason_empty": "arm explained by baseline and strata"}
        if min(n_treated, n_reference) < options.min_patients_per_arm:
            few = f"fewer than {options.min_patients_per_arm} patients in an arm: estimate only"
            return {**row, "reason_empty": few}
        words = tuple(getattr(place, name) for name in PLACE)
        test = rerandomisation_test(
            values.to_numpy(),
            is_treated,
            baseline=baseline,
            strata=strata,
            n_draws=options.n_draws,
            rng=generator("rerandomisation", options.seed, *words, treated),
        )
        row["method"] += f", {'exact' if test.exact else f'{options.n_draws} draws'}"
        return {**row, "p_t": fit.p_value, "p_perm": test.p_value}

    def _scale(self, place: Place) -> str:
        found = self.endpoints[self.endpoints["endpoint"] == place.endpoint]["scale"]
        return str(found.iloc[0])

    def _why_empty(self, place: Place, values: pd.Series, n_treated: int, n_reference: int) -> str:
        design = self.config.design
        aliased = find_aliasing(self.layout, self.arms, place, design.baseline)
        if aliased:
            return f"batch aliased with {' and '.join(aliased)}"
        for name, n in ((design.arms[0], n_reference), ("treated", n_treated)):
            if n == 0:
                return f"no patient with a value in the {name} arm"
        if n_treated + n_reference < 3:
            return "fewer than 3 patients with a value"
        if np.ptp(values.to_numpy()) == 0:
            return "all patients have the same value"
        return ""

    def _covariates(
        self, place: Place, values: pd.Series
    ) -> tuple[np.ndarray | None, np.ndarray | None]:
        design = self.config.design
        baseline = None
        if place.visit != design.baseline and place.endpoint not in _CHANGES:
            first = Place(place.endpoint, place.tissue, design.baseline, place.session_phase)
            known = self.at(first).reindex(values.index).to_numpy(dtype=float)
            baseline = known if np.isfinite(known).any() else None
        strata = None
        if self.strata.shape[1]:
            strata = label_strata(self.strata).reindex(values.index).to_numpy(dtype=object)
        return baseline, strata

    def _method(self, baseline: np.ndarray | None) -> str:
        adjusted = [] if baseline is None else ["baseline"]
        adjusted += list(self.config.design.strata)
        model = f"ANCOVA on {' and '.join(adjusted)}" if adjusted else "difference of means"
        return f"{model}; stratified re-randomisation"


def label_strata(strata: pd.DataFrame) -> pd.Series:
    """One label per patient for the combination of all strata."""
    if strata.shape[1] == 0:
        return pd.Series("all", index=strata.index, dtype="str")
    return strata.astype("str").fillna("").agg(" / ".join, axis=1).astype("str")


def find_aliasing(layout: pd.DataFrame, arms: pd.Series, place: Place, baseline: str) -> list[str]:
    """What of arm and visit cannot be told from the batches of the samples that a contrast uses.

    A contrast c of the design X is estimable when c = c X^+ X; X holds an intercept, the arm (or
    the visit) and a column per batch but the first.
    """
    here = layout[
        (layout["tissue"] == place.tissue)
        & (layout["session_phase"] == place.session_phase)
        & layout["visit"].isin([baseline, place.visit])
        & layout["patient_id"].isin(arms.index)
    ]
    found = []
    at_visit = here[here["visit"] == place.visit]
    arm = (at_visit["patient_id"].map(arms) != arms.sort_values().iloc[0]).to_numpy(dtype=float)
    if _is_aliased(arm, at_visit["batch"]):
        found.append("arm")
    if place.visit != baseline:
        visit = (here["visit"] == place.visit).to_numpy(dtype=float)
        if _is_aliased(visit, here["batch"]):
            found.append("visit")
    return found


def _is_aliased(effect: np.ndarray, batch: pd.Series) -> bool:
    if len(effect) == 0 or np.ptp(effect) == 0 or len(set(batch)) == 1:
        return False
    batches = pd.get_dummies(batch.astype(str), drop_first=True).to_numpy(dtype=float)
    design = np.column_stack([np.ones(len(effect)), effect, batches])
    contrast = np.zeros(design.shape[1])
    contrast[1] = 1.0
    return not estimable(design, contrast).estimable
