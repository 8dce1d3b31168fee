"""The smallest of many distances, compiled: the one part of a search that is no matrix product."""

from __future__ import annotations

import numpy as np
from numba import njit


@njit(cache=True)
def take_smallest(values: np.ndarray, found: np.ndarray) -> None:
    """Positions of the smallest values of each row, smallest first; of equal ones the first.

    Parameters
    ----------
    values
        (n_rows, n_columns) float32.
    found
        (n_rows, k) int64, filled in place; k is at most n_columns.
    """
    k = found.shape[1]
    smallest = np.empty(k, values.dtype)
    for row in range(values.shape[0]):
        size = 0
        for column in range(values.shape[1]):
            value = values[row, column]
            if size == k:
                if value >= smallest[k - 1]:  # nearly always
                    continue
                place = k - 1
            else:
                place = size
                size += 1
            while place > 0 and smallest[place - 1] > value:
                smallest[place] = smallest[place - 1]
                found[row, place] = found[row, place - 1]
                place -= 1
            smallest[place] = value
            found[row, place] = column
