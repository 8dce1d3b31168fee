"""Where batches nearly follow the arms: what stands beside such a comparison, and on page one."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

from hiaim_sc.names import MAX_BATCH_INFLATION
from hiaim_sc.report.formats import format_amount, format_names
from hiaim_sc.report.labels import label_place
from hiaim_sc.report.values import read_flag, read_number

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


def format_inflation(value: float) -> str:
    """A variance inflation for people: ``3.3``; empty where there is none."""
    if math.isinf(value):
        return "infinite"
    return "" if math.isnan(value) else f"{value:.1f}"


def warn_of_batches(row: Mapping[str, Any]) -> str:
    """What is to be said beside a comparison whose batches nearly follow the arms; else empty.

    Parameters
    ----------
    row
        A row of `comparisons`.
    """
    inflation = read_number(row["batch_inflation"])
    if not inflation > MAX_BATCH_INFLATION:
        return ""
    return (
        f"Batches nearly follow the {_arms(read_flag(row['blinded']))} here (variance inflation "
        f"{format_inflation(inflation)}): a difference between batches would look the same."
    )


def describe_batches(comparisons: pd.DataFrame) -> str:
    """Where batches nearly follow the arms, as `batch_inflation` has it; empty where nowhere.

    Of comparisons that were tested: with two or three patients batches follow the arms by chance,
    and nobody takes the estimate for more than it is.
    """
    if comparisons.empty:
        return ""
    is_high = comparisons["batch_inflation"].astype(float) > MAX_BATCH_INFLATION
    nearly = comparisons[is_high & comparisons["p_perm"].notna()]
    parts = []
    for (tissue, visit, phase), rows in nearly.groupby(
        ["tissue", "visit", "session_phase"], sort=False
    ):
        largest = format_inflation(float(rows["batch_inflation"].astype(float).max()))
        place = label_place(str(tissue), str(visit), str(phase))
        amount = format_amount(len(rows), "comparison")
        parts.append(f"{place} ({amount}, largest variance inflation {largest})")
    if not parts:
        return ""
    arms = _arms(any(map(read_flag, comparisons["blinded"])))
    return (
        f"Caution: batches nearly follow the {arms} in {format_names(parts)}. A difference between "
        "batches would look like one between arms there, and no p-value tells them apart."
    )


def _arms(is_blinded: bool) -> str:  # noqa: FBT001
    return "random labels" if is_blinded else "arms"
