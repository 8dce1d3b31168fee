"""Nearest neighbours by faiss: exact, or within nearby lists where there are too many cells."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_MAX_EXACT = 50_000  # beyond, comparing all cells with all costs more than the rest together
_PER_LIST = 256  # cells
_N_PROBE = 16  # lists that a cell is held against
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
        about 256, and a cell is held against those of the 16 lists whose means are nearest to it.
        Which lists they are is asked for each cell: by list, the neighbours beyond a list's border
        would be missed together, and clusters would end there.
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
    """Neighbours of all cells, each among the cells of the lists nearest to it.

    A list is held against all cells that ask for it at once.
    """
    import faiss

    from hiaim_sc.integrate.nearest import keep_smallest  # compiled: not for every worker

    n_cells, n_dims = points.shape
    n_lists = max(n_cells // _PER_LIST, 1)
    means = faiss.Kmeans(
        n_dims, n_lists, niter=_N_ITERATIONS, max_points_per_centroid=_PER_MEAN, seed=_SEED
    )
    means.train(points)
    n_probe = min(_N_PROBE, n_lists)
    near = faiss.knn(points, means.centroids, n_probe)[1]
    members, asking = _group(near[:, 0], n_lists), _group(near.ravel(), n_lists)
    asked, held = _as_factors(points)
    smallest = np.full((n_cells, k + 1), np.inf, dtype=np.float32)
    found = np.tile(np.arange(n_cells, dtype=np.int32)[:, None], (1, k + 1))
    for columns, places in zip(members, asking, strict=True):
        rows = places // n_probe
        keep_smallest(asked[rows] @ held[columns].T, rows, columns, smallest, found)
    indices = np.empty((n_cells, k), dtype=np.int32)
    distances = np.empty((n_cells, k), dtype=np.float32)
    for start in range(0, n_cells, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, n_cells))
        indices[rows], distances[rows] = _sort_others(points, rows, found[rows])
    return indices, distances


def _group(of_list: np.ndarray, n_lists: int) -> list[np.ndarray]:
    """Positions of each list's entries, in order."""
    order = np.argsort(of_list, kind="stable")
    return np.split(order, np.cumsum(np.bincount(of_list, minlength=n_lists))[:-1])


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
