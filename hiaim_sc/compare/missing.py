"""What the patients without a value could change about a comparison."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.compare.contrasts import PLACE, Place
from hiaim_sc.compare.endpoints import CHANGES
from hiaim_sc.compare.sensitivity import choose_planned
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.stats import constrained_lda, multiple_imputation, tipping_point
from hiaim_sc.storage import generator

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hiaim_sc.compare.contrasts import Trial
    from hiaim_sc.config import CompareOptions

# Shifts that the tipping point is sought among, in standard deviations of the values.
_SHIFTS = np.linspace(-5, 5, 101)


def analyse_missing(comparisons: pd.DataFrame, trial: Trial) -> pd.DataFrame:
    """The release table ``missing_data``: planned comparisons of the last visit with all patients.

    Three answers to patients without a value, beside the comparison of those who have one: ``clda``
    takes every visit of every patient (constrained longitudinal data analysis), ``mi`` imputes the
    values from baseline, strata and the visits between within the arm, ``tipping`` shifts the
    imputed values of the treated arm until the difference is no longer significant and gives that
    ``delta``, on the analysed scale. Patients who died before the visit are not imputed: they are
    counted in ``n_died``. A comparison without a p has none here either, for the same reason.

    Parameters
    ----------
    comparisons
        As `hiaim_sc.compare.families.judge` returns them.
    trial
        What the comparisons were computed from.
    """
    rows = [
        {**_place(planned), **row}
        for planned in choose_planned(comparisons, trial).itertuples(index=False)
        for row in _analyse(planned, trial)
        if row["method"] in trial.config.analysis_plan.missing_data
    ]
    table = pd.DataFrame(rows).reindex(columns=list(RELEASE_TABLES["missing_data"]))
    for name in ("estimate", "ci_low", "ci_high", "p_value", "delta"):
        table[name] = table[name].astype("float64")
    return table


def _place(planned: Any) -> dict[str, Any]:
    names = ("endpoint", "tissue", "visit", "contrast", "scale", "blinded")
    return {name: getattr(planned, name) for name in names}


def _analyse(planned: Any, trial: Trial) -> Iterator[dict[str, Any]]:
    place = Place(*(getattr(planned, name) for name in PLACE))
    treated = planned.contrast.split(" - ", maxsplit=1)[0]
    cohort = _gather(place, treated, trial, planned.alpha)
    known = {
        "n_missing": int(np.isnan(cohort.outcome[~cohort.has_died]).sum()),
        "n_died": int(cohort.has_died.sum()),
    }
    alive, why_no_p = cohort.without_deaths(), planned.reason_empty
    found = {"clda": _fit_all_visits(cohort, place), "mi": _impute(alive)}
    why_no_delta = found["mi"].get("reason_empty") or why_no_p
    found["tipping"] = {"reason_empty": why_no_delta} if why_no_delta else _tip(alive)
    for method, row in found.items():
        if why_no_p and "p_value" in row:
            row |= {"p_value": np.nan, "reason_empty": why_no_p}
        yield {**known, "method": method, **row}


@dataclass(frozen=True)
class _Cohort:
    """The patients of two arms; a row of `values` each, a column per visit up to the outcome."""

    values: np.ndarray
    is_treated: np.ndarray
    has_died: np.ndarray
    strata: np.ndarray | None
    options: CompareOptions
    alpha: float
    stream: tuple[str | int, ...]

    def without_deaths(self) -> _Cohort:
        """Those who were alive at the visit: nobody has an immune state after death."""
        alive = ~self.has_died
        return replace(
            self,
            values=self.values[alive],
            is_treated=self.is_treated[alive],
            has_died=self.has_died[alive],
            strata=None if self.strata is None else self.strata[alive],
        )

    @property
    def outcome(self) -> np.ndarray:
        """Values at the visit."""
        return self.values[:, -1]

    @property
    def baseline(self) -> np.ndarray | None:
        """Values at the first visit, if anybody has one."""
        first = self.values[:, 0]
        return first if self.values.shape[1] > 1 and np.isfinite(first).any() else None

    @property
    def between(self) -> np.ndarray | None:
        """Values at the visits between that anybody has."""
        found = self.values[:, 1:-1]
        found = found[:, np.isfinite(found).any(axis=0)]
        return found if found.shape[1] else None

    @property
    def rng(self) -> np.random.Generator:
        """The same imputations whatever is asked of them."""
        return generator("imputation", *self.stream)


def _gather(place: Place, treated: str, trial: Trial, alpha: float) -> _Cohort:
    design = trial.config.design
    arm = trial.arms[trial.arms.isin([design.arms[0], treated])].sort_index()
    visits = list(design.visits)
    visits = visits[: visits.index(place.visit) + 1]
    columns = [trial.at(replace(place, visit=visit)).reindex(arm.index) for visit in visits]
    options = trial.config.options.compare
    return _Cohort(
        values=np.column_stack(columns),
        is_treated=(arm == treated).to_numpy(),
        has_died=arm.index.isin(_who_died(place, trial)),
        strata=trial.labels.reindex(arm.index).to_numpy(dtype=object) if design.strata else None,
        options=options,
        alpha=alpha,
        stream=(options.seed, *place.key, treated),
    )


def _who_died(place: Place, trial: Trial) -> list[str]:
    rows = trial.endpoints
    is_here = (rows["endpoint"] == place.endpoint) & (rows["tissue"] == place.tissue)
    is_here &= (rows["visit"] == place.visit) & (rows["reason_missing"] == "died")
    return list(rows.loc[is_here, "patient_id"])


def _fit_all_visits(cohort: _Cohort, place: Place) -> dict[str, Any]:
    if cohort.baseline is None or place.endpoint in CHANGES:
        return {"reason_empty": "no baseline to hold the visits against"}
    found = constrained_lda(cohort.values, cohort.is_treated, strata=cohort.strata)
    if not np.isfinite(found.p_value[-1]):
        return {"reason_empty": "too few values for the model"}
    return {
        "estimate": found.estimate[-1],
        "ci_low": found.ci_low[-1],
        "ci_high": found.ci_high[-1],
        "p_value": found.p_value[-1],
    }


def _impute(cohort: _Cohort) -> dict[str, Any]:
    if not np.isnan(cohort.outcome).any():
        return {"reason_empty": "nobody is without a value"}
    found = multiple_imputation(
        cohort.outcome,
        cohort.is_treated,
        baseline=cohort.baseline,
        strata=cohort.strata,
        auxiliary=cohort.between,
        n_imputations=cohort.options.n_imputations,
        rng=cohort.rng,
    )
    if not np.isfinite(found.p_value):
        return {"reason_empty": "too few values to impute from"}
    return {
        "estimate": found.estimate,
        "ci_low": found.ci_low,
        "ci_high": found.ci_high,
        "p_value": found.p_value,
    }


def _tip(cohort: _Cohort) -> dict[str, Any]:
    if not np.isnan(cohort.outcome[cohort.is_treated]).any():
        return {"reason_empty": "nobody of the treated arm is without a value"}
    delta = tipping_point(
        cohort.outcome,
        cohort.is_treated,
        baseline=cohort.baseline,
        strata=cohort.strata,
        auxiliary=cohort.between,
        n_imputations=cohort.options.n_imputations,
        alpha=cohort.alpha,
        deltas=_SHIFTS * float(np.nanstd(cohort.outcome)),
        rng=cohort.rng,
    )
    if delta == 0:
        return {"delta": delta, "reason_empty": "no significant difference to overturn"}
    if np.isnan(delta):
        return {"reason_empty": "no shift of up to 5 standard deviations overturns it"}
    return {"delta": delta}
