"""Power of the candidates for the primary clonal endpoint, drawn."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.report.canvas import new_figure, render_png, styled
from hiaim_sc.report.palette import MUTED, pick_colours

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

_SHOWN = (
    "n_called (K 5)",
    "nexp, c 2",
    "nexp, c max(2, m/400)",
    "expfrac, c 2",
    "max-T n_called (K 5), nexp c 2",
)


@styled
def draw_power(table: pd.DataFrame, path: Path) -> None:
    """Share of cohorts with p of at most .05 by planted clones; a row per patients per arm.

    Parameters
    ----------
    table
        As ``benchmarks.clonal_power`` writes it.
    path
        PNG to write.
    """
    grown = table[(table["kind"] == "growth") & (table["ratio"] == 1)]
    panels = grown[["depth", "m"]].drop_duplicates().to_records(index=False).tolist()
    numbers = sorted(grown["n_per_arm"].unique(), reverse=True)
    colours = pick_colours(_SHOWN)
    figure = new_figure(height=2.1 * len(numbers) + 0.8, width=2.0 * len(panels) + 1)
    grid = figure.subplots(len(numbers), len(panels), sharex=True, sharey=True, squeeze=False)
    for row, n_per_arm in enumerate(numbers):
        for column, (depth, m) in enumerate(panels):
            axes = grid[row, column]
            here = grown[(grown["depth"] == depth) & (grown["m"] == m)]
            here = here[here["n_per_arm"] == n_per_arm].set_index(["candidate", "n_planted"])
            for name in _SHOWN:
                shares = here["share"].loc[name].sort_index()
                width = 2.2 if name.startswith("max-T") else 1.3
                axes.plot(
                    shares.index, shares, "o-", color=colours[name], lw=width, ms=3, label=name
                )
            axes.axhline(0.05, color=MUTED, lw=0.8, ls=":")
            axes.set_ylim(0, 1.02)
            axes.grid(axis="y")
            if row == 0:
                axes.set_title(f"{depth} cells, m {int(m * depth)}")
        grid[row, 0].set_ylabel(f"{n_per_arm} per arm\np ≤ .05 in")
    for axes in grid[-1]:
        axes.set_xlabel("clones that grow 5-fold")
        axes.set_xticks([0, 10, 20])
    figure.legend(*grid[0, 0].get_legend_handles_labels(), loc="outside lower center", ncols=3)
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render_png(figure))
