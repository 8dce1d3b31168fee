"""Clones found among the cells drawn, and the depth at which samples are compared."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.compare import choose_population, count_clones
from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.formats import format_amount, format_count
from hiaim_sc.report.labels import capitalise, label_visit
from hiaim_sc.report.palette import BLINDED, INK, KEPT, MUTED
from hiaim_sc.stats import rarefied_richness

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_POINTS: Final = 20
_READ: Final = [
    "sample_id",
    "cell_type",
    "cell_type_lineage",
    "cell_type_coarse",
    "clone_key",
    "invariant",
]
_PLACE: Final = ["sample_id", "tissue", "visit", "depth"]
_COLUMNS: Final = [*_PLACE, "m", "n_clones"]


def tabulate_rarefaction(cells: pd.DataFrame, repertoires: pd.DataFrame) -> pd.DataFrame:
    """Expected number of clones among m cells of each sample, for m up to all its cells.

    Columns ``sample_id tissue visit depth m n_clones``. Of the cells that the clonal endpoints
    count; `depth` is the depth m of the tissue.

    Parameters
    ----------
    cells, repertoires
        Release tables.
    """
    rows = repertoires[repertoires["n_cells"] > 0]
    if rows.empty:
        return pd.DataFrame(columns=_COLUMNS)
    population = choose_population(cells)
    rows = rows.loc[rows["cell_class"] == population, _PLACE]
    kept = cells.loc[cells["qc_pass"].astype(bool), _READ]
    curves = []
    for sample_id, found in kept[kept["sample_id"].isin(rows["sample_id"])].groupby("sample_id"):
        counts = count_clones(found, population).to_numpy()
        m = np.unique(np.geomspace(1, counts.sum(), _POINTS).round().astype(int))
        n_clones = [rarefied_richness(counts, int(depth)) for depth in m]
        curves.append(pd.DataFrame({"sample_id": sample_id, "m": m, "n_clones": n_clones}))
    if not curves:
        return pd.DataFrame(columns=_COLUMNS)
    return pd.concat(curves, ignore_index=True).merge(rows, on="sample_id", how="left")[_COLUMNS]


@styled
def rarefaction(curves: pd.DataFrame, *, tissues: Sequence[str], visits: Sequence[str]) -> Figure:
    """Clones against cells drawn: a panel per tissue and visit, a line per sample, m marked.

    A sample that ends before m, in red, is not compared.

    Parameters
    ----------
    curves
        As `tabulate_rarefaction` returns it.
    tissues, visits
        In the design's order.
    """
    if curves.empty:
        return empty_figure("No T cell has a clone.")
    figure = new_figure(height=0.7 + 2.5 * len(tissues), width=max(4.5, 2.9 * len(visits)))
    panels = figure.subplots(len(tissues), len(visits), sharex="row", sharey="row", squeeze=False)
    for row, tissue in zip(panels, tissues, strict=True):
        for axes, visit in zip(row, visits, strict=True):
            here = curves[(curves["tissue"] == tissue) & (curves["visit"] == visit)]
            _draw_panel(axes, here)
            axes.set_title(f"{capitalise(tissue)}, {label_visit(visit)}", pad=16)
        row[0].set_ylabel("clones expected")
        row[0].set_xlim(0, None)
        row[0].set_ylim(0, None)
    for axes in panels[-1]:
        axes.set_xlabel("cells drawn")
    return figure


def _draw_panel(axes: Axes, curves: pd.DataFrame) -> None:
    axes.grid(visible=True)
    if curves.empty:
        axes.text(0.5, 0.5, "no cells", transform=axes.transAxes, ha="center", color=MUTED)
        return
    depth = int(curves["depth"].iloc[0])
    lines = [curve for _, curve in curves.groupby("sample_id")]
    for curve in lines:
        is_deep = curve["m"].max() >= depth
        axes.plot(
            curve["m"],
            curve["n_clones"],
            color=KEPT if is_deep else BLINDED,
            linestyle="-" if is_deep else "--",
            linewidth=1.0,
            alpha=0.6 if is_deep else 1.0,
            zorder=2 if is_deep else 3,
        )
    axes.axvline(depth, color=INK, linewidth=1.2)
    n_below = sum(curve["m"].max() < depth for curve in lines)
    below = f", {format_count(n_below)} below" if n_below else ""
    note = f"m = {format_count(depth)}: {format_amount(len(lines), 'sample')}{below}"
    axes.text(0, 1.02, note, transform=axes.transAxes, fontsize=8, color=MUTED)
