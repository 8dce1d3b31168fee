"""How much two samples share, from the counts of the same clones in both.

`x` and `y` are aligned: position i is the same clone in both, 0 where a sample lacks it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.stats._arrays import clone_counts

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import FloatArray


def morisita_horn(x: npt.ArrayLike, y: npt.ArrayLike, *, unbiased: bool = False) -> float:
    r"""Similarity of clone frequencies, :math:`2\sum x_i y_i / ((\lambda_x+\lambda_y) X Y)`.

    :math:`X = \sum x_i`, :math:`\lambda_x = \sum x_i^2 / X^2` (Horn); 0 without a shared clone, 1
    with equal frequencies. `unbiased` takes Morisita's :math:`\lambda_x = \sum
    x_i(x_i-1)/(X(X-1))`, whose expectation does not move with the depth; it may exceed 1. NaN where
    a sample has no cells, or a denominator is 0.

    Parameters
    ----------
    x, y
        Cells per clone, aligned.
    unbiased
        Depth-unbiased denominators.

    Examples
    --------
    >>> round(morisita_horn([5, 3, 2, 0], [2, 4, 0, 4]), 6)
    0.594595

    References
    ----------
    Horn 1966, doi:10.1086/282436
    """
    a, b = _aligned(x, y)
    scale = a.sum() * b.sum()
    concentration = _concentration(a, unbiased=unbiased) + _concentration(b, unbiased=unbiased)
    if scale == 0 or not concentration > 0:
        return math.nan
    return float(2 * (a * b).sum() / (concentration * scale))


def jaccard(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Share of the clones of either sample that are in both, :math:`|A \cap B| / |A \cup B|`.

    A similarity, not a distance. NaN where neither sample has a clone.

    Parameters
    ----------
    x, y
        Cells per clone, aligned.
    """
    a, b = _aligned(x, y)
    n_either = int(((a > 0) | (b > 0)).sum())
    if n_either == 0:
        return math.nan
    return int(((a > 0) & (b > 0)).sum()) / n_either


def _aligned(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    a, b = clone_counts(x, "x"), clone_counts(y, "y")
    if len(a) != len(b):
        message = f"x has {len(a)} clones and y {len(b)}: they must be the same clones"
        raise ValueError(message)
    return a.astype(np.float64), b.astype(np.float64)


def _concentration(counts: FloatArray, *, unbiased: bool) -> float:
    n = counts.sum()
    less = 1.0 if unbiased else 0.0
    if n <= less:
        return math.nan
    return float((counts * (counts - less)).sum() / (n * (n - less)))
