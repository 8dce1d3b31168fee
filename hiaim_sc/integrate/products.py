"""Sums of products of a sparse matrix's columns, compiled: cells hold few of the selected genes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

if TYPE_CHECKING:
    import numpy as np


@njit(cache=True)
def add_products(
    data: np.ndarray, indices: np.ndarray, indptr: np.ndarray, products: np.ndarray
) -> None:
    """Add a block's products of columns to the upper triangle of (n_columns, n_columns) float64.

    A row with k stored values takes k (k + 1) / 2 products, where a dense one would take one for
    each pair of columns.

    Parameters
    ----------
    data, indices, indptr
        Of a CSR matrix with sorted indices.
    products
        Added to in place, row after row, so that the sums are the same in every run.
    """
    for row in range(len(indptr) - 1):
        end = indptr[row + 1]
        for first in range(indptr[row], end):
            value, target = float(data[first]), products[indices[first]]
            for second in range(first, end):
                target[indices[second]] += value * data[second]
