"""One contrast: which patients, which covariates, which estimate, or why there is none."""

from __future__ import annotations

from dataclasses import dataclass, fields, replace
from functools import cached_property
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.compare.aliasing import find_aliasing
from hiaim_sc.compare.endpoints import CHANGES, WITH_BLOOD, WITH_TUMOUR
from hiaim_sc.names import SESSION_PHASES
from hiaim_sc.stats import ancova, hedges_g, rerandomisation_test
from hiaim_sc.storage import generator

if TYPE_CHECKING:
    from hiaim_sc.config import StudyConfig
    from hiaim_sc.stats import Ancova, Rerandomisation


@dataclass(frozen=True)
class Place:
    """Where a comparison is made; the fields are columns of the endpoints."""

    endpoint: str
    tissue: str
    visit: str
    session_phase: str

    @property
    def key(self) -> tuple[str, ...]:
        """The values of the fields in order."""
        return (self.endpoint, self.tissue, self.visit, self.session_phase)

    @property
    def tissues(self) -> tuple[str, ...]:
        """Tissues whose samples the endpoint is made from."""
        if self.endpoint in WITH_TUMOUR:
            return (self.tissue, "tumor")
        return (self.tissue, "blood") if self.endpoint in WITH_BLOOD else (self.tissue,)


_NOBODY = "no patient with a value"
PLACE = [field.name for field in fields(Place)]


