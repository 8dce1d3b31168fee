"""What was measured otherwise: flow cytometry, ELISA, Luminex, fitness, quality of life."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from hiaim_sc.config import Design

_SERIES = ["session_phase", "endpoint"]
_KEY = ["patient_id", "visit", *_SERIES]
# Why a patient has no measurement at a visit, where the samples of that visit tell.
_REASONS = ("died", "withdrew")


def measure_analytes(
    measurements: pd.DataFrame, located: pd.DataFrame, design: Design
) -> pd.DataFrame:
    """Measurements as endpoints ``<assay>:<analyte>``, tissue empty.

    Repeated measurements of one patient, visit and phase are averaged. An analyte whose values are
    all positive is analysed as ln(value), another as it is. At rest an analyte is expected of each
    patient at each visit at which anybody has it; after a bout, of patients who have it after one.

    Parameters
    ----------
    measurements
        ``patient_id visit assay analyte value unit`` and ``session_phase``.
    located
        As `hiaim_sc.compare.samples.locate_samples` returns it.
    design
        Visits.

    Returns
    -------
    ``patient_id visit session_phase endpoint tissue value value_analysed scale unit
    reason_missing``;
    the reason is died or withdrew where a sample of the visit says so, else not_collected.
    """
    table = measurements.assign(
        endpoint=measurements["assay"] + ":" + measurements["analyte"],
        session_phase=measurements["session_phase"].fillna("rest"),
    )
    # sorted, so that a mean has the same last bit whatever the order of the rows
    values = table.sort_values([*_KEY, "value"]).groupby(_KEY, as_index=False)["value"].mean()
    values = _plan(values, located, design).merge(values, on=_KEY, how="left")
    is_positive = values.groupby("endpoint")["value"].transform("min") > 0
    logarithm = np.log(values["value"].where(is_positive))
    return values.assign(
        tissue="",
        scale=np.where(is_positive, "ln", "identity"),
        value_analysed=logarithm.where(is_positive, values["value"]),
        unit=values["endpoint"].map(table.groupby("endpoint")["unit"].min()),
        reason_missing=_explain(values, located),
    )


def _plan(values: pd.DataFrame, located: pd.DataFrame, design: Design) -> pd.DataFrame:
    """Every patient, visit, phase and endpoint of which a value is expected."""
    patients = pd.DataFrame({"patient_id": located["patient_id"].unique()})
    visits = values[["visit", *_SERIES]].drop_duplicates()
    planned = patients.merge(visits[visits["visit"].isin(design.visits)], how="cross")
    has_any = values[["patient_id", *_SERIES]].drop_duplicates().assign(has_any=True)
    planned = planned.merge(has_any, on=["patient_id", *_SERIES], how="left")
    return planned.loc[(planned["session_phase"] == "rest") | planned["has_any"].notna(), _KEY]


def _explain(values: pd.DataFrame, located: pd.DataFrame) -> pd.Series:
    is_gone = located["reason_missing"].isin(_REASONS)
    gone = located[is_gone].groupby(["patient_id", "visit"])["reason_missing"]
    places = pd.MultiIndex.from_frame(values[["patient_id", "visit"]])
    reasons = gone.min().reindex(places).fillna("not_collected").to_numpy()
    return pd.Series(np.where(values["value"].isna(), reasons, ""), values.index, dtype="str")
