"""A cell and its nearest neighbours in the embedding: averages, and cells that are alike."""

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


def pool_alike(smooth: sp.csr_matrix, group: np.ndarray) -> sp.csr_matrix:
    """The cell itself and those of its neighbours that are in the same group, weight 1 each.

    Parameters
    ----------
    smooth
        As `average_neighbourhood` returns it.
    group
        (n_cells,) text; a cell with an empty one stands alone.
    """
    n_cells = smooth.shape[0]
    code = np.unique(group.astype(str), return_inverse=True)[1]
    row = np.repeat(np.arange(n_cells), np.diff(smooth.indptr))
    column = smooth.indices
    keep = (row == column) | ((code[row] == code[column]) & (group[row] != ""))
    ones = np.ones(int(keep.sum()), dtype=np.float32)
    return sp.csr_matrix((ones, (row[keep], column[keep])), shape=smooth.shape)
