"""Contrasts that cannot be told from the differences between batches."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.stats import estimable

if TYPE_CHECKING:
    from hiaim_sc.compare.contrasts import Place


def find_aliasing(
    layout: pd.DataFrame, is_treated: pd.Series, place: Place, baseline: str
) -> list[str]:
    """What of ``arm`` and ``visit`` the batches of a contrast's samples cannot be told from.

    A contrast c of the design X is estimable when c = c X^+ X; X holds an intercept, the arm (or
    the visit) and a column per batch but the first. Samples all of one batch are not aliased.

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
    found = []
    for tissue in place.tissues:
        here = layout[
            (layout["tissue"] == tissue)
            & (layout["session_phase"] == place.session_phase)
            & layout["visit"].isin([baseline, place.visit])
            & layout["patient_id"].isin(is_treated.index)
        ]
        at_visit = here[here["visit"] == place.visit]
        arm = at_visit["patient_id"].map(is_treated).to_numpy(dtype=float)
        if _is_aliased(arm, at_visit["batch"]):
            found.append("arm")
        if _is_aliased((here["visit"] == place.visit).to_numpy(dtype=float), here["batch"]):
            found.append("visit")
    return sorted(set(found))


def _is_aliased(effect: np.ndarray, batch: pd.Series) -> bool:
    if len(set(effect)) < 2 or batch.nunique() < 2:
        return False
    batches = pd.get_dummies(batch.astype(str), drop_first=True).to_numpy(dtype=float)
    design = np.column_stack([np.ones(len(effect)), effect, batches])
    contrast = np.zeros(design.shape[1])
    contrast[1] = 1.0
    return not estimable(design, contrast).estimable
