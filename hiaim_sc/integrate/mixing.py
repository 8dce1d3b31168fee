"""How far batches mix and cell types stay apart, before and after the integration."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.integrate.neighbours import find_nearest

if TYPE_CHECKING:
    from anndata import AnnData

    from hiaim_sc.config import IntegrateOptions

_PERPLEXITY = 30
_N_CELLS = 2000  # on which the index is measured
_N_BISECTIONS = 60
_TOLERANCE = 1e-6  # of the entropy
METRIC_COLUMNS = ("metric", "level", "before", "after", "n_cells", "n_groups")
CLUSTER_COLUMNS = (
    "leiden",
    "level",
    "n_cells",
    "n_groups",
    "largest",
    "share",
    "share_of_all",
    "is_dominated",
)
_HALF = 0.5
_UNKNOWN = ("", "ambiguous", "unassigned")


@dataclass(frozen=True)
class Integration:
    """How an integration came out.

    Attributes
    ----------
    metrics
        `measure_mixing` by batch, patient and cell type, with ``reason_not_integrated``, empty
        where the batches were taken out.
    clusters
        `describe_clusters` by batch and patient.
    """

    metrics: pd.DataFrame
    clusters: pd.DataFrame


def describe_integration(
    embedding: AnnData, cells: pd.DataFrame, options: IntegrateOptions, *, reason: str
) -> Integration:
    """Mixing of batches, patients and cell types, and what clusters are made of; knows no arm.

    Parameters
    ----------
    embedding
        As `embed` returns it.
    cells
        Release table `cells`.
    options
        ``dominated_share``.
    reason
        Why the batches were not taken out; empty where they were.
    """
    keys = ["library_id", "cell_barcode"]
    of_cell = cells.set_index(keys)
    names = pd.MultiIndex.from_frame(pd.DataFrame(embedding.obs)[keys].astype(str))
    known = of_cell.loc[names, ["patient_id", "cell_type_lineage"]].set_axis(embedding.obs_names)
    labels = pd.DataFrame({"batch": embedding.obs["batch"], "patient": known["patient_id"]})
    metrics = measure_mixing(embedding, labels.assign(cell_type=known["cell_type_lineage"]))
    metrics["reason_not_integrated"] = reason
    return Integration(metrics, describe_clusters(embedding.obs["leiden"], labels, options))


def measure_mixing(embedding: AnnData, labels: pd.DataFrame) -> pd.DataFrame:
    """Local inverse Simpson index of each label, before and after the integration.

    The index counts the groups that a cell's neighbourhood effectively holds: 1 where all
    neighbours are of one group, the number of groups where they are evenly mixed. Integration
    should raise that of the batches and leave that of the cell types near 1.

    Parameters
    ----------
    embedding
        As `embed` returns it; reads ``obsm["X_pca"]`` and ``obsm["X_pca_harmony"]``.
    labels
        A row per cell in its order, a column per level. A cell whose label is empty, ambiguous or
        unassigned is left out of that level.

    Returns
    -------
    A row per level: ``metric level before after n_cells n_groups``. ``before`` and ``after`` are
    medians over ``n_cells`` cells: 2,000 evenly spaced ones where there are more. Missing where
    fewer than two cells have a label.

    References
    ----------
    Korsunsky et al. 2019, Nat Methods 16:1289, doi:10.1038/s41592-019-0619-0.
    """
    rows = []
    for level, values in labels.items():
        label = values.fillna("").astype(str).to_numpy(dtype=object)
        known = np.flatnonzero(~np.isin(label, _UNKNOWN))
        codes, groups = pd.factorize(label[known], sort=True)
        queries = np.unique(np.linspace(0, max(len(known) - 1, 0), _N_CELLS).astype(np.int64))
        row = {"metric": "lisi", "level": level, "before": np.nan, "after": np.nan}
        if len(known) >= 2:
            for name, place in (("before", "X_pca"), ("after", "X_pca_harmony")):
                coordinates: Any = embedding.obsm[place]
                found = local_diversity(coordinates[known], codes, queries)
                row[name] = float(np.median(found))
        n_cells = len(queries) if len(known) else 0
        rows.append({**row, "n_cells": n_cells, "n_groups": len(groups)})
    return pd.DataFrame(rows, columns=list(METRIC_COLUMNS))


def local_diversity(
    coordinates: np.ndarray, codes: np.ndarray, queries: np.ndarray, perplexity: float = _PERPLEXITY
) -> np.ndarray:
    r"""Local inverse Simpson index of some cells, (n_queries,).

    Among the :math:`3u` nearest others at distances :math:`d_j`, with the perplexity :math:`u`,
    each weighs :math:`p_j \propto e^{-\beta d_j}`, :math:`\beta` such that the entropy of :math:`p`
    is :math:`\log u`. With :math:`p_b` summed over each group the index is :math:`1 / \sum_b
    p_b^2`.

    Parameters
    ----------
    coordinates
        (n_cells, n_dims).
    codes
        (n_cells,) group of each cell, from 0.
    queries
        Positions of the cells wanted.
    perplexity
        Smaller where there are not three times as many other cells.
    """
    perplexity = min(perplexity, (len(coordinates) - 1) / 3)
    found = find_nearest(coordinates, queries, max(int(3 * perplexity), 1))
    weight = _weigh(found.distances.astype(np.float64), np.log(max(perplexity, 1.0)))
    share = np.zeros((len(queries), codes.max() + 1))
    for column in range(weight.shape[1]):
        share[np.arange(len(queries)), codes[found.indices[:, column]]] += weight[:, column]
    return 1 / (share**2).sum(axis=1)


def _weigh(distances: np.ndarray, entropy: float) -> np.ndarray:
    """Weights exp(-beta d) of each row, summing to 1, of the given entropy, by bisection."""
    excess = distances - distances.min(axis=1, keepdims=True)
    low, high = np.zeros(len(excess)), np.full(len(excess), np.inf)
    beta = np.ones(len(excess))
    for _ in range(_N_BISECTIONS):
        weight = np.exp(-excess * beta[:, None])
        weight /= weight.sum(axis=1, keepdims=True)
        safe = np.where(weight > 0, weight, 1.0)
        above = -(weight * np.log(safe)).sum(axis=1) - entropy
        if (np.abs(above) <= _TOLERANCE).all():
            break
        low = np.where(above > 0, beta, low)
        high = np.where(above > 0, high, beta)
        beta = np.where(np.isfinite(high), (low + high) / 2, beta * 2)
        beta = np.minimum(beta, 1e12)  # all neighbours at one distance: any does
    return weight


def describe_clusters(
    leiden: pd.Series, labels: pd.DataFrame, options: IntegrateOptions
) -> pd.DataFrame:
    """Of each cluster the largest group of each level, and whether it dominates the cluster.

    Parameters
    ----------
    leiden
        Cluster of each cell.
    labels
        In the same order, a column per level, such as patient and batch.
    options
        ``dominated_share``: the share of a cluster from which one group dominates it. A group that
        has more than half of all cells dominates none.

    Returns
    -------
    ``leiden level n_cells n_groups largest share share_of_all is_dominated``, by cluster and
    level: ``largest`` is the group, ``share`` its share of the cluster's cells, ``share_of_all``
    of all cells.
    """
    cluster = leiden.astype(str).to_numpy(dtype=object)
    tables = [_largest_groups(cluster, str(level), label) for level, label in labels.items()]
    table = pd.concat(tables, ignore_index=True)
    is_large = table["share"] >= options.dominated_share
    table["is_dominated"] = is_large & (table["share_of_all"] <= _HALF)
    order = table["leiden"].astype(int)
    return table.assign(order=order).sort_values(["order", "level"], ignore_index=True)[
        list(CLUSTER_COLUMNS)
    ]


def _largest_groups(cluster: np.ndarray, level: str, labels: pd.Series) -> pd.DataFrame:
    label = labels.fillna("").astype(str).to_numpy(dtype=object)
    counts = pd.crosstab(cluster, label)
    largest = counts.idxmax(axis=1)
    of_all = counts.sum() / max(len(label), 1)
    return pd.DataFrame(
        {
            "leiden": counts.index.astype(str),
            "level": level,
            "n_cells": counts.sum(axis=1).to_numpy(),
            "n_groups": (counts > 0).sum(axis=1).to_numpy(),
            "largest": largest.to_numpy(),
            "share": (counts.max(axis=1) / counts.sum(axis=1)).to_numpy(),
            "share_of_all": of_all.reindex(largest).to_numpy(),
        }
    )
