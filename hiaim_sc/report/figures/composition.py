"""What each sample is made of."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.names import CELL_TYPES_COARSE
from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.formats import format_count
from hiaim_sc.report.labels import capitalise, label_visit
from hiaim_sc.report.palette import COMPARTMENT_COLOURS, MUTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure


def tabulate_composition(cells: pd.DataFrame) -> pd.DataFrame:
    """QC-passing cells per compartment. Rows: patient_id, tissue, visit, session_phase."""
    kept = cells[cells["qc_pass"].astype(bool)]
    keys = [kept[name] for name in ("patient_id", "tissue", "visit", "session_phase")]
    counts = pd.crosstab(
        keys, kept["cell_type_coarse"].fillna("unassigned").replace("", "unassigned")
    )
    return counts.reindex(columns=list(CELL_TYPES_COARSE), fill_value=0).rename_axis(columns=None)


@styled
def composition(counts: pd.DataFrame, *, tissues: Sequence[str], visits: Sequence[str]) -> Figure:
    """Stacked bars of compartments: a column per tissue, a group of rows per patient.

    Parameters
    ----------
    counts
        As `tabulate_composition` returns it; samples at rest are drawn.
    tissues, visits
        In the design's order.
    """
    found = counts[counts.index.get_level_values("session_phase") == "rest"]
    if found.empty:
        return empty_figure("No cells to draw.")
    found = found.loc[:, found.any()].droplevel("session_phase")
    patients = sorted(set(found.index.get_level_values("patient_id")))
    rows = [(patient, visit) for patient in patients for visit in visits]
    figure = new_figure(height=float(np.clip(1.4 + 0.19 * len(rows), 3.0, 16.0)))
    panels = figure.subplots(1, len(tissues), sharey=True, squeeze=False)[0]
    heights = _row_positions(len(patients), len(visits))
    font_size = 8.0 if len(rows) <= 60 else 5.0
    for axes, tissue in zip(panels, tissues, strict=True):
        table = found[found.index.get_level_values("tissue") == tissue].droplevel("tissue")
        table = table.reindex(pd.MultiIndex.from_tuples(rows))
        _draw_tissue(axes, table, heights, font_size=min(font_size, 6.8))
        axes.set_title(capitalise(tissue))
    _label_rows(panels[0], rows, heights, font_size=font_size)
    panels[0].set_ylim(heights[-1] + 0.7, -0.7)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(
        handles, labels, loc="outside upper left", ncols=10, columnspacing=1.0, handlelength=1.2
    )
    return figure


def _row_positions(n_patients: int, n_visits: int) -> np.ndarray:
    """Where the rows stand: a gap of half a row between patients."""
    patient, visit = np.divmod(np.arange(n_patients * n_visits), n_visits)
    return patient * (n_visits + 0.6) + visit


def _draw_tissue(axes: Axes, table: pd.DataFrame, heights: np.ndarray, *, font_size: float) -> None:
    values = table.to_numpy(dtype=float)
    totals = np.nansum(values, axis=1)
    shares = 100 * np.nan_to_num(values) / np.where(totals > 0, totals, 1)[:, None]
    starts = np.cumsum(shares, axis=1) - shares
    for i, compartment in enumerate(table.columns):
        axes.barh(
            heights,
            shares[:, i],
            left=starts[:, i],
            height=0.86,
            color=COMPARTMENT_COLOURS[compartment],
            label=compartment,
        )
    for height, total in zip(heights, totals, strict=True):
        note = f"{format_count(total)}" if total else "no cells"
        place = 101 if total else 1
        axes.text(place, height, note, va="center", fontsize=font_size, color=MUTED)
    axes.set_xlim(0, 100)
    axes.set_xlabel("share of cells that passed QC (%); right: their number")
    axes.tick_params(axis="y", left=False)


def _label_rows(
    axes: Axes, rows: list[tuple[str, str]], heights: np.ndarray, *, font_size: float
) -> None:
    labels = [
        f"{patient}  {label_visit(visit)}" if visit == rows[0][1] else label_visit(visit)
        for patient, visit in rows
    ]
    axes.set_yticks(heights, labels, fontsize=font_size)
