"""How large the clones of each sample are, from the largest down."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.figures.clone_tracking import tabulate_frequencies
from hiaim_sc.report.labels import capitalise, label_visit
from hiaim_sc.report.palette import INK, KEPT, MUTED, pick_colours

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

# more patients than colours that can be told apart: all in one colour
_MOST_COLOURS: Final = 10
_POINTS: Final = 40


def tabulate_ranks(clones: pd.DataFrame) -> pd.DataFrame:
    """Clones by size: ``patient_id tissue visit rank share``; rank 1 is the largest of the sample.

    Cells at rest that pass QC; `share` is of those with a clone.
    """
    table = tabulate_frequencies(clones)
    keys = ["patient_id", "tissue", "visit"]
    table = table.sort_values([*keys, "share"], ascending=[True] * 3 + [False], ignore_index=True)
    return table.assign(rank=table.groupby(keys).cumcount() + 1)[[*keys, "rank", "share"]]


@styled
def rank_abundance(
    clones: pd.DataFrame, *, tissues: Sequence[str], visits: Sequence[str]
) -> Figure:
    """Share of each clone against its rank: a panel per tissue and visit, a line per patient.

    The thick line is the median at each rank that at least half of the patients have. With more
    than ten patients the lines have one colour.

    Parameters
    ----------
    clones
        Release table `clones`.
    tissues, visits
        In the design's order.
    """
    table = tabulate_ranks(clones)
    if table.empty:
        return empty_figure("No cell has a clone.")
    patients = sorted(table["patient_id"].unique())
    colours = pick_colours(patients) if len(patients) <= _MOST_COLOURS else {}
    figure = new_figure(height=0.7 + 2.5 * len(tissues), width=max(4.5, 2.9 * len(visits)))
    panels = figure.subplots(len(tissues), len(visits), sharex=True, sharey=True, squeeze=False)
    for row, tissue in zip(panels, tissues, strict=True):
        for axes, visit in zip(row, visits, strict=True):
            here = table[(table["tissue"] == tissue) & (table["visit"] == visit)]
            _draw_panel(axes, here, colours)
            n = here["patient_id"].nunique()
            axes.set_title(f"{capitalise(tissue)}, {label_visit(visit)} (n = {n})")
    for axes in panels[-1]:
        axes.set_xlabel("rank of the clone")
    for axes in panels[:, 0]:
        axes.set_ylabel("share of cells (%)")
    panels[0, 0].set_xlim(0.9, None)
    if colours:
        handles = [panels[0, 0].plot([], [], color=c, label=p)[0] for p, c in colours.items()]
        figure.legend(handles=handles, loc="outside right upper")
    return figure


def _draw_panel(axes: Axes, table: pd.DataFrame, colours: Mapping[str, str]) -> None:
    axes.set_xscale("log")
    axes.set_yscale("log")
    axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.grid(visible=True)
    if table.empty:
        axes.text(0.5, 0.5, "no cells", transform=axes.transAxes, ha="center", color=MUTED)
        return
    by_rank = 100 * table.pivot_table("share", index="rank", columns="patient_id")
    for patient in by_rank:
        line = _thin_out(by_rank[patient].dropna())
        colour = colours.get(str(patient), KEPT)
        axes.plot(line.index, line, color=colour, linewidth=0.9, alpha=0.9 if colours else 0.35)
    is_common = 2 * by_rank.notna().sum(axis=1) >= by_rank.shape[1]
    median = _thin_out(by_rank[is_common].median(axis=1))
    axes.plot(median.index, median, color=INK, linewidth=2.2)


def _thin_out(line: pd.Series) -> pd.Series:
    """The points that a line on a logarithmic axis needs."""
    positions = np.unique(np.geomspace(1, len(line), _POINTS).round().astype(int)) - 1
    return line.iloc[positions]
