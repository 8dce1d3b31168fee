"""Genes by arm, a panel per cell type."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.patheffects import withStroke

from hiaim_sc.report.canvas import empty_figure, mark_blinded, new_figure, styled
from hiaim_sc.report.contrasts import split_contrast
from hiaim_sc.report.expression import MAX_Q, split_groups
from hiaim_sc.report.formats import format_count
from hiaim_sc.report.labels import label_place
from hiaim_sc.report.palette import INK, KEPT, MUTED
from hiaim_sc.report.values import read_flag

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LOWER: Final = "#d55e00"
_PLAIN: Final = "#b8b8b8"
_PER_ROW: Final = 3
_MOST_NAMED: Final = 5
_WIDER: Final = 1.6  # room for names beside the outermost genes
_LEAST_P: Final = 1e-300
# Least distance of two names, as a share of the height of a panel.
_LINE: Final = 0.085


@styled
def volcano(table: pd.DataFrame) -> Figure:
    """Difference between arms and p of every gene; genes with q below 0.05 are coloured.

    Panels share their axes. The five genes with the smallest p of each are named. Genes that cannot
    be a discovery are not drawn. Blinded tables give a watermark.

    Parameters
    ----------
    table
        Release table `differential_expression` of one tissue and visit.
    """
    groups = list(split_groups(table))
    if not groups:
        return empty_figure("No genes were compared.")
    n_rows = -(-len(groups) // _PER_ROW)
    figure = new_figure(height=0.5 + 2.75 * n_rows)
    panels = figure.subplots(n_rows, _PER_ROW, squeeze=False, sharex=True, sharey=True)
    heights = [_height(rows) for _, rows in groups]
    reach = max(float(rows["log2_fc"].astype(float).abs().max()) for _, rows in groups) or 1.0
    top = max(float(height.max(initial=0.0)) for height in heights) or 1.0
    panels[0, 0].set_xlim(-_WIDER * reach, _WIDER * reach)
    panels[0, 0].set_ylim(0, 1.12 * top)
    many = len({words["contrast"] for words, _ in groups}) > 1
    for axes, (words, rows), height in zip(panels.flat, groups, heights, strict=False):
        _draw_panel(axes, rows, height, line=1.12 * top * _LINE)
        contrast = f" ({words['contrast']})" if many else ""
        axes.set_title(f"{words['cell_type']}{contrast}", fontsize=9, pad=16)
        axes.text(0, 1.03, _count(words, rows), transform=axes.transAxes, fontsize=8, color=MUTED)
    for axes in list(panels.flat)[len(groups) :]:
        axes.set_axis_off()
    words = groups[0][0]
    _label_axes(figure, panels, words, many=many, n=len(groups))
    if any(read_flag(group["blinded"]) for group, _ in groups):
        mark_blinded(figure)
    return figure


def _height(rows: pd.DataFrame) -> np.ndarray:
    """Minus log10 p; 0 where there is no p."""
    p = rows["p_value"].astype(float).fillna(1.0).to_numpy()
    return -np.log10(np.maximum(p, _LEAST_P))


def _draw_panel(axes: Axes, rows: pd.DataFrame, height: np.ndarray, *, line: float) -> None:
    change = rows["log2_fc"].to_numpy(dtype=float)
    is_found = rows["q_value"].to_numpy(dtype=float) < MAX_Q
    colours = np.where(is_found, np.where(change > 0, KEPT, _LOWER), _PLAIN)
    axes.axvline(0, color=MUTED, linewidth=0.8)
    axes.scatter(
        change, height, s=np.where(is_found, 11.0, 4.0), c=colours, linewidths=0, rasterized=True
    )
    named = np.argsort(-height, kind="stable")[:_MOST_NAMED]
    symbols = rows["gene"].astype(str).to_numpy()
    for side in (change[named] > 0, change[named] <= 0):
        chosen = named[side]
        for i, y in zip(chosen, _spread(height[chosen], line), strict=True):
            _write_name(axes, symbols[i], (change[i], height[i], y), is_found=is_found[i])


def _spread(heights: np.ndarray, line: float) -> np.ndarray:
    """Heights of names, from the top, each at least a line below the last."""
    placed = heights.astype(float).copy()
    for i in range(1, len(placed)):
        placed[i] = min(placed[i], placed[i - 1] - line)
    return placed


def _write_name(
    axes: Axes, symbol: str, place: tuple[float, float, float], *, is_found: bool
) -> None:
    x, y, written = place
    is_right = x > 0
    text = axes.annotate(
        symbol,
        (x, y),
        xytext=(x + (0.04 if is_right else -0.04) * float(np.ptp(axes.get_xlim())), written),
        ha="left" if is_right else "right",
        va="center",
        fontsize=7,
        color=INK if is_found else MUTED,
        arrowprops={"arrowstyle": "-", "color": MUTED, "linewidth": 0.4, "shrinkA": 0},
    )
    text.set_path_effects([withStroke(linewidth=1.2, foreground="white")])


def _count(words: dict[str, Any], rows: pd.DataFrame) -> str:
    n_found = int((rows["q_value"].astype(float) < MAX_Q).sum())
    patients = f"n = {words['n_treated']} / {words['n_reference']}"
    return f"{format_count(n_found)} of {format_count(len(rows))} genes, {patients}"


def _label_axes(
    figure: Figure, panels: np.ndarray, words: dict[str, Any], *, many: bool, n: int
) -> None:
    treated, reference = split_contrast(words["contrast"])
    pair = ("treated", "reference") if many else (treated, reference)
    figure.suptitle(
        f"{label_place(words['tissue'], words['visit'])}: genes with q below {MAX_Q}, patients "
        f"{pair[0]} / {pair[1]}",
        fontsize=9.5,
        x=0.01,
        ha="left",
    )
    figure.supylabel("\u2212log10 p", fontsize=9)
    figure.supxlabel(f"log2 fold change, {pair[0]} against {pair[1]}", fontsize=9)
    for column in range(min(n, panels.shape[1])):
        last = max(i for i in range(n) if i % panels.shape[1] == column)
        panels[last // panels.shape[1], column].tick_params(labelbottom=True)
