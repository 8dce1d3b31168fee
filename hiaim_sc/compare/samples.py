"""Which samples an endpoint is expected of, and why one has no value."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterator

# A row of the endpoints in the making.
type Row = dict[str, Any]

PLACE = ["patient_id", "tissue", "visit", "session_phase"]
_DAYS = ["days_from_plan", "days_since_infusion"]


def locate_samples(
    expected: pd.DataFrame, library_states: pd.DataFrame, identity: pd.DataFrame
) -> pd.DataFrame:
    """Every expected sample with the one reason why it has no cells, or none.

    Parameters
    ----------
    expected
        ``patient_id visit tissue session_phase sample_id status``, and of the blood count
        ``wbc_1e9_per_l lymphocyte_pct``; ``days_from_plan days_since_infusion`` are carried along.
    library_states
        ``library_id sample_id state``.
    identity
        Release table ``identity_checks``.

    Returns
    -------
    ``patient_id tissue visit session_phase sample_id reason_missing lymphocytes_1e9_per_l
    days_from_plan days_since_infusion``; the numbers are missing where the tables do not say. The
    reason is empty where the sample's cells may be counted. In this order: the sample's status,
    ``not_yet_sequenced`` without a delivered library, ``failed_qc`` where all are quarantined,
    ``swap_unresolved`` after a failed identity check.
    """
    states = library_states.dropna(subset="sample_id").groupby("sample_id")["state"].agg(set)
    is_fail = (identity["verdict"] == "fail") & identity["check"].isin(["swap", "sex"])
    swapped = set(identity.loc[is_fail, "sample_id"])
    reasons = [
        _reason(row.status, states.get(row.sample_id, set()), is_swapped=row.sample_id in swapped)
        for row in expected.itertuples()
    ]
    counted = expected.reindex(columns=["wbc_1e9_per_l", "lymphocyte_pct"]).astype(float)
    return expected[[*PLACE, "sample_id"]].assign(
        reason_missing=pd.Series(reasons, dtype="str"),
        lymphocytes_1e9_per_l=counted["wbc_1e9_per_l"] * counted["lymphocyte_pct"] / 100,
        **expected.reindex(columns=_DAYS).astype(float),
    )


def _reason(status: str, states: set[str], *, is_swapped: bool) -> str:
    if status != "collected":
        return status
    if not states & {"delivered", "quarantined"}:
        return "not_yet_sequenced"
    if "delivered" not in states:
        return "failed_qc"
    return "swap_unresolved" if is_swapped else ""


def group_cells(cells: pd.DataFrame) -> Iterator[tuple[str, pd.DataFrame]]:
    """Cells that pass QC, by sample; several libraries of a sample are pooled."""
    kept = cells[cells["qc_pass"]]
    for sample_id, found in kept.groupby("sample_id", sort=True):
        yield str(sample_id), found


def start_row(sample: Any, endpoint: str, **known: Any) -> Row:
    """A row of the endpoints without a value, for the reason that the sample has.

    Parameters
    ----------
    sample
        A row of `locate_samples`.
    endpoint
        Its name.
    known
        Further columns, or better values of these.
    """
    return {
        **{name: getattr(sample, name) for name in PLACE},
        "sample_id": sample.sample_id,
        "endpoint": endpoint,
        "value": np.nan,
        "value_analysed": np.nan,
        "reason_missing": sample.reason_missing,
        **known,
    }
