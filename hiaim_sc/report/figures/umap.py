"""Cells on the plane."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from matplotlib.lines import Line2D
from matplotlib.patheffects import withStroke

from hiaim_sc.report.canvas import empty_figure, new_figure, strip_axes, styled
from hiaim_sc.report.formats import format_count
from hiaim_sc.report.palette import MUTED, pick_cell_type_colours, pick_colours

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST_SHARE_LABELLED = 0.005
_GOLDEN = 0.6180339887498949


@styled
def umap(points: pd.DataFrame, *, colour_by: str) -> Figure:
    """Every cell that passed QC, coloured by one column; the legend gives the number of cells.

    Parameters
    ----------
    points
        `umap_1 umap_2` and the column; a row per cell.
    colour_by
        ``cell_type``, ``tissue``, ``batch`` or another text column. Never the arm: no table here
        has it.
    """
    if points.empty:
        return empty_figure("No cells to draw.")
    labels = points[colour_by].fillna("").astype(str).to_numpy()
    names, codes = np.unique(labels, return_inverse=True)
    by_size = np.argsort(-np.bincount(codes), kind="stable")
    pick = pick_cell_type_colours if colour_by == "cell_type" else pick_colours
    colours = pick([str(name) for name in names])
    figure = new_figure(height=5.0, width=7.2)
    axes = figure.add_subplot()
    xy = points[["umap_1", "umap_2"]].to_numpy(dtype=float)
    order = _interleave(len(xy))
    axes.scatter(
        xy[order, 0],
        xy[order, 1],
        s=_point_size(len(xy)),
        c=np.array([colours[str(name)] for name in names])[codes[order]],
        linewidths=0,
        rasterized=True,
    )
    strip_axes(axes)
    axes.set_aspect("equal", adjustable="datalim")
    axes.text(0, -0.01, "UMAP", transform=axes.transAxes, va="top", fontsize=7.5, color=MUTED)
    if colour_by == "cell_type":
        _label_groups(axes, xy, names, codes)
    _add_legend(figure, [str(names[i]) for i in by_size], np.bincount(codes)[by_size], colours)
    return figure


def _interleave(n: int) -> np.ndarray:
    """An order of drawing in which no library or type lies on top; the same each time.

    Positions follow the golden-ratio sequence, which spreads any run of rows evenly.
    """
    return np.argsort(np.arange(n) * _GOLDEN % 1.0, kind="stable")


def _point_size(n: int) -> float:
    return float(np.clip(40_000 / n, 0.3, 9.0))


def _label_groups(axes: Axes, xy: np.ndarray, names: np.ndarray, codes: np.ndarray) -> None:
    for i, name in enumerate(names):
        chosen = xy[codes == i]
        if name in ("", "ambiguous", "unassigned") or len(chosen) < _LEAST_SHARE_LABELLED * len(xy):
            continue
        x, y = np.median(chosen, axis=0)
        text = axes.text(x, y, str(name), ha="center", va="center", fontsize=8, weight="bold")
        text.set_path_effects([withStroke(linewidth=2.5, foreground="white")])


def _add_legend(
    figure: Figure, names: list[str], counts: np.ndarray, colours: dict[str, str]
) -> None:
    handles = [
        Line2D([], [], marker="o", linestyle="", color=colours[name], markersize=6)
        for name in names
    ]
    labels = [
        f"{name or 'not known'} ({format_count(n)})" for name, n in zip(names, counts, strict=True)
    ]
    figure.legend(handles, labels, loc="outside right upper", handletextpad=0.2)
