"""Passes over a library's stored counts, compiled: each reads the matrix once and copies nothing.

These kernels call none of another file: numba's cache sees the changes of one file only.
"""

from __future__ import annotations

import numpy as np
from numba import njit

_N_KNOWN = 16  # counts of which a cell's logarithm is worked out once


@njit(cache=True)
def measure(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    set_of_gene: np.ndarray,
    n_sets: int,
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts and genes with a count of each cell, (n_cells,), and its counts of each set of genes.

    Parameters
    ----------
    data, indices, indptr
        Counts, cells x genes, CSR.
    set_of_gene
        (n_genes,) number of a gene's set from 1 on, 0 for genes of none.
    n_sets
        How many there are: columns of the last result, (n_cells, n_sets).
    """
    n_cells = len(indptr) - 1
    total, n_genes = np.zeros(n_cells, np.int64), np.zeros(n_cells, np.int64)
    of_set = np.zeros((n_cells, n_sets), np.int64)
    for cell in range(n_cells):
        counts, genes = 0, 0
        for i in range(indptr[cell], indptr[cell + 1]):
            counts += data[i]
            genes += data[i] != 0
            number = set_of_gene[indices[i]]
            if number:
                of_set[cell, number - 1] += data[i]
        total[cell], n_genes[cell] = counts, genes
    return total, n_genes, of_set


@njit(cache=True)
def sum_counts(
    data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, n_genes: int
) -> tuple[np.ndarray, np.ndarray]:
    """Counts of each cell, (n_cells,), and of each gene, (n_genes,), int64.

    Parameters
    ----------
    data, indices, indptr
        Counts, cells x genes, CSR.
    """
    of_cell, of_gene = np.zeros(len(indptr) - 1, np.int64), np.zeros(n_genes, np.int64)
    for cell in range(len(indptr) - 1):
        for i in range(indptr[cell], indptr[cell + 1]):
            of_cell[cell] += data[i]
            of_gene[indices[i]] += data[i]
    return of_cell, of_gene


@njit(cache=True)
def _fill(known: np.ndarray, scale: float) -> None:
    """Work out the logarithms of a cell's small counts."""
    for count in range(len(known)):
        known[count] = np.log1p(scale * count)


@njit(cache=True)
def _log(count: int, scale: float, known: np.ndarray) -> float:
    return known[count] if count < len(known) else np.log1p(scale * count)


@njit(cache=True)
def sum_logged(
    data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, scale: np.ndarray, n_genes: int
) -> np.ndarray:
    """Sum over cells of log1p(scale x counts) of each gene, (n_genes,).

    Parameters
    ----------
    data, indices, indptr
        Counts, cells x genes, CSR; whole numbers >= 0.
    scale
        (n_cells,) what a cell's counts are multiplied by.
    """
    found = np.zeros(n_genes)
    known = np.zeros(_N_KNOWN)
    for cell in range(len(indptr) - 1):
        _fill(known, scale[cell])
        for i in range(indptr[cell], indptr[cell + 1]):
            count = data[i]
            found[indices[i]] += known[count] if count < _N_KNOWN else np.log1p(scale[cell] * count)
    return found


@njit(cache=True)
def weigh_logged(
    data: np.ndarray,
    indices: np.ndarray,
    indptr: np.ndarray,
    scale: np.ndarray,
    weights: np.ndarray,
) -> np.ndarray:
    """Weighted sums over genes of log1p(scale x counts) of each cell, (n_cells, n_sums).

    Parameters
    ----------
    data, indices, indptr
        Counts, cells x genes, CSR; whole numbers >= 0.
    scale
        (n_cells,) what a cell's counts are multiplied by.
    weights
        (n_genes, n_sums).
    """
    n_sums = weights.shape[1]
    found = np.zeros((len(indptr) - 1, n_sums))
    known = np.zeros(_N_KNOWN)
    for cell in range(len(indptr) - 1):
        _fill(known, scale[cell])
        for i in range(indptr[cell], indptr[cell + 1]):
            value = _log(data[i], scale[cell], known)
            for column in range(n_sums):
                found[cell, column] += value * weights[indices[i], column]
    return found