@dataclass(frozen=True)
class Outcome:
    """One value per patient with what it is compared and adjusted by; arrays of equal length.

    Attributes
    ----------
    patients
        ``patient_id``, sorted.
    values
        Analysed values.
    is_treated
        True in the treated arm, False in the reference arm.
    baseline
        Analysed values at the first visit, NaN where missing; None without adjustment.
    strata
        Label of each patient's stratum; None when nothing was randomised in.
    """

    patients: pd.Index
    values: np.ndarray
    is_treated: np.ndarray
    baseline: np.ndarray | None
    strata: np.ndarray | None

    @property
    def n_treated(self) -> int:
        """Patients in the treated arm."""
        return int(self.is_treated.sum())

    @property
    def n_reference(self) -> int:
        """Patients in the reference arm."""
        return int((~self.is_treated).sum())


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
    def values(self) -> dict[Any, pd.Series]:
        """Analysed values by patient, sorted, of each place that has any."""
        known = self.endpoints[self.endpoints["value_analysed"].notna()]
        known = known.set_index("patient_id").sort_index()
        return {place: rows["value_analysed"].astype(float) for place, rows in known.groupby(PLACE)}

    @cached_property
    def scales(self) -> dict[str, str]:
        """Scale of each endpoint."""
        first = self.endpoints.drop_duplicates("endpoint").set_index("endpoint")["scale"]
        return {str(endpoint): str(scale) for endpoint, scale in first.items()}

    @cached_property
    def labels(self) -> pd.Series:
        """Stratum of each patient."""
        return label_strata(self.strata)

    def at(self, place: Place) -> pd.Series:
        """Analysed value by patient, sorted; empty where nobody has one."""
        return self.values.get(place.key, pd.Series(dtype=float))

    def outcome(self, place: Place, treated: str) -> Outcome:
        """The patients of two arms that have a value, and what they are adjusted by."""
        values = self.at(place)
        arm = self.arms.reindex(values.index)
        values = values[arm.isin([self.config.design.arms[0], treated]).to_numpy()]
        patients = values.index
        baseline, first = None, self.config.design.baseline
        if place.visit != first and place.endpoint not in CHANGES:
            before = self.at(Place(place.endpoint, place.tissue, first, place.session_phase))
            known = before.reindex(patients).to_numpy(dtype=float)
            baseline = known if np.isfinite(known).any() else None
        strata = None
        if self.strata.shape[1]:
            strata = self.labels.reindex(patients).to_numpy(dtype=object)
        is_treated = (self.arms.reindex(patients) == treated).to_numpy(dtype=bool)
        return Outcome(patients, values.to_numpy(), is_treated, baseline, strata)

    def compare(self, place: Place, treated: str) -> dict[str, Any]:
        """A row of the table of comparisons, without what is known of the family only."""
        outcome = self.outcome(place, treated)
        row = {
            **dict(zip(PLACE, place.key, strict=True)),
            "contrast": f"{treated} - {self.config.design.arms[0]}",
            "n_reference": outcome.n_reference,
            "n_treated": outcome.n_treated,
            "scale": self.scales[place.endpoint],
            "method": "",
            "reason_empty": self._why_no_estimate(place, outcome, treated),
        }
        if row["reason_empty"]:
            return row
        fit = ancova(
            outcome.values, outcome.is_treated, baseline=outcome.baseline, strata=outcome.strata
        )
        if not np.isfinite(fit.estimate):
            return {**row, "reason_empty": "the strata or the baseline explain the arm"}
        row |= {**_describe(fit, outcome), "method": self._method(outcome)}
        row["reason_empty"] = self._why_no_p(fit, outcome)
        if row["reason_empty"]:
            return row
        test = self._test(place, outcome, treated)
        how = "exact" if test.exact else f"{test.n_draws} draws"
        row["method"] = f"{row['method']}, {how}"
        return {**row, "p_t": fit.p_value, "p_perm": test.p_value}

    def _test(self, place: Place, outcome: Outcome, treated: str) -> Rerandomisation:
        options = self.config.options.compare
        # the same draws whichever of the two arms is the reference
        arms = sorted([self.config.design.arms[0], treated])
        return rerandomisation_test(
            outcome.values,
            outcome.is_treated,
            baseline=outcome.baseline,
            strata=outcome.strata,
            n_draws=options.n_draws,
            rng=generator("rerandomisation", options.seed, *place.key, *arms),
        )

    def _why_no_estimate(self, place: Place, outcome: Outcome, treated: str) -> str:
        design = self.config.design
        counts = {design.arms[0]: outcome.n_reference, treated: outcome.n_treated}
        empty = [name for name, n in counts.items() if n == 0]
        if empty:
            return self._why_empty(place, empty)
        if sum(counts.values()) < 3:
            return "fewer than 3 patients with a value"
        if np.ptp(outcome.values) == 0:
            return "all patients have the same value"
        arm = pd.Series(outcome.is_treated, index=outcome.patients)
        aliased = find_aliasing(self.layout, arm, place, design.baseline)
        batches = sorted({batch for found in aliased.values() for batch in found})
        reason = f"batch aliased with {' and '.join(aliased)}: {', '.join(batches)}"
        return reason if aliased else ""

    def _why_empty(self, place: Place, empty: list[str]) -> str:
        others = [replace(place, session_phase=phase) for phase in SESSION_PHASES]
        measured = {arm for other in others for arm in self.arms.reindex(self.at(other).index)}
        if len(empty) == 1 and empty[0] in measured:
            missing = f"arm {empty[0]} has values, but none at {place.session_phase}"
            return f"contrast mixes session phases: {missing}"
        return f"no patient with a value in arm {empty[0]}" if len(empty) == 1 else _NOBODY

    def _why_no_p(self, fit: Ancova, outcome: Outcome) -> str:
        least = self.config.options.compare.min_patients_per_arm
        if min(outcome.n_treated, outcome.n_reference) < least:
            return f"fewer than {least} patients in an arm: estimate only"
        if fit.df < 1 or not np.isfinite(fit.se):
            return "the strata and the baseline explain all values: estimate only"
        return ""

    def _method(self, outcome: Outcome) -> str:
        adjusted = [] if outcome.baseline is None else ["baseline"]
        adjusted += list(self.config.design.strata)
        model = f"ANCOVA on {' and '.join(adjusted)}" if adjusted else "difference of means"
        return f"{model}; stratified re-randomisation"


def _describe(fit: Ancova, outcome: Outcome) -> dict[str, float]:
    treated, reference = outcome.values[outcome.is_treated], outcome.values[~outcome.is_treated]
    return {
        "estimate": fit.estimate,
        "se": fit.se,
        "df": fit.df,
        "ci_low": fit.ci_low,
        "ci_high": fit.ci_high,
        "effect_g": hedges_g(treated, reference, adjusted_difference=fit.estimate),
    }


def label_strata(strata: pd.DataFrame) -> pd.Series:
    """One label per patient for the combination of all strata.

    Parameters
    ----------
    strata
        Indexed by ``patient_id``, a column per stratum, possibly none.
    """
    if strata.shape[1] == 0:
        return pd.Series("all", index=strata.index, dtype="str")
    return strata.astype("str").fillna("").agg(" / ".join, axis=1).astype("str")
