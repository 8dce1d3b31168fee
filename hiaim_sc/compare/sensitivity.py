"""Whether a comparison hangs on one choice, one patient or one batch."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.compare.contrasts import PLACE, Place, Trial
from hiaim_sc.compare.endpoints import CHANGES
from hiaim_sc.compare.families import REGISTERED
from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

_KEPT = ("estimate", "ci_low", "ci_high", "p_perm", "n_reference", "n_treated", "reason_empty")


def vary_settings(comparisons: pd.DataFrame, variants: pd.DataFrame, trial: Trial) -> pd.DataFrame:
    """The release table ``sensitivity``: planned comparisons of the last visit, each choice undone.

    Varied are the settings of the clonal endpoints, the use of the baseline (complete cases only;
    the change instead of the covariate), and who takes part: all but one patient, all but one
    batch. The first row of each comparison is the planned one.

    Parameters
    ----------
    comparisons
        As `hiaim_sc.compare.families.judge` returns them.
    variants
        Endpoints with ``setting`` and ``level``, as
        `hiaim_sc.compare.endpoints.measure_variants` returns them.
    trial
        What the comparisons were computed from.

    Returns
    -------
    Columns of the release table. ``value`` is what the setting is instead, of those left out a
    number by the size of the estimate: who was left out would tell the arm; ``same_sign``
    says whether the estimate points where the planned one does, empty without an estimate. The
    p-values are from ``sensitivity_draws`` draws and not adjusted: nothing is selected by them.
    """
    compare = trial.config.options.compare
    quick = _with_draws(trial, min(compare.n_draws, compare.sensitivity_draws))
    settings: dict[Any, pd.DataFrame] = dict(list(variants.groupby(["endpoint", "tissue"])))
    rows = [
        {**row, "family": planned.family, "blinded": planned.blinded}
        for planned in choose_planned(comparisons, trial).itertuples(index=False)
        for row in _vary(planned, settings.get((planned.endpoint, planned.tissue)), quick)
    ]
    table = pd.DataFrame(rows).reindex(columns=list(RELEASE_TABLES["sensitivity"]))
    for name in ("estimate", "ci_low", "ci_high", "p_perm"):
        table[name] = table[name].astype("float64")
    table["same_sign"] = table["same_sign"].astype("boolean")
    return table


def choose_planned(comparisons: pd.DataFrame, trial: Trial) -> pd.DataFrame:
    """The comparisons that the plan names, at the last visit and at rest, with an estimate.

    The registered primary outcome is one of them at whatever visit it was registered for.
    """
    plan = trial.config.analysis_plan
    last = list(trial.config.design.visits)[-1]
    is_planned = (comparisons["gate"] != "") | comparisons["family"].isin(list(plan.families))
    is_last = (comparisons["visit"] == last) & (comparisons["session_phase"] == "rest")
    is_last |= comparisons["gate"] == REGISTERED
    return comparisons[is_planned & is_last & comparisons["estimate"].notna()]


def _with_draws(trial: Trial, n_draws: int) -> Trial:
    options = trial.config.options
    compare = options.compare.model_copy(update={"n_draws": n_draws})
    changed = options.model_copy(update={"compare": compare})
    return replace(trial, config=trial.config.model_copy(update={"options": changed}))


def _vary(planned: Any, variants: pd.DataFrame | None, trial: Trial) -> Iterator[dict[str, Any]]:
    place = Place(*(getattr(planned, name) for name in PLACE))
    treated = planned.contrast.split(" - ", maxsplit=1)[0]
    known = trial.endpoints
    is_here = (known["endpoint"] == place.endpoint) & (known["tissue"] == place.tissue)
    # the first phase is the only one compared; the other is kept, for it may explain a gap
    alone = replace(trial, endpoints=known[is_here])
    wanted = trial.config.analysis_plan.sensitivity
    yield _row(place, "as planned", "", planned._asdict(), planned.estimate)
    for setting, level, other in [*_settings(variants, alone), *_baselines(place, alone)]:
        if setting in wanted:
            yield _row(place, setting, level, other.compare(place, treated), planned.estimate)
    for setting, others in (
        ("leave one patient out", _without_patients(place, alone, treated)),
        ("leave one batch out", _without_batches(alone)),
    ):
        if setting in wanted:
            found = [other.compare(place, treated) for other in others]
            yield from _left_out(place, setting, found, planned.estimate)


def _row(
    place: Place, setting: str, level: str, found: dict[str, Any], planned: float
) -> dict[str, Any]:
    estimate = found.get("estimate", np.nan)
    return {
        "endpoint": place.endpoint,
        "tissue": place.tissue,
        "visit": place.visit,
        "setting": setting,
        "value": level,
        **{name: found.get(name) for name in (*_KEPT, "contrast", "scale")},
        "same_sign": bool(estimate * planned > 0) if np.isfinite(estimate) else None,
    }


def _settings(variants: pd.DataFrame | None, trial: Trial) -> Iterator[tuple[str, str, Trial]]:
    if variants is None:
        return
    for (setting, level), rows in variants.groupby(["setting", "level"], sort=False):
        yield str(setting), str(level), replace(trial, endpoints=rows)


def _baselines(place: Place, trial: Trial) -> Iterator[tuple[str, str, Trial]]:
    first = trial.config.design.baseline
    if place.visit == first or place.endpoint in CHANGES:
        return
    rows = trial.endpoints
    before = trial.at(replace(place, visit=first))
    complete = rows[rows["patient_id"].isin(before.index)]
    yield "baseline", "complete cases", replace(trial, endpoints=complete)
    change = complete["value_analysed"] - complete["patient_id"].map(before).to_numpy()
    changed = complete.assign(value_analysed=change)
    # without baseline rows the model has no covariate
    yield "baseline", "change", replace(trial, endpoints=changed[changed["visit"] != first])


def _without_patients(place: Place, trial: Trial, treated: str) -> Iterator[Trial]:
    rows = trial.endpoints
    for patient in trial.outcome(place, treated).patients:
        yield replace(trial, endpoints=rows[rows["patient_id"] != patient])


def _without_batches(trial: Trial) -> Iterator[Trial]:
    rows = trial.endpoints
    batches = trial.layout.groupby("batch")["sample_id"].agg(set)
    used = set(rows.loc[rows["value_analysed"].notna(), "sample_id"])
    hit = [samples for samples in batches if samples & used]
    if len(hit) > 1:
        for samples in hit:
            yield replace(trial, endpoints=rows[~rows["sample_id"].isin(samples)])


def _left_out(
    place: Place, setting: str, found: list[dict[str, Any]], planned: float
) -> Iterator[dict[str, Any]]:
    """A row each, from the least estimate to the greatest, without a name and without numbers.

    How many of each arm are left when a patient is taken out would tell that patient's arm.
    """
    found = sorted(found, key=lambda row: np.nan_to_num(row.get("estimate", np.nan), nan=np.inf))
    for number, row in enumerate(found, start=1):
        is_empty = not np.isfinite(row.get("estimate", np.nan))
        reason = "too few patients are left" if is_empty else ""
        sealed = {**row, "n_reference": None, "n_treated": None, "reason_empty": reason}
        yield _row(place, setting, f"{number} of {len(found)}", sealed, planned)
