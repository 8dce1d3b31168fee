"""What a reference calls the cells that the panel calls so."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.names import OPEN_LABELS
from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.palette import CELL_TYPE_COLOURS, INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_MOST_LABELS: Final = 40
_LEAST_SHARE: Final = 0.02  # of any of the panel's labels; a label without is one of the others
_LEAST_TEXT: Final = 0.05
_MOST_TEXT: Final = 30
_DARK: Final = 0.55
_ORDER: Final = {name: position for position, name in enumerate(CELL_TYPE_COLOURS)}


def tabulate_label_agreement(agreement: pd.DataFrame, level: str) -> pd.DataFrame:
    """Share of each of the panel's labels (rows) that the reference calls so (columns).

    Rows stand in the order of compartments, columns by the row where most of their cells are, so
    that agreement is a diagonal. Labels of the reference that reach 2 % of no row, or are not among
    the 40 most frequent, are one column ``others (n)``, the last.

    Parameters
    ----------
    agreement
        Release table `reference_agreement`.
    level
        Which of its levels.
    """
    rows = agreement[agreement["level"] == level]
    if rows.empty:
        return pd.DataFrame()
    counts = rows.pivot_table(
        index="label", columns="reference_label", values="n_cells", aggfunc="sum", fill_value=0
    )
    counts = counts.loc[sorted(counts.index, key=_rank)]
    shares = counts.div(counts.sum(axis=1), axis=0)
    is_shown = shares.max() >= _LEAST_SHARE
    frequent = counts.sum().sort_values(ascending=False, kind="stable").index[:_MOST_LABELS]
    shown = [name for name in counts.columns if is_shown[name] and name in set(frequent)]
    # ties by name: the columns come sorted
    place = {name: (int(np.argmax(counts[name])), -int(counts[name].max())) for name in shown}
    table = shares[sorted(shown, key=lambda name: place[name])]
    n_others = counts.shape[1] - len(shown)
    if n_others:
        table = table.assign(**{f"others ({n_others})": (1 - table.sum(axis=1)).clip(lower=0)})
    sizes = [f"{name}  ({n:,})" for name, n in counts.sum(axis=1).items()]
    return table.set_axis(sizes, axis=0)


def _rank(label: str) -> tuple[int, str]:
    """Cell types by compartment, then states by name, then what the panel leaves open."""
    if label in OPEN_LABELS:
        return len(CELL_TYPE_COLOURS) + 1, label
    return _ORDER.get(label, len(CELL_TYPE_COLOURS)), label


@styled
def label_agreement(table: pd.DataFrame) -> Figure:
    """Heat map of labels: the panel's by row, the reference's by column.

    Parameters
    ----------
    table
        As `tabulate_label_agreement` returns it.
    """
    if table.empty:
        return empty_figure("No cell has a label of the panel and of the reference.")
    n_rows, n_columns = table.shape
    figure = new_figure(
        height=float(np.clip(2.4 + 0.22 * n_rows, 3.4, 14.0)),
        width=float(np.clip(4.2 + 0.3 * n_columns, 6.0, 14.0)),
    )
    axes = figure.add_subplot()
    values = 100 * table.to_numpy(dtype=float)
    image = axes.imshow(values, cmap="Blues", vmin=0, vmax=100, aspect="auto")
    axes.set_xticks(range(n_columns), table.columns, rotation=90, fontsize=7.5)
    axes.set_yticks(range(n_rows), table.index, fontsize=7.5)
    axes.tick_params(length=0)
    axes.set_xlabel("label of the reference")
    axes.set_ylabel("label of the panel (cells)")
    for spine in axes.spines.values():
        spine.set_visible(False)
    if n_columns <= _MOST_TEXT:
        _write_shares(axes, values)
    figure.colorbar(image, ax=axes, shrink=0.7, label="% of the panel's label")
    return figure


def _write_shares(axes: Axes, values: np.ndarray) -> None:
    for row, column in np.argwhere(values >= 100 * _LEAST_TEXT):
        value = values[row, column]
        colour = "white" if value > 100 * _DARK else INK
        axes.text(column, row, f"{value:.0f}", ha="center", va="center", fontsize=6.5, color=colour)
