"""What each cluster is called, how many of its cells agree, and which genes speak for it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import scipy.sparse as sp

from hiaim_sc.annotate.overrides import CLUSTERS, name_clustering
from hiaim_sc.annotate.panel import find_columns
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.storage import read_genes

if TYPE_CHECKING:
    from hiaim_sc.storage import ReadableCounts

_LEVELS: Final = {"all": ("compartment",), "t_nk": ("lineage", "state", "flag")}
_LEAST_DETECTED: Final = 0.1
_MOST_NAMED: Final = 5
_PER: Final = 1e4


def describe_clusters(
    cell_types: pd.DataFrame,
    selected: ReadableCounts,
    lymphocytes: ReadableCounts,
    panel: pd.DataFrame,
) -> dict[str, pd.DataFrame]:
    """Labels and evidence of the clusters of both passes.

    Parameters
    ----------
    cell_types
        Final labels, in the order of ``selected``.
    selected, lymphocytes
        Counts of all cells, and of those of the second pass; read ``obs["total_counts"]``.
    panel
        As `read_panel` returns it.

    Returns
    -------
    Release tables `cluster_labels`, a row per cluster: the most frequent label of each kind, the
    shares of its cells that have that `cell_type` (``vote``) and that `cell_state`
    (``state_vote``), the shares of ``ambiguous`` and
    ``unassigned`` cells, and as ``evidence`` up to five genes of the panel for the label, by the
    share of cells in which they are detected; and `cluster_markers`, a row per cluster and gene of
    the panel: ``frac_detected``, ``mean_per_10k`` (mean over cells of counts per 10,000).
    """
    in_second = (cell_types["t_nk_cluster"] != "").to_numpy()
    passes = {
        "all": (cell_types, selected),
        "t_nk": (cell_types[in_second].reset_index(drop=True), lymphocytes),
    }
    labels, markers = [], []
    for name, (cells, counts) in passes.items():
        own = panel[panel["level"].isin(_LEVELS[name])]
        found = _tabulate_markers(cells[CLUSTERS[name]], counts, own)
        markers.append(found.assign(**{"pass": name}))
        rows = _tabulate_labels(cells, CLUSTERS[name], found, own)
        clustering = name_clustering(cells, CLUSTERS[name])
        labels.append(rows.assign(**{"pass": name, "clustering": clustering}))
    tables = {"cluster_labels": pd.concat(labels), "cluster_markers": pd.concat(markers)}
    return {
        name: table[list(RELEASE_TABLES[name])].reset_index(drop=True)
        for name, table in tables.items()
    }


def _tabulate_markers(
    cluster: pd.Series, counts: ReadableCounts, panel: pd.DataFrame
) -> pd.DataFrame:
    columns = find_columns(counts, set(panel["gene"]))
    names, code = np.unique(cluster.to_numpy(dtype=str), return_inverse=True)
    shape = len(names), len(code)
    members = sp.csr_matrix((np.ones(len(code)), (code, np.arange(len(code)))), shape=shape)
    size = np.bincount(code, minlength=len(names))[:, None]
    of_panel = read_genes(counts, list(columns.values()))
    detected = (members @ (of_panel > 0).astype(float)).toarray() / size
    total = np.maximum(counts.obs["total_counts"].to_numpy(dtype=float), 1.0)
    mean = (members @ sp.diags_array(_PER / total) @ of_panel).toarray() / size
    table = pd.DataFrame(
        {
            "cluster": np.repeat(names, len(columns)),
            "gene": np.tile(np.array(list(columns), dtype=str), len(names)),
            "frac_detected": detected.ravel(),
            "mean_per_10k": mean.ravel(),
        }
    )
    return _sort(table.astype({"cluster": "str", "gene": "str"}), "gene")


def _tabulate_labels(
    cells: pd.DataFrame, column: str, markers: pd.DataFrame, panel: pd.DataFrame
) -> pd.DataFrame:
    rows = []
    for cluster, members in cells.groupby(column, sort=True):
        most = {
            name: _most_frequent(members[name])
            for name in ("cell_type", "cell_type_lineage", "cell_type_coarse", "cell_state")
        }
        shown = markers[markers["cluster"] == str(cluster)].set_index("gene")["frac_detected"]
        rows.append(
            {
                "cluster": str(cluster),
                "n_cells": len(members),
                **most,
                "vote": (members["cell_type"] == most["cell_type"]).mean(),
                "state_vote": (members["cell_state"] == most["cell_state"]).mean(),
                "frac_ambiguous": (members["cell_type_coarse"] == "ambiguous").mean(),
                "frac_unassigned": (members["cell_type_coarse"] == "unassigned").mean(),
                "evidence": _name_genes(shown, panel, [most["cell_state"], *most.values()]),
            }
        )
    columns = [n for n in RELEASE_TABLES["cluster_labels"] if n not in ("pass", "clustering")]
    return _sort(pd.DataFrame(rows, columns=columns)) if rows else pd.DataFrame(columns=columns)


def _most_frequent(labels: pd.Series) -> str:
    counts = labels.value_counts()
    return str(min(counts.index[counts == counts.iloc[0]])) if len(counts) else ""


def _name_genes(detected: pd.Series, panel: pd.DataFrame, labels: list[str]) -> str:
    """Genes for the first of these labels that the panel knows: ``CD3E 0.82; CD3D 0.80``."""
    speaks = panel[panel["sign"] == 1]
    own = next((rows for name in labels if len(rows := speaks[speaks["cell_type"] == name])), None)
    if own is None:
        return ""
    found = detected.reindex(own["gene"]).dropna()
    found = found[found >= _LEAST_DETECTED]
    order = sorted(found.index, key=lambda gene: (-found[gene], gene))[:_MOST_NAMED]
    return "; ".join(f"{gene} {found[gene]:.2f}" for gene in order)


def _sort(table: pd.DataFrame, *further: str) -> pd.DataFrame:
    """By cluster number, then the further columns."""
    number = pd.to_numeric(table["cluster"], errors="coerce")
    return (
        table.assign(number=number)
        .sort_values(["number", "cluster", *further], ignore_index=True)
        .drop(columns="number")
    )
