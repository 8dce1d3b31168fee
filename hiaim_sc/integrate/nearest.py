"""The smallest distances of each cell so far, compiled: what of a search is no matrix product."""

from __future__ import annotations

from typing import TYPE_CHECKING

from numba import njit

if TYPE_CHECKING:
    import numpy as np


@njit(cache=True)
def keep_smallest(
    values: np.ndarray,
    rows: np.ndarray,
    columns: np.ndarray,
    smallest: np.ndarray,
    found: np.ndarray,
) -> None:
    """Take the values of a block into the smallest of each row; of equal ones the first stays.

    Parameters
    ----------
    values
        (n_asked, n_held) float32.
    rows
        (n_asked,) rows of the results that the block's rows are.
    columns
        (n_held,) what the block's columns are called in `found`.
    smallest, found
        (n_rows, k) the smallest values of each row, smallest first, and their columns; changed in
        place.
    """
    last = smallest.shape[1] - 1
    for asked in range(len(rows)):
        row = rows[asked]
        for held in range(len(columns)):
            value = values[asked, held]
            if value >= smallest[row, last]:  # nearly always
                continue
            place = last
            while place > 0 and smallest[row, place - 1] > value:
                smallest[row, place] = smallest[row, place - 1]
                found[row, place] = found[row, place - 1]
                place -= 1
            smallest[row, place] = value
            found[row, place] = columns[held]
