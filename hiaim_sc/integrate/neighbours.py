"""Exact nearest neighbours by faiss, in the form scanpy takes."""

from __future__ import annotations

from typing import Any, Self

import numpy as np
import scipy.sparse as sp


class ExactNeighbours:
    """Exact Euclidean neighbours: no compilation at first use, and the same result every time.

    Implements scikit-learn's transformer interface as ``scanpy.pp.neighbors(transformer=)`` uses
    it.

    Parameters
    ----------
    n_neighbors
        Neighbours per cell, the cell itself not counted.
    """

    def __init__(self, n_neighbors: int) -> None:
        self.n_neighbors = n_neighbors

    def get_params(self, *, deep: bool = True) -> dict[str, Any]:
        """Parameters, as scikit-learn asks for them."""
        return {"n_neighbors": self.n_neighbors}

    def set_params(self, **params: Any) -> Self:
        """Set parameters, as scikit-learn does."""
        self.n_neighbors = params.get("n_neighbors", self.n_neighbors)
        return self

    def fit_transform(self, coordinates: np.ndarray, y: None = None) -> sp.csr_matrix:
        """Distances to each cell's neighbours, itself included: (n_cells, n_cells) CSR."""
        import faiss

        faiss.omp_set_num_threads(1)
        points = np.ascontiguousarray(coordinates, dtype=np.float32)
        index = faiss.IndexFlatL2(points.shape[1])
        index.add(points)
        n_found = self.n_neighbors + 1
        squares, found = index.search(points, n_found)
        own = np.arange(len(points))
        # of identical points any may be found first; the cell itself must be
        found, squares = _put_self_first(found, squares, own)
        distances = np.sqrt(np.maximum(squares, 0.0))
        indptr = np.arange(0, len(points) * n_found + 1, n_found)
        shape = (len(points), len(points))
        return sp.csr_matrix((distances.ravel(), found.ravel(), indptr), shape=shape)


def _put_self_first(
    found: np.ndarray, squares: np.ndarray, own: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    is_self = found == own[:, None]
    position = np.where(is_self.any(axis=1), is_self.argmax(axis=1), found.shape[1] - 1)
    found, squares = found.copy(), squares.copy()
    for column in range(found.shape[1] - 1, 0, -1):
        moved = column <= position
        found[moved, column] = found[moved, column - 1]
        squares[moved, column] = squares[moved, column - 1]
    found[:, 0], squares[:, 0] = own, 0.0
    return found, squares
