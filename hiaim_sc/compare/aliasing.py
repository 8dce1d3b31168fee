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


def _find_batches(effect: np.ndarray, batch: pd.Series) -> set[str]:
    """The batches that add up to the effect; none where it can be estimated beside them."""
    if len(set(effect)) < 2 or batch.nunique() < 2:
        return set()
    batches = pd.get_dummies(batch.astype(str)).astype(float)
    design = np.column_stack([effect, batches.to_numpy()])
    found = estimable(design, np.eye(design.shape[1])[0])
    return {str(batches.columns[int(i) - 1]) for i in found.aliased if i != "0"}
