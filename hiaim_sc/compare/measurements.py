"""What was measured otherwise: flow cytometry, ELISA, Luminex, fitness, quality of life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from hiaim_sc.config import Design

_KEY = ["patient_id", "visit", "session_phase", "endpoint"]


def measure_analytes(measurements: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Measurements as endpoints ``<assay>:<analyte>``, tissue empty.

    Repeated measurements of one patient, visit and phase are averaged. An analyte whose values are
    all positive is analysed as ln(value), another as it is. A patient who has the analyte at some
    visit, but not at another of the same phase, has ``not_collected`` there.

    Parameters
    ----------
    measurements
        ``patient_id visit assay analyte value`` and ``session_phase``.
    design
        Visits.
    """
    table = measurements.assign(
        endpoint=measurements["assay"] + ":" + measurements["analyte"],
        session_phase=measurements["session_phase"].fillna("rest"),
    )
    values = table.groupby(_KEY, as_index=False)["value"].mean()
    planned = values[["patient_id", "session_phase", "endpoint"]].drop_duplicates()
    planned = planned.merge(pd.DataFrame({"visit": list(design.visits)}), how="cross")
    values = planned.merge(values, on=_KEY, how="left")
    positive = values.groupby("endpoint")["value"].transform("min") > 0
    missing = values["value"].isna()
    with np.errstate(divide="ignore", invalid="ignore"):
        logarithm = np.log(values["value"].where(positive))
    return values.assign(
        tissue="",
        scale=np.where(positive, "ln", "identity"),
        value_analysed=np.where(positive, logarithm, values["value"]),
        reason_missing=np.where(missing, "not_collected", ""),
    )
