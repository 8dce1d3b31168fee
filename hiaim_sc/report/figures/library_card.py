"""One library's cells against its own limits, on one small picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.ticker import LogLocator, NullFormatter

from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.formats import format_amount, format_count
from hiaim_sc.report.labels import label_reason
from hiaim_sc.report.palette import INK, KEPT, LOSS_COLOURS, MUTED

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_LABELS: Final = {
    "total_counts": "molecules per cell",
    "n_genes_by_counts": "genes per cell",
    "pct_counts_mt": "mitochondrial molecules (%)",
}


@styled
def library_card(
    cell_qc: pd.DataFrame, limits: Mapping[str, Mapping[str, Any]], *, library_id: str
) -> Figure:
    """Genes and mitochondrial share against molecules per cell, with the limits as lines.

    Parameters
    ----------
    cell_qc
        One library's cells: `total_counts n_genes_by_counts pct_counts_mt qc_pass qc_reason`.
    limits
        As qc sets them: metric -> `lower`, `upper` (None where there is none).
    library_id
        Named in the title.
    """
    if cell_qc.empty:
        return empty_figure(f"{library_id}: no cells.")
    figure = new_figure(height=3.4, width=8.0)
    left, right = figure.subplots(1, 2)
    fate = _fates(cell_qc)
    _scatter(left, cell_qc, fate, limits, "n_genes_by_counts")
    _scatter(right, cell_qc, fate, limits, "pct_counts_mt")
    left.set_yscale("log")
    for axis in (left.xaxis, left.yaxis, right.xaxis):
        axis.set_major_locator(LogLocator(subs=(1.0, 2.0, 5.0)))
        axis.set_major_formatter(lambda value, _: f"{value:,.0f}")
        axis.set_minor_formatter(NullFormatter())
    kept = int((fate == "kept").sum())
    figure.suptitle(
        f"{library_id}: {format_count(kept)} of {format_amount(len(cell_qc), 'cell')} kept",
        x=0.01,
        ha="left",
        fontsize=10.5,
        weight="bold",
    )
    handles, labels = left.get_legend_handles_labels()
    figure.legend(handles, labels, loc="outside lower left", ncols=4, markerscale=3)
    return figure


def _fates(cell_qc: pd.DataFrame) -> np.ndarray:
    first = cell_qc["qc_reason"].fillna("").astype(str).str.partition(";")[0]
    return np.where(cell_qc["qc_pass"].astype(bool), "kept", first)


def _scatter(
    axes: Axes,
    cell_qc: pd.DataFrame,
    fate: np.ndarray,
    limits: Mapping[str, Mapping[str, Any]],
    metric: str,
) -> None:
    x = cell_qc["total_counts"].to_numpy(dtype=float)
    y = cell_qc[metric].to_numpy(dtype=float)
    for name in ("kept", *sorted(set(fate) - {"kept"})):
        chosen = fate == name
        label = "kept" if name == "kept" else label_reason(name)
        axes.scatter(
            x[chosen],
            y[chosen],
            s=4,
            color=KEPT if name == "kept" else LOSS_COLOURS.get(name, MUTED),
            linewidths=0,
            alpha=0.6,
            rasterized=True,
            label=f"{label} ({format_count(chosen.sum())})",
        )
    _draw_limits(axes.axvline, limits.get("total_counts", {}))
    _draw_limits(axes.axhline, limits.get(metric, {}))
    axes.set_xscale("log")
    axes.set_xlabel(_LABELS["total_counts"])
    axes.set_ylabel(_LABELS[metric])


def _draw_limits(draw: Any, limit: Mapping[str, Any]) -> None:
    for end in ("lower", "upper"):
        if limit.get(end) is not None:
            draw(limit[end], color=INK, linewidth=0.9, linestyle=(0, (4, 3)))
