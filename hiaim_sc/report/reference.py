"""What the report says of labels that a reference carried over."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from hiaim_sc.names import OPEN_LABELS
from hiaim_sc.report.formats import format_count, format_names, format_number, format_percent
from hiaim_sc.report.views import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_SURE: Final = 0.5
_MOST_NAMED: Final = 3


def describe_reference(tables: Mapping[str, pd.DataFrame]) -> list[str]:
    """How far a reference and the panel say the same, in sentences; none without a reference.

    Their labels have different names, so that agreement is how often one label gives away the
    other: the share of cells whose panel label is the most frequent one of their reference label,
    and the other way round.
    """
    cells = tables["reference_labels"]
    if cells.empty:
        return []
    pairs = tables["reference_agreement"]
    pairs = pairs[pairs["level"] == "cell_type"]
    to_panel, to_reference = (
        pairs.groupby(by)["n_cells"].max().sum() / pairs["n_cells"].sum()
        for by in ("reference_label", "label")
    )
    is_unsure = cells["reference_score"].astype(float) < _SURE
    told = [
        f"A model that the study brought along names each of {format_count(len(cells))} cells too;"
        " its labels stand beside the panel's and enter no other result.",
        f"Whoever knows its label guesses the panel's cell type right in {format_percent(to_panel)}"
        f" of the cells, and the other way round in {format_percent(to_reference)}.",
        f"{format_percent(float(is_unsure.mean()))} of the cells have a score below"
        f" {_SURE}: no label of the model fits them well.",
    ]
    return [*told, *_describe_open(cells, is_unsure), *_describe_genes(tables["reference_qc"])]


def _describe_open(cells: pd.DataFrame, is_unsure: pd.Series) -> list[str]:
    is_open = cells["cell_type"].isin(OPEN_LABELS)
    if not is_open.any():
        return []
    sure = cells.loc[is_open & ~is_unsure, "reference_label"].value_counts()
    ranked = sorted(sure.items(), key=lambda item: (-item[1], str(item[0])))[:_MOST_NAMED]
    names = format_names([f"{name} ({format_count(n)})" for name, n in ranked])
    told = f"Of {format_count(int(is_open.sum()))} cells that the panel leaves open it is sure of"
    told += f" {format_count(int(sure.sum()))} (a score of {_SURE} or more)"
    return [f"{told}, most of all {names}." if names else f"{told}."]


def _describe_genes(quality: pd.DataFrame) -> list[str]:
    share = quality["n_genes_used"].astype(float) / quality["n_genes_model"].astype(float)
    least, most = format_percent(float(share.min())), format_percent(float(share.max()))
    return [f"The libraries have {least if least == most else f'{least} to {most}'} of its genes."]


def view_reference(agreement: pd.DataFrame) -> View:
    """Each cell type of the panel with the labels that the reference gives its cells most."""
    rows = []
    pairs = agreement[agreement["level"] == "cell_type"]
    for label, found in pairs.groupby("label", sort=False):
        ranked = found.sort_values(["n_cells", "reference_label"], ascending=[False, True])
        named = [
            f"{row.reference_label} ({format_percent(row.share)})"
            for row in ranked.head(_MOST_NAMED).itertuples()
        ]
        top = ranked.iloc[0]
        rows.append(
            [
                str(label),
                format_count(ranked["n_cells"].sum()),
                ", ".join(named),
                format_number(float(top["median_score"]), digits=2),
            ]
        )
    heads = ["Cell type of the panel", "Cells", "Labels of the model (share)", "Median score"]
    caption = (
        "What the study's own model calls the cells of each type: its three most frequent labels,"
        " and the median score of the first."
    )
    return View(caption, heads, rows, frozenset((1, 3)))
