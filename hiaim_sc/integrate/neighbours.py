"""Nearest neighbours by faiss: exact, and by inverted lists where there are too many cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

_MAX_EXACT = 50_000  # beyond, comparing all cells with all costs more than the rest together
_N_PROBE = 32
_N_QUERIES = 500  # on which recall is measured
_CHUNK = 20_000


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
        Up to so many cells the search is exact; beyond, the cells are parted into ``4
        sqrt(n_cells)`` lists of which the nearest 32 are searched.
    """
    import faiss

    points = np.ascontiguousarray(coordinates, dtype=np.float32)
    n_cells, n_dims = points.shape
    k = min(n_neighbors, n_cells - 1)
    if k < 1:
        return Neighbours(np.zeros((n_cells, 0), np.int32), np.zeros((n_cells, 0), np.float32), 1.0)
    exact = faiss.IndexFlatL2(n_dims)
    before = faiss.omp_get_max_threads()
    faiss.omp_set_num_threads(1)  # k-means of the lists adds up in the order of the threads
    try:
        if n_cells <= max_exact:
            exact.add(points)
            indices, distances = _search(exact, points, np.arange(n_cells), k)
            return Neighbours(indices, distances, 1.0)
        index = faiss.IndexIVFFlat(exact, n_dims, int(4 * np.sqrt(n_cells)))
        index.train(points)
        index.add(points)
        index.nprobe = _N_PROBE
        indices, distances = _search(index, points, np.arange(n_cells), k)
        return Neighbours(indices, distances, _measure_recall(points, indices))
    finally:
        faiss.omp_set_num_threads(before)


def _search(
    index: Any, points: np.ndarray, queries: np.ndarray, k: int
) -> tuple[np.ndarray, np.ndarray]:
    """Neighbours of the query cells among the points, in chunks."""
    indices = np.empty((len(queries), k), dtype=np.int32)
    distances = np.empty((len(queries), k), dtype=np.float32)
    for start in range(0, len(queries), _CHUNK):
        rows = queries[start : start + _CHUNK]
        found = index.search(points[rows], k + 1)[1]
        chunk = slice(start, start + len(rows))
        indices[chunk], distances[chunk] = _sort_others(points, rows, found)
    return indices, distances


def _sort_others(
    points: np.ndarray, rows: np.ndarray, found: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The k found that are not the cell itself, by exact distance, then position.

    A position of -1 (too few cells in the lists searched) becomes the cell itself at distance 0.
    """
    own = rows[:, None]
    found = np.where(found < 0, own, found)
    squares = np.zeros(found.shape)
    for dim in range(points.shape[1]):  # faiss's own distances lose the small ones to rounding
        difference = points[found, dim].astype(np.float64) - points[rows, dim][:, None]
        squares += difference**2
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
    import faiss

    n_cells, k = indices.shape
    queries = np.unique(np.linspace(0, n_cells - 1, _N_QUERIES).astype(np.int64))
    exact = faiss.IndexFlatL2(points.shape[1])
    exact.add(points)
    truth = _search(exact, points, queries, k)[0]
    shared = (indices[queries][:, :, None] == truth[:, None, :]).any(axis=2)
    return float(shared.mean())
