"""The page about how right the annotation is, and its picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from benchmarks.annotation_truth import choose_lymphoid
from hiaim_sc.report.canvas import new_figure, render_png, styled

if TYPE_CHECKING:
    from pathlib import Path

    from matplotlib.axes import Axes

_WANTED: Final = {
    "compartments": "0.98",
    "lineages": "0.95",
    "states": "0.80",
    "NK recall": "0.95",
    "NK precision": "0.95",
}
_SHOWN: Final = 0.005
_PUBLIC: Final = "## Public blood cells"  # what another command writes; it is left as it is


@styled
def draw_confusion(table: pd.DataFrame, path: Path) -> None:
    """Of the cells of each true lineage, and state, the share with each label."""
    lymphoid = choose_lymphoid(table)
    figure = new_figure(height=12.5, width=11.0)
    top, bottom = figure.subplots(2, 1, height_ratios=[1, 2.3])
    _draw(top, table["cell_type_lineage_true"], table["cell_type_lineage"], "Lineages")
    said = lymphoid["cell_state"].replace("", "not T or NK")
    _draw(bottom, lymphoid["cell_state_true"], said, "States of T and NK cells")
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(render_png(figure))


def _draw(axes: Axes, truth: pd.Series, said: pd.Series, title: str) -> None:
    counts = pd.crosstab(truth, said)
    order = [name for name in counts.index if name in counts.columns]
    others = [name for name in counts.columns if name not in order]
    rows = [*order, *(name for name in counts.index if name not in order)]
    shares = counts.div(counts.sum(axis=1), axis=0).loc[rows, [*order, *others]]
    values = shares.to_numpy(dtype=float)
    axes.imshow(values, cmap="Blues", vmin=0, vmax=1, aspect="auto")
    for row, column in zip(*np.nonzero(values >= _SHOWN), strict=True):
        value = values[row, column]
        colour = "white" if value > 0.6 else "black"
        text = f"{100 * value:.0f}"
        axes.text(column, row, text, ha="center", va="center", fontsize=7, color=colour)
    sizes = counts.loc[rows].sum(axis=1)
    axes.set_yticks(range(len(rows)), [f"{n} ({sizes[n]:,})" for n in rows], fontsize=8)
    axes.set_xticks(range(values.shape[1]), list(shares.columns), rotation=90, fontsize=8)
    axes.set_ylabel("truth (cells)")
    axes.set_title(f"{title}: % of the true cells with each label")


_PAGE: Final = """# How right labels of cells are

Written by `python -m benchmarks.annotation --seeds {seed_words}`: cohorts of `configs/hard.yaml`
({n_cells:,} cells that pass QC and are one cell each), from their files to labels. Seed 1 served
while the method was made. In these cohorts T, NK and innate lymphoid cells have 26 states; a state
does not express 15 % of its markers, and the others at other levels than the simulator's table
says; a fifth of the cells is between two states; ambient RNA is 10 % in blood and 20 % in tumours.
The simulator's levels were written down apart from the panel: many of its markers are not in the
panel, and each state also changes forty genes that have no name. Ambient RNA is not taken off here;
what that does to labels stands in [decision 0033](decisions/0033-ambient-rna-taken-off.md).

{table}

NK includes innate lymphoid cells. Logistic regression on the second pass's components that learns
the true labels of other patients reaches, among T and NK cells: lineages {lineages:.3f}, states
{states:.3f}. It knows the truth, but no receptors and no clones.

Between the arms, in blood after the baseline, where treated patients have 1.65 times the NK cells
(treated less control, mean over patients, standard error in brackets, percentage points): NK cells
missed {missed}, cells falsely called NK, of the NK cells, {false}, called less true share of NK
{bias}.

![% of the cells of each true lineage and state with each label](images/annotation.png)
"""


def write_page(
    path: Path,
    measured: pd.DataFrame,
    ceilings: pd.DataFrame,
    arms: pd.DataFrame,
    *,
    n_cells: int,
) -> None:
    """Write the page.

    Parameters
    ----------
    path
        Markdown to write.
    measured, ceilings
        Measure by seed.
    arms
        As `compare_arms` returns it.
    n_cells
        In all cohorts.
    """
    heads = ["share right", *(f"seed {seed}" for seed in measured), "wanted"]
    rows = [
        [str(name), *(f"{value:.3f}" for value in row), _WANTED.get(str(name), "")]
        for name, row in zip(measured.index, measured.to_numpy(), strict=True)
    ]
    table = [heads, ["---"] * len(heads), *rows]
    differences = {
        str(name): f"{100 * row['difference']:+.2f} ({100 * row['standard_error']:.2f})"
        for name, row in arms.iterrows()
    }
    text = _PAGE.format(
        seed_words=" ".join(str(seed) for seed in measured),
        n_cells=n_cells,
        table="\n".join(f"| {' | '.join(row)} |" for row in table),
        lineages=ceilings.loc["lineages"].mean(),
        states=ceilings.loc["states"].mean(),
        **differences,
    )
    before = path.read_text(encoding="utf-8") if path.exists() else ""
    _, heading, public = before.partition(_PUBLIC)
    path.write_text(text + f"\n{heading}{public}" * bool(heading), encoding="utf-8")


def replace_public_section(path: Path, text: str) -> None:
    """Put a text under the page's last heading, about public cells."""
    page = path.read_text(encoding="utf-8").partition(_PUBLIC)[0].rstrip()
    path.write_text(f"{page}\n\n{_PUBLIC}\n\n{text}", encoding="utf-8")
