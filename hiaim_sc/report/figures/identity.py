"""Who shares receptors with whom."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from matplotlib.colors import LogNorm
from matplotlib.patches import Rectangle

from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.palette import BLINDED, INK

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LEAST: Final = 1e-3
_MOST_LABELS: Final = 48
_MOST_MARKS: Final = 500


def order_samples(
    samples: pd.DataFrame, *, tissues: Sequence[str], visits: Sequence[str]
) -> pd.DataFrame:
    """The samples by patient, tissue and visit in the design's order, then sample_id."""
    orders = {
        name: {value: i for i, value in enumerate(values)}
        for name, values in (("tissue", tissues), ("visit", visits))
    }
    return samples.sort_values(
        ["patient_id", "tissue", "visit", "sample_id"],
        key=lambda column: column.map(orders[column.name]) if column.name in orders else column,
        ignore_index=True,
    )


def tabulate_overlap(sharing: pd.DataFrame, samples: pd.DataFrame) -> pd.DataFrame:
    """Morisita-Horn overlap of every pair of samples, square and symmetric; NaN on the diagonal.

    Samples stand as they are given. Pairs without a row share nothing: 0.
    """
    order = samples["sample_id"].drop_duplicates()
    position = pd.Series(np.arange(len(order)), index=order.to_numpy())
    known = sharing[
        sharing["sample_id_1"].isin(position.index) & sharing["sample_id_2"].isin(position.index)
    ]
    first = position.reindex(known["sample_id_1"]).to_numpy()
    second = position.reindex(known["sample_id_2"]).to_numpy()
    matrix = np.zeros((len(order), len(order)))
    matrix[first, second] = matrix[second, first] = known["morisita_horn"].to_numpy(dtype=float)
    np.fill_diagonal(matrix, np.nan)
    return pd.DataFrame(matrix, index=list(order), columns=list(order))


@styled
def identity(
    sharing: pd.DataFrame,
    samples: pd.DataFrame,
    *,
    tissues: Sequence[str],
    visits: Sequence[str],
) -> Figure:
    """Overlap of clones between samples: only a patient's own samples should share any.

    Parameters
    ----------
    sharing
        Release table `sharing`.
    samples
        `sample_id patient_id tissue visit` of the samples that have clones. A frame surrounds each
        patient; within it they stand by tissue, then visit.
    tissues, visits
        In the design's order.
    """
    samples = order_samples(samples, tissues=tissues, visits=visits)
    matrix = tabulate_overlap(sharing, samples)
    if len(matrix) < 2:
        return empty_figure("Fewer than two samples have clones.")
    n = len(matrix)
    side = float(np.clip(2.6 + 0.15 * n, 4.2, 9.0))
    figure = new_figure(height=side, width=side + 1.2)
    figure.set_layout_engine("compressed")
    axes = figure.add_subplot()
    values = np.ma.masked_less(np.ma.masked_invalid(matrix.to_numpy()), _LEAST)
    image = axes.imshow(values, cmap="Blues", norm=LogNorm(_LEAST, 1.0), interpolation="nearest")
    axes.set_facecolor("#fafafa")
    bar = figure.colorbar(image, ax=axes, shrink=0.6, label="overlap of clones (Morisita-Horn)")
    bar.ax.yaxis.set_major_formatter(lambda value, _: f"{value:g}")
    owners = samples.drop_duplicates("sample_id").set_index("sample_id")["patient_id"]
    _frame_patients(axes, owners.reindex(matrix.index).to_numpy())
    _label_axes(axes, matrix, owners)
    return figure


def _frame_patients(axes: Axes, owners: np.ndarray) -> None:
    starts = np.flatnonzero(np.r_[True, owners[1:] != owners[:-1]])
    for start, stop in zip(starts, [*starts[1:], len(owners)], strict=True):
        size = stop - start
        axes.add_patch(
            Rectangle((start - 0.5, start - 0.5), size, size, fill=False, color=INK, linewidth=0.9)
        )


def _label_axes(axes: Axes, matrix: pd.DataFrame, owners: pd.Series) -> None:
    n = len(matrix)
    patients = owners.reindex(matrix.index)
    middles = pd.Series(np.arange(n), index=patients.to_numpy()).groupby(level=0).mean()
    axes.set_xticks(middles.to_numpy(), middles.index, rotation=90, fontsize=7.5)
    if n <= _MOST_LABELS:
        axes.set_yticks(np.arange(n), matrix.index, fontsize=6.5)
    else:
        axes.set_yticks(middles.to_numpy(), middles.index, fontsize=6.5)
    axes.tick_params(length=0)
    foreign = patients.to_numpy()[:, None] != patients.to_numpy()[None, :]
    rows, columns = np.nonzero(foreign & (matrix.to_numpy() >= 0.01))
    # after a contamination there are thousands: pixels keep the file small
    axes.plot(
        *(columns, rows, "s"),
        markersize=4,
        markerfacecolor="none",
        markeredgecolor=BLINDED,
        rasterized=len(rows) > _MOST_MARKS,
    )
    for spine in axes.spines.values():
        spine.set_visible(False)
