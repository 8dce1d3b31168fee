"""The panel's labels and those of a reference, cell by cell and side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from hiaim_sc.names import LABEL_LEVELS, RELEASE_TABLES
from hiaim_sc.study.pooling import pool_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

_CELL: Final = ["library_id", "cell_barcode"]
_CARRIED: Final = ["cell_barcode", "reference_label", "reference_score"]
_PAIR: Final = ["level", "label", "reference_label"]
_UNSURE: Final = 0.5


def compare_labels(
    carried: Mapping[str, pd.DataFrame],
    genes: Mapping[str, Mapping[str, int]],
    cell_types: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """Release tables `reference_labels`, `reference_agreement` and `reference_qc`.

    Parameters
    ----------
    carried
        library_id: `CarriedLabels.table`.
    genes
        library_id: ``n_genes_model n_genes_used``.
    cell_types
        As `annotate_cells` returns it, overrides applied.

    Returns
    -------
    ``reference_labels``
        A row per cell: the panel's label at each level beside the reference's.
    ``reference_agreement``
        A row per level, label of the panel and label of the reference that share a cell:
        ``share`` of the panel's label, ``share_of_reference`` of the reference's, and
        ``median_score``. Cells without a state are not in the level ``cell_state``.
    ``reference_qc``
        A row per library. ``frac_unsure``: share of its cells with a score below 0.5, which no
        label of the reference fits.
    """
    own = cell_types[[*_CELL, *LABEL_LEVELS]]
    labels = pool_tables(carried, _CARRIED).merge(own, on=_CELL, how="left", validate="1:1")
    labels = labels.fillna(dict.fromkeys(LABEL_LEVELS, ""))
    labels = labels[list(RELEASE_TABLES["reference_labels"])]
    labels = labels.sort_values(_CELL, ignore_index=True)
    return {
        "reference_labels": labels,
        "reference_agreement": _cross(labels),
        "reference_qc": _summarise(labels, genes),
    }


def _cross(labels: pd.DataFrame) -> pd.DataFrame:
    found = [
        labels.assign(level=level, label=labels[level]).query("label != ''")
        for level in LABEL_LEVELS
    ]
    pairs = pd.concat(found).groupby(_PAIR, sort=True)["reference_score"]
    table = pairs.agg(n_cells="size", median_score="median").reset_index()
    for name, whole in (("share", "label"), ("share_of_reference", "reference_label")):
        table[name] = table["n_cells"] / table.groupby(["level", whole])["n_cells"].transform("sum")
    order = {level: position for position, level in enumerate(LABEL_LEVELS)}
    table = table.assign(order=table["level"].map(order)).sort_values(
        ["order", "label", "n_cells", "reference_label"], ascending=[True, True, False, True]
    )
    return table[list(RELEASE_TABLES["reference_agreement"])].reset_index(drop=True)


def _summarise(labels: pd.DataFrame, genes: Mapping[str, Mapping[str, int]]) -> pd.DataFrame:
    table = pd.DataFrame.from_dict(dict(genes), orient="index")
    table = table.rename_axis("library_id").sort_index().reset_index()
    scores = labels.groupby("library_id")["reference_score"]
    of_library = {
        "n_cells": scores.size(),
        "median_score": scores.median(),
        "frac_unsure": (labels["reference_score"] < _UNSURE).groupby(labels["library_id"]).mean(),
    }
    for name, values in of_library.items():
        table[name] = table["library_id"].map(values)
    table["n_cells"] = table["n_cells"].fillna(0).astype("int64")
    return table[list(RELEASE_TABLES["reference_qc"])].astype({"library_id": "str"})
