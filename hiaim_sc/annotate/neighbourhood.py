"""Averages over a cell and its nearest neighbours in the embedding."""

from __future__ import annotations

import numpy as np
import scipy.sparse as sp


def average_neighbourhood(indices: np.ndarray, n_neighbors: int) -> sp.csr_matrix:
    """Averaging matrix over each cell and its neighbours, (n_cells, n_cells); rows sum to 1.

    Parameters
    ----------
    indices
        (n_cells, k) positions of each cell's neighbours, nearest first, the cell itself not among
        them. The embedding has found them already; a second search would cost as much again.
    n_neighbors
        How many of the k count beside the cell itself; fewer where there are fewer.
    """
    n_cells = len(indices)
    members = np.column_stack([np.arange(n_cells), indices[:, :n_neighbors]])
    size = members.shape[1]
    indptr = np.arange(0, n_cells * size + 1, size)
    weights = np.full(members.size, 1.0 / size)
    smooth = sp.csr_matrix((weights, members.ravel(), indptr), shape=(n_cells, n_cells))
    smooth.sum_duplicates()  # a neighbour that was not found is the cell itself once more
    return smooth
