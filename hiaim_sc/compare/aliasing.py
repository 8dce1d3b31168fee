"""Contrasts that cannot, or can hardly, be told from the differences between batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.stats import estimable, variance_inflation

if TYPE_CHECKING:
    from collections.abc import Collection

    from hiaim_sc.compare.contrasts import Outcome, Place


def find_aliasing(
    layout: pd.DataFrame, is_treated: pd.Series, place: Place, baseline: str
) -> dict[str, list[str]]:
    """What of ``arm`` and ``visit`` cannot be told from which batches of a contrast's samples.

    A contrast c of the design X is estimable when c = c X^+ X; X holds a column per batch and the
    arm (or the visit). Samples all of one batch are not aliased.

    Parameters
    ----------
    layout
        Sample and batch of each library.
    is_treated
        Arm of each patient of the contrast, by ``patient_id``.
    place
        Endpoint, tissue, visit and phase.
    baseline
        The first visit; a later visit is held against it.
    """
    found: dict[str, set[str]] = {"arm": set(), "visit": set()}
    for tissue in place.tissues:
        here = layout[
            (layout["tissue"] == tissue)
            & (layout["session_phase"] == place.session_phase)
            & layout["visit"].isin([baseline, place.visit])
            & layout["patient_id"].isin(is_treated.index)
        ]
        at_visit = here[here["visit"] == place.visit]
        arm = at_visit["patient_id"].map(is_treated).to_numpy(dtype=float)
        later = (here["visit"] == place.visit).to_numpy(dtype=float)
        found["arm"] |= _find_batches(arm, at_visit["batch"])
        found["visit"] |= _find_batches(later, here["batch"])
    return {effect: sorted(batches) for effect, batches in found.items() if batches}


def inflate_by_batch(
    layout: pd.DataFrame, outcome: Outcome, place: Place, visits: Collection[str]
) -> float:
    """Variance of the difference between the arms, were it adjusted for batches, over what it is.

    The samples of each tissue and visit are judged for themselves; the largest counts. A sample in
    several libraries is shared among their batches.

    Parameters
    ----------
    layout
        Sample and batch of each library.
    outcome
        Patients of the contrast, their arms and what they are adjusted by.
    place
        Endpoint, tissue, visit and phase.
    visits
        When the samples of the test were taken: at the visit, and at the baseline where the values
        are adjusted for it or are changes since.

    Returns
    -------
    1 or more; infinite where batches, strata and baseline add up to the arm; NaN where no library
    stands behind the endpoint.
    """
    is_here = layout["session_phase"] == place.session_phase
    is_here &= layout["patient_id"].isin(outcome.patients)
    found = []
    for tissue in place.tissues:
        for visit in visits:
            of = layout[is_here & (layout["tissue"] == tissue) & (layout["visit"] == visit)]
            batches = pd.crosstab(of["patient_id"], of["batch"], normalize="index")
            if len(batches):
                found.append(_inflate(outcome, batches))
    return float(np.fmax.reduce(found)) if found else np.nan


def _inflate(outcome: Outcome, batches: pd.DataFrame) -> float:
    is_known = outcome.patients.isin(batches.index)
    before, strata = outcome.baseline, outcome.strata
    return variance_inflation(
        outcome.is_treated[is_known],
        batches.loc[outcome.patients[is_known]].to_numpy(),
        baseline=None if before is None else before[is_known],
        strata=None if strata is None else strata[is_known],
    )


def _find_batches(effect: np.ndarray, batch: pd.Series) -> set[str]:
    """The batches that add up to the effect; none where it can be estimated beside them."""
    if len(set(effect)) < 2 or batch.nunique() < 2:
        return set()
    batches = pd.get_dummies(batch.astype(str)).astype(float)
    design = np.column_stack([effect, batches.to_numpy()])
    found = estimable(design, np.eye(design.shape[1])[0])
    return {str(batches.columns[int(i) - 1]) for i in found.aliased if i != "0"}
