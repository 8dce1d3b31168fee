"""From neighbours to a weighted graph, its clusters and its picture.

The graph is built here and not by scanpy: the same weights, without the ten seconds that compiling
umap's functions costs in every new process.
"""

from __future__ import annotations

import random
from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from hiaim_sc.integrate.neighbours import Neighbours

_N_BISECTIONS = 64
_TOLERANCE = 1e-7  # of the sum of weights
_CHUNK = 50_000  # cells at a time
_MIN_SCALE = 1e-3  # of the mean distance; umap's own guard against a bandwidth of zero
_N_ITERATIONS = 2
_N_EPOCHS = 200
_SPREAD, _MIN_DISTANCE = 1.0, 0.5  # scanpy's
_INITIAL_EXTENT = 10.0


def weigh_neighbours(neighbours: Neighbours) -> sp.csr_matrix:
    """Symmetric weights between neighbours, (n_cells, n_cells) CSR, between 0 and 1.

    A neighbour j at distance d_ij of cell i has the weight ``w_ij = exp(-max(d_ij - r_i, 0) /
    s_i)``, with r_i the smallest distance above 0 and s_i such that the weights sum to ``log2(k +
    1)``; the symmetric weight is ``w_ij + w_ji - w_ij w_ji``. These are scanpy's connectivities
    with ``n_neighbors = k + 1``, where the cell itself is counted.

    References
    ----------
    McInnes, Healy and Melville 2018, arXiv:1802.03426.
    """
    n_cells, k = neighbours.distances.shape
    if k == 0:
        return sp.csr_matrix((n_cells, n_cells), dtype=np.float32)
    everywhere = float(neighbours.distances.mean(dtype=np.float64)) * k / (k + 1)
    weight = np.empty((n_cells, k), dtype=np.float32)
    for start in range(0, n_cells, _CHUNK):
        rows = slice(start, start + _CHUNK)
        weight[rows] = _weigh(neighbours.distances[rows].astype(np.float64), everywhere)
    indptr = np.arange(0, n_cells * k + 1, k)
    directed = sp.csr_matrix(
        (weight.ravel(), neighbours.indices.ravel(), indptr), shape=(n_cells, n_cells)
    )
    directed.setdiag(0.0)
    directed.eliminate_zeros()
    back = directed.T.tocsr()
    weights = sp.csr_matrix(directed + back - directed.multiply(back))
    np.minimum(weights.data, 1.0, out=weights.data)
    return weights


def _weigh(distances: np.ndarray, everywhere: float) -> np.ndarray:
    """Weights of the neighbours of some cells; `everywhere` is the mean distance of all."""
    k = distances.shape[1]
    nearest = np.where(distances > 0, distances, np.inf).min(axis=1, keepdims=True)
    nearest = np.where(np.isfinite(nearest), nearest, 0.0)
    excess = np.maximum(distances - nearest, 0.0)
    scale = _find_scale(excess, np.log2(k + 1))
    own_mean = distances.sum(axis=1, keepdims=True) / (k + 1)
    floor = _MIN_SCALE * np.where(nearest > 0, own_mean, everywhere)
    scale = np.maximum(scale, floor)
    return np.exp(-np.divide(excess, scale, out=np.zeros_like(excess), where=scale > 0))


def _find_scale(excess: np.ndarray, target: float) -> np.ndarray:
    """Bandwidth of each row at which ``sum(exp(-excess / scale))`` is the target, by bisection."""
    n_rows = len(excess)
    low, high, scale = np.zeros(n_rows), np.full(n_rows, np.inf), np.ones(n_rows)
    rows = np.arange(n_rows)
    for _ in range(_N_BISECTIONS):
        above = np.exp(-excess[rows] / scale[rows, None]).sum(axis=1) - target
        is_open = np.abs(above) > _TOLERANCE
        rows, above = rows[is_open], above[is_open]
        if len(rows) == 0:
            break
        high[rows[above > 0]] = scale[rows[above > 0]]
        low[rows[above < 0]] = scale[rows[above < 0]]
        middle = (low[rows] + high[rows]) / 2
        scale[rows] = np.where(np.isfinite(middle), middle, scale[rows] * 2)
    return scale[:, None]


def cluster_graph(weights: sp.csr_matrix, resolution: float, seed: int) -> np.ndarray:
    """Leiden clusters of the graph's nodes, (n_cells,) text; ``"0"`` is the largest.

    Clusters of one size are numbered by their first cell.

    References
    ----------
    Traag et al. 2019, Sci Rep 9:5233, doi:10.1038/s41598-019-41695-z.
    """
    import igraph

    edges = sp.triu(weights, k=1, format="coo")
    ends = np.column_stack([edges.row, edges.col])
    graph = igraph.Graph(n=weights.shape[0], edges=ends, directed=False)
    igraph.set_random_number_generator(random.Random(seed))  # igraph takes no other
    try:
        found = graph.community_leiden(
            objective_function="modularity",
            weights=edges.data,
            resolution=resolution,
            n_iterations=_N_ITERATIONS,
        )
    finally:
        igraph.set_random_number_generator(random)
    return _number_by_size(np.asarray(found.membership))


def _number_by_size(membership: np.ndarray) -> np.ndarray:
    _, first, code, size = np.unique(
        membership, return_index=True, return_inverse=True, return_counts=True
    )
    number = np.empty(len(size), dtype=np.int64)
    number[np.lexsort((first, -size))] = np.arange(len(size))
    return number[code].astype(str).astype(object)


def draw_graph(weights: sp.csr_matrix, coordinates: np.ndarray, seed: int) -> np.ndarray:
    """UMAP of the graph: (n_cells, 2) float32, begun from the first two coordinates.

    A picture only: no result rests on it.

    References
    ----------
    McInnes, Healy and Melville 2018, arXiv:1802.03426.
    Kobak and Linderman 2021, Nat Biotechnol 39:156, doi:10.1038/s41587-020-00809-z (the start).
    """
    from umap.umap_ import find_ab_params, simplicial_set_embedding

    a, b = find_ab_params(_SPREAD, _MIN_DISTANCE)
    start = coordinates[:, :2].astype(np.float32)
    extent = float(np.max(np.abs(start)))
    start *= _INITIAL_EXTENT / extent if extent > 0 else 0.0
    found, _ = simplicial_set_embedding(
        data=coordinates,
        graph=weights.tocoo(),
        n_components=2,
        initial_alpha=1.0,
        a=a,
        b=b,
        gamma=1.0,
        negative_sample_rate=5,
        n_epochs=_N_EPOCHS,
        init=start,
        random_state=np.random.RandomState(seed),  # umap takes no Generator
        metric="euclidean",
        metric_kwds={},
        densmap=False,
        densmap_kwds={},
        output_dens=False,
    )
    return np.asarray(found, dtype=np.float32)
