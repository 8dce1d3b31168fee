"""What each library gave, and what was left out of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from matplotlib.ticker import MaxNLocator

from hiaim_sc.names import QC_REASONS
from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.labels import VERDICT_LABELS, label_reason
from hiaim_sc.report.palette import BLINDED, INK, KEPT, LOSS_COLOURS, MUTED

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_METRICS = (
    ("median_counts", "median molecules\nper cell", 1.0),
    ("median_genes", "median genes\nper cell", 1.0),
    ("pct_mt", "mitochondrial\n(median %)", 1.0),
    ("join_rate", "receptor cells found\nin expression (%)", 100.0),
)
_MOST_LABELS = 60


def count_cell_losses(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells per library, kept and by the first reason why they are not. Rows: library_id.

    Columns ``kept`` and those of ``names.QC_REASONS``, then any reason outside that list; each cell
    barcode is counted once, so that a row adds up to the library's cell barcodes.
    """
    reasons = cells["qc_reason"].fillna("").astype("category")
    first = {reason: str(reason).partition(";")[0] for reason in reasons.cat.categories}
    fate = reasons.map(first).astype(object).where(~cells["qc_pass"].astype(bool), "kept")
    fate = fate.replace("", "other")
    counts = pd.crosstab(cells["library_id"], fate)
    known = ["kept", *QC_REASONS]
    more = sorted(set(counts.columns) - set(known))
    return counts.reindex(columns=[*known, *more], fill_value=0).rename_axis(columns=None)


@styled
def library_qc(libraries: pd.DataFrame, losses: pd.DataFrame) -> Figure:
    """A row per library: cells kept and lost by reason, then its key numbers.

    Parameters
    ----------
    libraries
        `libraries_qc`.
    losses
        As `count_cell_losses` returns it; libraries without cells are drawn empty.
    """
    if libraries.empty:
        return empty_figure("No library has been delivered.")
    table = libraries.reset_index(drop=True)
    n = len(table)
    height = min(0.9 + 0.2 * n, 16.0)
    figure = new_figure(height=max(height, 2.4), width=10.0)
    panels = figure.subplots(
        1, 1 + len(_METRICS), sharey=True, width_ratios=[3.4] + [1] * len(_METRICS)
    )
    _draw_losses(panels[0], table, losses.reindex(table["library_id"], fill_value=0))
    for axes, (column, title, factor) in zip(panels[1:], _METRICS, strict=True):
        _draw_metric(axes, table[column].astype(float) * factor, title)
    _label_rows(panels[0], table)
    panels[0].set_ylim(n - 0.4, -0.6)
    handles, labels = panels[0].get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside upper left", ncols=len(labels), columnspacing=1.2)
    return figure


def _draw_losses(axes: Axes, table: pd.DataFrame, losses: pd.DataFrame) -> None:
    start = np.zeros(len(table))
    thickness = 0.7 if len(table) <= _MOST_LABELS else 1.0
    rows = np.arange(len(table))
    for reason in losses.columns:
        widths = losses[reason].to_numpy(dtype=float)
        if reason != "kept" and not widths.any():
            continue
        colour = KEPT if reason == "kept" else LOSS_COLOURS.get(str(reason), MUTED)
        label = "kept" if reason == "kept" else label_reason(str(reason))
        axes.barh(rows, widths, left=start, color=colour, height=thickness, label=label)
        start += widths
    for row in np.flatnonzero(table["verdict"] == "quarantined").tolist():
        axes.text(0, row, " left out: see the table", va="center", color=BLINDED, fontsize=7.5)
    axes.set_xlabel("cell barcodes")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.set_title("Cells kept and left out")


def _draw_metric(axes: Axes, values: pd.Series, title: str) -> None:
    rows = np.arange(len(values))
    is_short = len(values) <= _MOST_LABELS
    if is_short:
        axes.hlines(rows, 0, values.fillna(0.0), color="#c9d9e6", linewidth=1.2)
    axes.plot(values, rows, "o", color=KEPT, markersize=3.5 if is_short else 1.8)
    top = np.nanmax(values) if values.notna().any() else 1.0
    axes.set_xlim(0, max(float(top), 1e-9) * 1.12)
    axes.set_title(title, fontsize=8, weight="normal", loc="center")
    axes.xaxis.set_major_locator(MaxNLocator(nbins=3, integer=True))
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:,.0f}")
    axes.tick_params(axis="x", labelsize=7.5)
    axes.tick_params(axis="y", left=False)


def _label_rows(axes: Axes, table: pd.DataFrame) -> None:
    shown = np.arange(len(table))
    if len(table) > _MOST_LABELS:
        shown = np.flatnonzero(table["verdict"] != "pass")
    axes.set_yticks(shown, table["library_id"].iloc[shown], fontsize=7.5)
    axes.tick_params(axis="y", left=False)
    marks = {"warn": "#a05a00", "quarantined": BLINDED}
    for tick, verdict in zip(axes.get_yticklabels(), table["verdict"].iloc[shown], strict=True):
        tick.set_color(marks.get(verdict, INK))
        tick.set_fontweight("bold" if verdict in marks else "normal")


def describe_verdicts(libraries: pd.DataFrame) -> str:
    """How many libraries passed, passed with a warning and were left out, in words."""
    counts = libraries["verdict"].value_counts()
    return ", ".join(
        f"{counts[verdict]} {words}"
        for verdict, words in VERDICT_LABELS.items()
        if verdict in counts
    )
