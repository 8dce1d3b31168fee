"""Averages over a cell and its nearest neighbours in the embedding."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def find_neighbourhood(coordinates: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    """Averaging matrix over each cell and its neighbours, (n_cells, n_cells); rows sum to 1.

    Parameters
    ----------
    coordinates
        (n_cells, n_dims).
    n_neighbors
        Neighbours beside the cell itself; fewer where there are fewer cells.
    """
    import faiss

    n_cells = len(coordinates)
    k = min(n_neighbors + 1, n_cells)
    if k < 1:
        return sp.csr_matrix((0, 0))
    faiss.omp_set_num_threads(1)
    points = np.ascontiguousarray(coordinates, dtype=np.float32)
    index = faiss.IndexFlatL2(points.shape[1])
    index.add(points)
    found = index.search(points, k)[1]
    indptr = np.arange(0, n_cells * k + 1, k)
    weights = np.full(n_cells * k, 1.0 / k)
    return sp.csr_matrix((weights, found.ravel(), indptr), shape=(n_cells, n_cells))
