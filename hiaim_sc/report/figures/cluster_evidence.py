"""Why each cluster is called what it is, and what the annotation leaves open in each sample."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.labels import label_place
from hiaim_sc.report.palette import INK, KEPT, MUTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_GENES_PER_LABEL: Final = 3
_MOST_GENES: Final = 60
_LARGEST_DOT: Final = 70.0
_LEAST_PERCENT: Final = 2.0
_SHARES: Final = (0.25, 0.5, 1.0)
_OPEN: Final = {
    "frac_unassigned": "no cell type",
    "frac_ambiguous": "evidence for two cell types",
    "frac_state_unassigned": "T and NK cells: no state",
}


@styled
def cluster_evidence(labels: pd.DataFrame, markers: pd.DataFrame) -> Figure:
    """Dots of the genes that speak for each label, in each cluster of one pass.

    A dot is as large as the share of the cluster's cells with the gene, and as dark as its mean
    expression relative to the cluster that has most of it.

    Parameters
    ----------
    labels, markers
        Rows of `cluster_labels` and `cluster_markers` of the pass.
    """
    if labels.empty or markers.empty:
        return empty_figure("No cells were clustered.")
    labels = _order(labels)
    genes = _choose_genes(labels)
    if not genes:
        return empty_figure("No gene of the panel was detected in any cluster.")
    clusters = list(labels["cluster"].astype(str))
    table = markers.assign(cluster=markers["cluster"].astype(str))
    detected, mean = (
        table.pivot_table(index="cluster", columns="gene", values=name)
        .reindex(index=clusters, columns=genes)
        .fillna(0.0)
        .to_numpy(dtype=float)
        for name in ("frac_detected", "mean_per_10k")
    )
    figure = new_figure(
        height=1.9 + 0.2 * len(clusters), width=float(np.clip(3.6 + 0.17 * len(genes), 7.0, 14.0))
    )
    axes = figure.add_subplot()
    row, column = np.indices(detected.shape)
    shade = mean / np.maximum(mean.max(axis=0, keepdims=True), 1e-12)
    axes.scatter(
        column.ravel(),
        row.ravel(),
        s=_LARGEST_DOT * detected.ravel(),
        c=shade.ravel(),
        cmap="Blues",
        vmin=-0.25,
        vmax=1.0,
        edgecolors=MUTED,
        linewidths=0.3,
    )
    axes.set_xticks(range(len(genes)), genes, rotation=90, fontsize=7)
    axes.set_yticks(range(len(clusters)), [_name_row(r) for r in labels.to_dict("records")])
    axes.tick_params(axis="y", labelsize=7.5)
    axes.set_xlim(-0.7, len(genes) - 0.3)
    axes.set_ylim(len(clusters) - 0.4, -0.6)
    axes.grid(visible=True, linewidth=0.3)
    _explain_dots(axes)
    return figure


def _order(labels: pd.DataFrame) -> pd.DataFrame:
    number = pd.to_numeric(labels["cluster"], errors="coerce")
    keys = ["cell_type_coarse", "cell_type_lineage", "cell_state", "number"]
    filled = labels.assign(number=number).fillna(dict.fromkeys(keys[:-1], ""))
    return filled.sort_values(keys, ignore_index=True)


def _choose_genes(labels: pd.DataFrame) -> list[str]:
    """The best detected genes of each label, in the order of the rows."""
    genes: dict[str, None] = {}
    for evidence in labels["evidence"].fillna("").astype(str):
        named = [part.split(" ")[0] for part in evidence.split("; ") if part]
        genes |= dict.fromkeys(named[:_GENES_PER_LABEL])
    return list(genes)[:_MOST_GENES]


def _name_row(row: dict) -> str:
    label, vote = row["cell_type"], row["vote"]
    if row["pass"] == "t_nk" and row["cell_state"] not in ("", "unassigned"):
        label, vote = row["cell_state"], row["state_vote"]
    return f"{label}  ({row['cluster']}; {row['n_cells']:,} cells, {100 * vote:.0f} % agree)"


def _explain_dots(axes: Axes) -> None:
    for share in _SHARES:
        axes.scatter(
            [], [], s=_LARGEST_DOT * share, color="#9ecae1", edgecolors=MUTED, linewidths=0.3,
            label=f"{100 * share:.0f} % of cells",
        )  # fmt: skip
    axes.legend(loc="lower left", bbox_to_anchor=(0.0, 1.0), ncols=len(_SHARES), handletextpad=0.2)


@styled
def open_labels(quality: pd.DataFrame, *, tissues: Sequence[str], visits: Sequence[str]) -> Figure:
    """Share of each sample's cells without a label, a dot per sample; no arm.

    Parameters
    ----------
    quality
        `annotation_qc`.
    tissues, visits
        In the design's order.
    """
    if quality.empty:
        return empty_figure("No sample has cells with a label.")
    places = [
        (tissue, visit)
        for tissue in tissues
        for visit in visits
        if ((quality["tissue"] == tissue) & (quality["visit"] == visit)).any()
    ]
    figure = new_figure(height=1.2 + 0.45 * len(places))
    panels = figure.subplots(1, len(_OPEN), sharey=True)
    for axes, (column, title) in zip(panels, _OPEN.items(), strict=True):
        for row, (tissue, visit) in enumerate(places):
            here = quality[(quality["tissue"] == tissue) & (quality["visit"] == visit)]
            values = 100 * here[column].astype(float).dropna().sort_values()
            spread = np.linspace(-0.25, 0.25, len(values)) * (len(values) > 1)
            axes.scatter(values, row + spread, s=10, color=KEPT, alpha=0.7, lw=0)
            if len(values):
                axes.plot([values.median()] * 2, [row - 0.35, row + 0.35], color=INK, lw=1.4)
        axes.set_title(title)
        axes.set_xlabel("% of the sample's cells" + " of these" * column.startswith("frac_state"))
        axes.set_xlim(0, max(axes.get_xlim()[1], _LEAST_PERCENT))
        axes.grid(visible=True, axis="x")
    panels[0].set_yticks(range(len(places)), [label_place(*place) for place in places])
    panels[0].set_ylim(len(places) - 0.5, -0.5)
    return figure
