"""What the report says of ambient RNA that was taken off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hiaim_sc.report.formats import format_amount, format_count, format_names, format_percent
from hiaim_sc.report.values import read_text

if TYPE_CHECKING:
    import pandas as pd

_MOST_NAMED: Final = 3


def describe_correction(libraries: pd.DataFrame) -> list[str]:
    """In how many libraries ambient RNA was taken off, and why not in the others.

    Parameters
    ----------
    libraries
        Release table `libraries_qc`; without ``ambient_removed``, nothing is said.
    """
    if "ambient_removed" not in libraries:
        return []
    found = libraries[libraries["ambient_removed"].notna()]
    why = found["ambient_uncorrected"].map(read_text)
    removed = found.loc[why == "", "ambient_removed"].astype(float)
    amount = format_amount(len(found), "library", "libraries")
    told = "Embedding, clusters and compartments of all cells rest on counts less ambient RNA in"
    told += f" {format_count(len(removed))} of {amount}"
    if len(removed):
        told += f" (median {format_percent(removed.median())} of their counts)"
    told += "; all else rests on counts as delivered."
    return [told, *_describe_others(found.loc[why != "", "library_id"], why[why != ""])]


def _describe_others(names: pd.Series, reasons: pd.Series) -> list[str]:
    if names.empty:
        return []
    named = [f"{name} ({reason})" for name, reason in zip(names, reasons, strict=True)]
    rest = len(named) - _MOST_NAMED
    more = [f"{format_count(rest)} more in libraries_qc"] if rest > 0 else []
    return [f"Nothing was taken off in {format_names([*named[:_MOST_NAMED], *more])}."]
