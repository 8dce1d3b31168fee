"""Labels that a person gave, with name and reason, above what was computed."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.annotate.markers import CELL
from hiaim_sc.names import COARSE_OF_CELL_TYPE, RELEASE_TABLES, T_LINEAGES

if TYPE_CHECKING:
    from collections.abc import Mapping

# the passes' columns of clusters
CLUSTERS: Final = {"all": "leiden", "t_nk": "t_nk_cluster"}
APPLIED, NO_CELL, OTHER_CLUSTERING = "applied", "no such cell", "another clustering"
_LINEAGES: Final = {"CD4 T": "CD4", "CD8 T": "CD8", "gd T": "gd"}
_TEXTS: Final = ("library_id", "cell_barcode", "clustering", "cluster", "label", "cell_state")


def name_clustering(cells: pd.DataFrame, column: str) -> str:
    """A name for these clusters: 12 hexadecimal digits of which cell is in which.

    Clusters are numbered anew whenever cells are added, so that a number alone says nothing.
    """
    rows = cells[cells[column] != ""].sort_values(CELL)
    lines = rows["library_id"] + "\t" + rows["cell_barcode"] + "\t" + rows[column]
    return hashlib.sha256("\n".join(lines).encode()).hexdigest()[:12]


def apply_overrides(
    cell_types: pd.DataFrame, overrides: pd.DataFrame | None
) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The labels with a person's in place of the computed ones, and what became of each row.

    Parameters
    ----------
    cell_types
        As `annotate_cells` returns it.
    overrides
        ``library_id cell_barcode`` or ``clustering cluster``, ``label cell_state author reason``; a
        row for one cell is above one for its cluster. None where the study has no such table.

    Returns
    -------
    ``cell_types``, with ``cell_type_evidence`` ``override`` where one was applied, and the release
    table `cell_type_overrides`: a row per override with ``n_cells`` and ``status``. A row for a
    clustering that is not the present one is not applied and says so.
    """
    columns = list(RELEASE_TABLES["cell_type_overrides"])
    if overrides is None or overrides.empty:
        return cell_types, pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    table = overrides.reindex(columns=[*_TEXTS, "author", "reason"]).astype("str").fillna("")
    clusterings = {name_clustering(cell_types, column): column for column in CLUSTERS.values()}
    position = pd.MultiIndex.from_frame(cell_types[CELL])
    is_cell = (table["cell_barcode"] != "").to_numpy()
    labels = cell_types.copy()
    n_cells, status = np.zeros(len(table), dtype=np.int64), np.full(len(table), NO_CELL, object)
    for number in [*np.flatnonzero(~is_cell), *np.flatnonzero(is_cell)]:
        row = table.iloc[number]
        if is_cell[number]:
            found = position.get_indexer([(row["library_id"], row["cell_barcode"])])
            found = found[found >= 0]
        elif row["clustering"] in clusterings:
            column = clusterings[row["clustering"]]
            found = np.flatnonzero(cell_types[column] == row["cluster"])
        else:
            status[number] = OTHER_CLUSTERING
            continue
        n_cells[number] = len(found)
        if len(found):
            status[number] = APPLIED
            labels = _relabel(labels, found, row)
    table = table.assign(n_cells=n_cells, status=status.astype(str))
    return labels, table[columns].sort_values(columns, ignore_index=True)


def _relabel(labels: pd.DataFrame, rows: np.ndarray, override: Mapping[str, str]) -> pd.DataFrame:
    label = override["label"]
    coarse = COARSE_OF_CELL_TYPE[label]
    new = {
        "cell_type": label,
        "cell_type_coarse": coarse,
        "cell_state": override["cell_state"] or ("unassigned" if coarse in ("T", "NK") else ""),
        "cell_type_evidence": "override",
        "cell_state_evidence": "override" if override["cell_state"] else "",
    }
    for name, value in new.items():
        labels.loc[rows, name] = value
    labels.loc[rows, "cell_state_confidence"] = 0.0
    lineage = label if label in T_LINEAGES else _LINEAGES.get(label, coarse)
    keeps = labels.loc[rows, "cell_type_lineage"].isin(T_LINEAGES) & (label == "proliferating T")
    labels.loc[rows[~keeps.to_numpy()], "cell_type_lineage"] = lineage
    return labels
