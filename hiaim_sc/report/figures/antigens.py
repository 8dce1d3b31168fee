"""Cells called for each antigen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm

from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.formats import format_count

if TYPE_CHECKING:
    from matplotlib.figure import Figure

_MOST_ANTIGENS: Final = 40


def tabulate_antigens(specificity: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """QC-passing cells called: a row per dna_barcode, largest first, a column per patient_id."""
    passed = specificity[specificity["qc_pass"].astype(bool)]
    keys = ["library_id", "cell_barcode"]
    owners = cells[cells["library_id"].isin(passed["library_id"])][[*keys, "patient_id"]]
    owned = passed[[*keys, "dna_barcode"]].merge(owners, on=keys, how="left")
    table = pd.crosstab(owned["dna_barcode"], owned["patient_id"]).rename_axis(columns=None)
    order = pd.DataFrame({"n": -table.sum(axis=1), "name": table.index}, index=table.index)
    return table.loc[order.sort_values(["n", "name"]).index]


@styled
def antigens(counts: pd.DataFrame) -> Figure:
    """Cells per antigen and patient as a heat map with their numbers.

    Parameters
    ----------
    counts
        As `tabulate_antigens` returns it; the forty antigens with most cells are drawn.
    """
    if counts.empty:
        return empty_figure("No cell was called for an antigen.")
    shown = counts.iloc[:_MOST_ANTIGENS]
    n_rows, n_columns = shown.shape
    figure = new_figure(
        height=1.2 + 0.27 * n_rows, width=float(np.clip(2.6 + 0.5 * n_columns, 4.5, 12.0))
    )
    axes = figure.add_subplot()
    values = shown.to_numpy(dtype=float)
    top = max(float(values.max()), 2.0)
    axes.imshow(
        np.ma.masked_equal(values, 0), cmap="Blues", norm=LogNorm(0.5, top * 1.5), aspect="auto"
    )
    for row, column in zip(*np.nonzero(values), strict=True):
        value = values[row, column]
        colour = "white" if value > top**0.6 else "black"
        axes.text(
            column, row, format_count(value), ha="center", va="center", fontsize=7.5, color=colour
        )
    axes.set_xticks(
        range(n_columns), list(shown.columns), fontsize=8, rotation=90 * (n_columns > 12)
    )
    axes.set_yticks(range(n_rows), list(shown.index), fontsize=8)
    axes.tick_params(length=0)
    for spine in axes.spines.values():
        spine.set_visible(False)
    few = f" (first {len(shown)} of {len(counts)} antigens)" * (len(shown) < len(counts))
    axes.set_title(f"Cells called per antigen and patient{few}")
    return figure
