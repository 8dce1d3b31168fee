"""UMIs of called cells against the background and the controls, and where the cells lie."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D
from matplotlib.patches import Patch
from scipy.stats import nbinom

from hiaim_sc.report.canvas import empty_figure, new_figure, strip_axes, styled
from hiaim_sc.report.formats import format_count
from hiaim_sc.report.palette import INK, KEPT, MUTED, RULE, pick_colours

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_ROWS: Final = 30
_MOST_COLOURS: Final = 9
_TAIL: Final = 0.999
_GOLDEN: Final = 0.6180339887498949
_WARNING: Final = "#d55e00"
_OTHER: Final = "other antigens"


@styled
def umi_separation(specificity: pd.DataFrame, antigens_qc: pd.DataFrame) -> Figure:
    """A row per antigen with a called cell, and per negative control: UMIs on a log axis.

    The bar reaches to where the fitted background leaves one cell in a thousand, in the library
    where it reaches furthest; a point is a called cell, an upright tick the UMIs of its negative
    control. Multimers that unrelated receptors hold are named in orange.

    Parameters
    ----------
    specificity, antigens_qc
        Release tables; at most thirty rows are drawn, antigens with most cells first.
    """
    if antigens_qc.empty:
        return empty_figure("No library was stained with multimers.")
    rows = _choose_rows(antigens_qc)
    figure = new_figure(height=1.4 + 0.26 * len(rows), width=8.0)
    axes = figure.add_subplot()
    for place, row in enumerate(rows.itertuples()):
        axes.barh(place, row.reach + 1, height=0.72, color=RULE, left=0)
        found = specificity[specificity["dna_barcode"] == row.dna_barcode]
        _draw_cells(axes, place, found)
    axes.set_yticks(range(len(rows)), [_name(row) for row in rows.itertuples()], fontsize=8)
    for label, is_sticky in zip(axes.get_yticklabels(), rows["is_sticky"], strict=True):
        label.set_color(_WARNING if is_sticky else INK)
    axes.set_xscale("log")
    axes.set_xlim(0.9, None)
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.set_xlabel("UMIs of a cell + 1")
    handles = [
        Patch(color=RULE),
        Line2D([], [], marker="o", linestyle="", color=KEPT, markersize=4),
        Line2D([], [], marker="|", linestyle="", color=INK, markersize=7),
    ]
    labels = ["background (99.9 %)", "called cell", "its negative control"]
    figure.legend(handles, labels, loc="outside upper left", ncols=3, handletextpad=0.4)
    return figure


def _choose_rows(antigens_qc: pd.DataFrame) -> pd.DataFrame:
    """A row per dna_barcode over the libraries: antigens by cells called, then the controls."""
    size = antigens_qc["background_size"].to_numpy(dtype=float)
    mean = antigens_qc["background_mean"].to_numpy(dtype=float)
    reach = antigens_qc.assign(reach=nbinom.ppf(_TAIL, size, size / (size + mean)))
    table = reach.groupby("dna_barcode", as_index=False).agg(
        is_control=("is_control", "any"),
        is_sticky=("is_sticky", "any"),
        n_called=("n_called", "sum"),
        reach=("reach", "max"),
    )
    antigens = table[~table["is_control"] & (table["n_called"] > 0)]
    antigens = antigens.sort_values(["n_called", "dna_barcode"], ascending=[False, True])
    controls = table[table["is_control"]].head(_MOST_ROWS // 3)
    return pd.concat([antigens.head(_MOST_ROWS - len(controls)), controls], ignore_index=True)


def _name(row: tuple[object, ...]) -> str:
    name = str(getattr(row, "dna_barcode", ""))
    if getattr(row, "is_control", False):
        return f"{name} (control)"
    return f"{name} ({format_count(getattr(row, 'n_called', 0))})"


def _draw_cells(axes: Axes, place: int, found: pd.DataFrame) -> None:
    if found.empty:
        return
    # spread over the row's height, the same each time
    shift = (np.arange(len(found)) * _GOLDEN % 1.0 - 0.5) * 0.6
    umis = np.sort(found["n_umi"].to_numpy(dtype=float))
    axes.scatter(umis + 1, place + shift, s=7, color=KEPT, alpha=0.7, linewidths=0, rasterized=True)
    controls = found["control_umi"].dropna().to_numpy(dtype=float)
    if len(controls):
        drawn = np.unique(controls)
        axes.scatter(drawn + 1, np.full(len(drawn), place), s=60, marker="|", color=INK, lw=0.8)


@styled
def umap_antigen(points: pd.DataFrame, specificity: pd.DataFrame) -> Figure:
    """Cells that passed QC in grey, and over them those called, coloured by antigen.

    Parameters
    ----------
    points
        `umap_1 umap_2`, the index ``<library_id>_<cell_barcode>``.
    specificity
        Release table; a cell called for several antigens has the one with most UMIs. The nine
        antigens with most cells have a colour of their own.
    """
    if points.empty:
        return empty_figure("No cells to draw.")
    labels = _label_points(points, specificity)
    names = labels.value_counts()
    shown = sorted(names.index, key=lambda name: (name == _OTHER, -names[name], name))
    colours = pick_colours(shown)
    figure = new_figure(height=5.0, width=7.6)
    axes = figure.add_subplot()
    xy = points[["umap_1", "umap_2"]].to_numpy(dtype=float)
    size = float(np.clip(40_000 / len(xy), 0.3, 9.0))
    axes.scatter(xy[:, 0], xy[:, 1], s=size, color=RULE, linewidths=0, rasterized=True)
    for name in reversed(shown):
        chosen = points.loc[labels.index[labels == name]]
        axes.scatter(chosen["umap_1"], chosen["umap_2"], s=12, color=colours[name], linewidths=0)
    strip_axes(axes)
    axes.set_aspect("equal", adjustable="datalim")
    axes.text(0, -0.01, "UMAP", transform=axes.transAxes, va="top", fontsize=7.5, color=MUTED)
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colours[name], markersize=6)
        for name in shown
    ]
    words = [f"{name} ({format_count(names[name])})" for name in shown]
    handles.append(Line2D([], [], marker="o", linestyle="", color=RULE, markersize=6))
    words.append(f"not called ({format_count(len(points) - len(labels))})")
    figure.legend(handles, words, loc="outside right upper", handletextpad=0.2)
    return figure


def _label_points(points: pd.DataFrame, specificity: pd.DataFrame) -> pd.Series:
    """Antigen of each called cell that is drawn, by the point's name."""
    cell = specificity["library_id"].astype(str) + "_" + specificity["cell_barcode"].astype(str)
    called = specificity.assign(cell=cell)[cell.isin(points.index).to_numpy()]
    called = called.sort_values(["n_umi", "dna_barcode"], ascending=[False, True])
    best = called.drop_duplicates("cell").set_index("cell")["dna_barcode"].astype(str)
    frequent = best.value_counts().sort_index().sort_values(ascending=False, kind="stable")
    return best.where(best.isin(frequent.index[:_MOST_COLOURS]), _OTHER)
