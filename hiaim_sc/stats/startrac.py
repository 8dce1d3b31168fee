r"""STARTRAC indices of one patient's cells: expansion, migration and transition of clusters.

:math:`n_{cj}` cells of clone c are in cluster j, :math:`n_{cl}` at location l. Entropies are in
bits. Give all cells of ONE patient: the indices are numbers per patient, and arms are compared by
them.

References
----------
Zhang et al. 2018, doi:10.1038/s41586-018-0694-x. Implemented from the formulas.
"""

from __future__ import annotations

from itertools import combinations
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy.special import xlogy

from hiaim_sc.stats._arrays import label_codes, label_vector
from hiaim_sc.stats.diversity import gini

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import FloatArray


def startrac(clone: npt.ArrayLike, cluster: npt.ArrayLike, location: npt.ArrayLike) -> pd.DataFrame:
    r"""Expansion, migration and transition of each cluster; one row per cluster, the sorted index.

    Columns, with :math:`H` the entropy of the counts over the dot:

    - `n_cells`, `n_clones`: cells and clones of the cluster.
    - `expa`: :math:`1 - H(n_{\cdot j}) / \log_2 S_j`, 0 when the cluster's :math:`S_j` clones are
      equal; NaN for a single clone.
    - `migr`: :math:`\sum_c (n_{cj}/n_j)\,H(n_{c,l=\cdot})`: how spread over locations the clones of
      the cluster are, counting each clone's cells in every cluster.
    - `tran`: :math:`\sum_c (n_{cj}/n_j)\,H(n_{c,j=\cdot})`: how spread over clusters they are.
    - `gini`: of the clone sizes in the cluster.

    Parameters
    ----------
    clone, cluster, location
        A label per cell. A missing label is an error.
    """
    clones, clusters, by_cluster = _tabulate(clone, cluster, "cluster")
    _, _, by_location = _tabulate(clones, location, "location")
    n_cells = by_cluster.sum(axis=0)
    n_clones = (by_cluster > 0).sum(axis=0)
    share = by_cluster / n_cells
    with np.errstate(invalid="ignore", divide="ignore"):
        expansion = 1 - _entropy_bits(by_cluster.T) / np.log2(n_clones)
    return pd.DataFrame(
        {
            "n_cells": n_cells.astype(np.int64),
            "n_clones": n_clones,
            "expa": expansion,
            "migr": share.T @ _entropy_bits(by_location),
            "tran": share.T @ _entropy_bits(by_cluster),
            "gini": [gini(column) for column in by_cluster.T],
        },
        index=pd.Index(clusters, name="cluster"),
    )


def pairwise_transition(clone: npt.ArrayLike, cluster: npt.ArrayLike) -> pd.DataFrame:
    """Transition between each two clusters: columns `cluster_1`, `cluster_2`, `tran`.

    The mean, over the cells of both, of the entropy of the cell's clone between the two clusters.

    Parameters
    ----------
    clone, cluster
        A label per cell.
    """
    _, clusters, by_cluster = _tabulate(clone, cluster, "cluster")
    rows = [
        (clusters[one], clusters[other], _mean_entropy(by_cluster[:, [one, other]]))
        for one, other in combinations(range(len(clusters)), 2)
    ]
    return pd.DataFrame(rows, columns=["cluster_1", "cluster_2", "tran"])


def pairwise_migration(
    clone: npt.ArrayLike, cluster: npt.ArrayLike, location: npt.ArrayLike
) -> pd.DataFrame:
    """Migration between each two locations within a cluster.

    Columns `cluster`, `location_1`, `location_2`, `migr`: the mean, over the cluster's cells at
    both locations, of the entropy of the cell's clone between them; NaN where the cluster has no
    cells at either.

    Parameters
    ----------
    clone, cluster, location
        A label per cell.
    """
    cell_clones = label_vector(clone, "clone")
    codes, clusters = label_codes(cluster, "cluster", length=len(cell_clones))
    place_codes, places = label_codes(location, "location", length=len(cell_clones))
    clone_codes, clones = label_codes(cell_clones, "clone", length=len(cell_clones))
    rows = []
    for code, name in enumerate(clusters):
        inside = codes == code
        table = np.zeros((len(clones), len(places)))
        np.add.at(table, (clone_codes[inside], place_codes[inside]), 1)
        for one, other in combinations(range(len(places)), 2):
            rows.append((name, places[one], places[other], _mean_entropy(table[:, [one, other]])))
    return pd.DataFrame(rows, columns=["cluster", "location_1", "location_2", "migr"])


def tissue_preference(cluster: npt.ArrayLike, location: npt.ArrayLike) -> pd.DataFrame:
    r"""Cells of each cluster (rows) at each location (columns), observed over expected (R_o/e).

    :math:`n_{jl}\, n / (n_{j\cdot} n_{\cdot l})`, where clusters and locations being independent
    is expected: above 1 the cluster prefers the location.

    Parameters
    ----------
    cluster, location
        A label per cell. A missing label is an error.
    """
    n_cells = len(np.asarray(cluster, dtype=object))
    rows, clusters = label_codes(cluster, "cluster", length=n_cells)
    columns, places = label_codes(location, "location", length=n_cells)
    table = np.zeros((len(clusters), len(places)))
    np.add.at(table, (rows, columns), 1)
    expected = table.sum(axis=1, keepdims=True) * table.sum(axis=0, keepdims=True) / n_cells
    index = pd.Index(clusters, name="cluster")
    return pd.DataFrame(table / expected, index=index, columns=pd.Index(places, name="location"))


def _tabulate(
    clone: npt.ArrayLike, label: npt.ArrayLike, name: str
) -> tuple[npt.NDArray[Any], list[Any], FloatArray]:
    """The clones as an array, the sorted labels, and the cells per clone (rows) and label."""
    clones = label_vector(clone, "clone")
    rows, n_rows = label_codes(clones, "clone", length=len(clones))
    columns, levels = label_codes(label, name, length=len(clones))
    table = np.zeros((len(n_rows), len(levels)))
    np.add.at(table, (rows, columns), 1)
    return clones, levels, table


def _entropy_bits(table: FloatArray) -> FloatArray:
    """Entropy of each row in bits, 0 for an empty row."""
    total = table.sum(axis=1, keepdims=True)
    share = table / np.where(total > 0, total, 1)
    return -xlogy(share, share).sum(axis=1) / np.log(2)


def _mean_entropy(table: FloatArray) -> float:
    n_cells = table.sum()
    if n_cells == 0:
        return float("nan")
    return float(table.sum(axis=1) @ _entropy_bits(table) / n_cells)
