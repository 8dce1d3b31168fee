"""Sums over the cells of a library for each gene, compiled: no part of the matrix is copied.

These kernels call none of another file: numba's cache sees the changes of one file only.
"""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def sum_genes(
    data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, rows: np.ndarray, n_genes: int
) -> np.ndarray:
    """Cells with a count, sum and sum of squares of each gene, (n_genes, 3) int64.

    Parameters
    ----------
    data, indices, indptr
        Counts, cells x genes, CSR.
    rows
        The cells that count.
    """
    found = np.zeros((n_genes, 3), np.int64)
    for row in rows:
        for i in range(indptr[row], indptr[row + 1]):
            count, of_gene = np.int64(data[i]), found[indices[i]]
            of_gene[0] += count != 0
            of_gene[1] += count
            of_gene[2] += count * count
    return found


@njit(cache=True)
def sum_beyond(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    rows: np.ndarray,
    limit: np.ndarray,
) -> np.ndarray:
    """What clipping at a gene's limit takes from its sum and sum of squares, (n_genes, 2).

    Parameters
    ----------
    data, indices, indptr
        Counts, cells x genes, CSR.
    rows
        The cells that count.
    limit
        (n_genes,).
    """
    found = np.zeros((len(limit), 2))
    lowest = limit.min() if len(limit) else 0.0
    for row in rows:
        for i in range(indptr[row], indptr[row + 1]):
            count = float(data[i])
            if count > lowest:  # most counts are 1, and no limit is that low
                gene = indices[i]
                if count > limit[gene]:
                    found[gene, 0] += count - limit[gene]
                    found[gene, 1] += count**2 - limit[gene] ** 2
    return found
