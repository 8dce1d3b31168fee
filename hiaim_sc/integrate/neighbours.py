"""Nearest neighbours by faiss: exact, or within nearby lists where there are too many cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MAX_EXACT = 50_000  # beyond, comparing all cells with all costs more than the rest together
_PER_LIST = 128  # cells
_N_PROBE = 64  # lists that a list is held against, itself included
_N_ITERATIONS, _PER_MEAN, _SEED = 6, 39, 1  # of k-means: rounds, cells per mean, seed
_N_QUERIES = 500  # on which recall is measured
_CHUNK = 5000  # cells at a time


@dataclass(frozen=True)
class Neighbours:
    """The nearest neighbours of each cell, the cell itself not among them.

    Attributes
    ----------
    indices
        (n_cells, k) int32 positions, nearest first; equal distances in order of position.
    distances
        (n_cells, k) float32, Euclidean.
    recall
        Share of the true neighbours that were found: 1 where the search is exact, else measured
        on 500 cells.
    """

    indices: np.ndarray
    distances: np.ndarray
    recall: float


def find_neighbours(
    coordinates: np.ndarray, n_neighbors: int, *, max_exact: int = _MAX_EXACT
) -> Neighbours:
    """The nearest neighbours of every cell.

    Parameters
    ----------
    coordinates
        (n_cells, n_dims).
    n_neighbors
        Neighbours beside the cell itself; fewer where there are fewer cells.
    max_exact
        Up to so many cells the search is exact. Beyond, k-means parts the cells into lists of
        about 128; the cells of a list are held against those of the 64 lists nearest to it, all
        at once.
    """
    import faiss

    points = np.ascontiguousarray(coordinates, dtype=np.float32)
    n_cells = len(points)
    k = min(n_neighbors, n_cells - 1)
    if k < 1:
        return Neighbours(np.zeros((n_cells, 0), np.int32), np.zeros((n_cells, 0), np.float32), 1.0)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # k-means of the lists adds up in the order of the threads
    try:
        if n_cells <= max_exact:
            indices, distances = _search(points, np.arange(n_cells), k)
            return Neighbours(indices, distances, 1.0)
        indices, distances = _search_lists(points, k)
        return Neighbours(indices, distances, _measure_recall(points, indices))
    finally:
        faiss.omp_set_num_threads(before)


def find_nearest(coordinates: np.ndarray, queries: np.ndarray, n_neighbors: int) -> Neighbours:
    """The nearest neighbours of some cells among all, exact.

    Parameters
    ----------
    coordinates
        (n_cells, n_dims).
    queries
        Positions of the cells wanted; the rows of the result.
    n_neighbors
        Beside the cell itself; fewer where there are fewer cells.
    """
    import faiss

    points = np.ascontiguousarray(coordinates, dtype=np.float32)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)
    try:
        return Neighbours(*_search(points, queries, min(n_neighbors, len(points) - 1)), 1.0)
    finally:
        faiss.omp_set_num_threads(before)


def _search(points: np.ndarray, queries: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of the query cells among all, in chunks."""
    import faiss

    indices = np.empty((len(queries), k), dtype=np.int32)
    distances = np.empty((len(queries), k), dtype=np.float32)
    for start in range(0, len(queries), _CHUNK):
        rows = queries[start : start + _CHUNK]
        found = faiss.knn(points[rows], points, k + 1)[1]
        chunk = slice(start, start + len(rows))
        indices[chunk], distances[chunk] = _sort_others(points, rows, found)
    return indices, distances


def _search_lists(points: np.ndarray, k: int) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of all cells, each list of cells against the lists nearest to it."""
    import faiss

    from hiaim_sc.integrate.nearest import take_smallest  # compiled: not for every worker

    n_cells, n_dims = points.shape
    n_lists = max(n_cells // _PER_LIST, 1)
    means = faiss.Kmeans(
        n_dims, n_lists, niter=_N_ITERATIONS, max_points_per_centroid=_PER_MEAN, seed=_SEED
    )
    means.train(points)
    of_list = means.assign(points)[1]
    order = np.argsort(of_list, kind="stable")
    ends = np.concatenate([[0], np.cumsum(np.bincount(of_list, minlength=n_lists))])
    near = faiss.knn(means.centroids, means.centroids, min(_N_PROBE, n_lists))[1]
    asked, held = _as_factors(points)
    indices = np.empty((n_cells, k), dtype=np.int32)
    distances = np.empty((n_cells, k), dtype=np.float32)
    for number in range(n_lists):
        rows = order[ends[number] : ends[number + 1]]
        if len(rows) == 0:
            continue
        others = np.concatenate([order[ends[i] : ends[i + 1]] for i in near[number]])
        places = np.empty((len(rows), min(k + 1, len(others))), dtype=np.int64)
        take_smallest(asked[rows] @ held[others].T, places)
        found = np.tile(rows[:, None], (1, k + 1))
        found[:, : places.shape[1]] = others[places]
        indices[rows], distances[rows] = _sort_others(points, rows, found)
    return indices, distances


def _as_factors(points: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Two tables whose product is the squared distance less the asking cell's squared length.

    ``|a - b|^2 - |a|^2 = [-2 a, 1] . [b, |b|^2]``.
    """
    length = np.einsum("ij,ij->i", points, points)[:, None]
    asked = np.hstack([-2 * points, np.ones_like(length)])
    return asked, np.hstack([points, length])


def _sort_others(
    points: np.ndarray, rows: np.ndarray, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The k found that are not the cell itself, by exact distance, then position.

    Where too few were found, the cell itself stands for the others at distance 0.
    """
    own = rows[:, None]
    # faiss's own distances lose the small ones to rounding
    difference = points[found] - points[rows][:, None, :]
    squares = np.einsum("ijk,ijk->ij", difference, difference, dtype=np.float64)
    # of identical points any may be found first: leave out the cell itself, else the last
    is_self = found == own
    position = np.where(is_self.any(axis=1), is_self.argmax(axis=1), found.shape[1] - 1)
    others = np.ones(found.shape, dtype=bool)
    others[np.arange(len(rows)), position] = False
    shape = (len(rows), found.shape[1] - 1)
    found, squares = found[others].reshape(shape), squares[others].reshape(shape)
    order = np.lexsort((found, squares), axis=1)
    found = np.take_along_axis(found, order, axis=1)
    return found, np.sqrt(np.take_along_axis(squares, order, axis=1))


def _measure_recall(points: np.ndarray, indices: np.ndarray) -> float:
    queries = np.unique(np.linspace(0, len(points) - 1, _N_QUERIES).astype(np.int64))
    truth = _search(points, queries, indices.shape[1])[0]
    shared = (indices[queries][:, :, None] == truth[:, None, :]).any(axis=2)
    return float(shared.mean())
