"""The states that the largest clones of each patient span."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.names import PUTATIVE
from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.formats import format_count
from hiaim_sc.report.palette import MUTED, pick_cell_type_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_PATIENTS: Final = 12
_TOP: Final = 5
_MARK: Final = "\u25cf"


def tabulate_states(phenotypes: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Cells per type of the five largest clones of each patient.

    Rows: `patient_id`, `rank` (1 the largest; ties by key), `label`; columns: cell types that any
    has, the most frequent first. With more than twelve patients, those with most such cells.
    """
    order = phenotypes.sort_values(
        ["patient_id", "n_cells", "clone_key"], ascending=[True, False, True]
    )
    top = order.groupby("patient_id").head(_TOP)
    totals = top.groupby("patient_id")["n_cells"].sum().sort_values(ascending=False, kind="stable")
    top = top[top["patient_id"].isin(totals.index[:_MOST_PATIENTS])]
    top = top.assign(rank=top.groupby("patient_id").cumcount() + 1)
    kept = cells[cells["qc_pass"].astype(bool)][["clone_key", "cell_type"]]
    found = kept.merge(top[["clone_key", "patient_id", "rank", "label"]], on="clone_key")
    counts = pd.crosstab([found["patient_id"], found["rank"], found["label"]], found["cell_type"])
    return counts[counts.sum().sort_values(ascending=False, kind="stable").index]


@styled
def clone_states(counts: pd.DataFrame) -> Figure:
    """Stacked bars of cell types, a bar per clone, patient by patient.

    Parameters
    ----------
    counts
        As `tabulate_states` returns it.
    """
    if counts.empty:
        return empty_figure("No clone has enough cells with an expression profile.")
    patients = counts.index.get_level_values("patient_id")
    gap = np.cumsum(np.r_[False, patients[1:] != patients[:-1]]) * 0.6
    heights = np.arange(len(counts)) + gap
    figure = new_figure(height=float(np.clip(1.4 + 0.19 * len(counts), 3.0, 16.0)))
    axes = figure.subplots()
    _draw_bars(axes, counts, heights)
    labels = [
        f"{patient if rank == 1 else ''}  {_MARK if label == PUTATIVE else ' '} {rank}"
        for patient, rank, label in counts.index
    ]
    axes.set_yticks(heights, labels, fontsize=8.0)
    axes.set_ylim(heights[-1] + 0.7, -0.7)
    figure.legend(loc="outside upper left", ncols=6, columnspacing=1.0, handlelength=1.2)
    return figure


def _draw_bars(axes: Axes, counts: pd.DataFrame, heights: np.ndarray) -> None:
    totals = counts.sum(axis=1).to_numpy()
    shares = 100 * counts.to_numpy() / totals[:, None]
    starts = np.cumsum(shares, axis=1) - shares
    colours = pick_cell_type_colours(counts.columns)
    for i, cell_type in enumerate(counts.columns):
        axes.barh(
            heights,
            shares[:, i],
            left=starts[:, i],
            height=0.86,
            color=colours[cell_type],
            label=cell_type,
        )
    for height, total in zip(heights, totals, strict=True):
        axes.text(101, height, format_count(total), va="center", fontsize=6.8, color=MUTED)
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of the clone's cells (%); right: their number")
    axes.tick_params(axis="y", left=False)
