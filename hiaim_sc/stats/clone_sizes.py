r"""How the cells of one sample are spread over small and large clones.

`x` is a one-dimensional array of whole numbers, one per clone; zeros are clones that are not there.
:math:`n = \sum x_i`, and :math:`p_i = x_i / n`.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.stats._arrays import present_counts, real_vector, whole_number

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy.typing as npt

    from hiaim_sc.stats._arrays import FloatArray, IntArray


def cells_by_clone_size(x: npt.ArrayLike, limits: Sequence[int] = (2, 5, 10, 20)) -> IntArray:
    """Cells in clones below the first limit, from each limit to the next, and from the last on.

    Absolute size classes, by default singletons, small (2 to 4 cells), medium (5 to 9), large
    (10 to 19) and hyperexpanded clones; they add up to all cells.

    Parameters
    ----------
    x
        Cells per clone.
    limits
        Cells from which on a clone is of the next class, ascending.

    Examples
    --------
    >>> cells_by_clone_size([10, 5, 3, 1, 1]).tolist()
    [2, 3, 5, 10, 0]
    """
    counts = present_counts(x)
    classes = np.searchsorted(_ascending(limits), counts, side="right")
    return np.bincount(classes, weights=counts, minlength=len(limits) + 1).astype(np.int64)


def expanded_from(m: int) -> int:
    """Cells from which on a clone is expanded at depth m: max(2, m / 400), to the nearest cell.

    Examples
    --------
    >>> expanded_from(300), expanded_from(2000)
    (2, 5)
    """
    return max(2, round(whole_number(m, "m", at_least=0) / 400))


def share_by_clone_frequency(
    x: npt.ArrayLike, limits: Sequence[float] = (1e-4, 1e-3, 1e-2, 1e-1)
) -> FloatArray:
    r"""Share of the cells in clones of each class of frequency (clonal homeostasis).

    By default rare (:math:`p_i \le 10^{-4}`), small (:math:`\le 10^{-3}`), medium (:math:`\le
    0.01`), large (:math:`\le 0.1`) and hyperexpanded clones. NaN without cells. The classes move
    with the depth: no clone of fewer than 10,000 cells is rare.

    Parameters
    ----------
    x
        Cells per clone.
    limits
        Largest frequency of each class but the last, ascending.

    References
    ----------
    Borcherding, Bormann and Kraus 2020, doi:10.12688/f1000research.22139.2
    """
    counts = present_counts(x)
    if counts.size == 0:
        return np.full(len(limits) + 1, np.nan)
    share = counts / counts.sum()
    classes = np.searchsorted(_ascending(limits), share, side="left")
    return np.bincount(classes, weights=share, minlength=len(limits) + 1)


def top_fraction(x: npt.ArrayLike, k: int = 1) -> float:
    """Share of the cells in the k largest clones; NaN without cells.

    Parameters
    ----------
    x
        Cells per clone.
    k
        Number of clones; with fewer in the sample it is 1.
    """
    largest = whole_number(k, "k", at_least=1)
    counts = present_counts(x)
    if counts.size == 0:
        return math.nan
    return float(counts[-largest:].sum() / counts.sum())


def d50(x: npt.ArrayLike) -> float:
    """Number of the largest clones that together hold at least half of the cells.

    As immunarch and scRepertoire count it; scirpy's D50 is this as a percentage of all clones. NaN
    without cells.

    Parameters
    ----------
    x
        Cells per clone.
    """
    counts = present_counts(x)
    if counts.size == 0:
        return math.nan
    held = np.cumsum(counts[::-1])
    return float(np.searchsorted(2 * held, held[-1], side="left") + 1)


def _ascending(limits: Sequence[float]) -> FloatArray:
    numbers = real_vector(limits, "limits")
    if (np.diff(numbers) <= 0).any():
        message = f"limits must ascend, got {list(limits)}"
        raise ValueError(message)
    return numbers
