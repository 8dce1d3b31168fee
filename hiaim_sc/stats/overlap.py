"""How much two samples share, from the counts of the same clones in both.

`x` and `y` are aligned: position i is the same clone in both, 0 where a sample lacks it.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np
from scipy.special import rel_entr

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
    in_x, in_y, in_both = _clones(x, y)
    return _ratio(in_both, in_x + in_y - in_both)


def sorensen(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Clones that both samples have among those of each, :math:`2|A \cap B| / (|A| + |B|)`.

    NaN where neither sample has a clone.

    Parameters
    ----------
    x, y
        Cells per clone, aligned.

    References
    ----------
    Dice 1945, doi:10.2307/1932409
    """
    in_x, in_y, in_both = _clones(x, y)
    return _ratio(2 * in_both, in_x + in_y)


def overlap_coefficient(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Share of the poorer sample's clones that the other has, :math:`|A \cap B|/\min(|A|,|B|)`.

    NaN where a sample has no clone.

    Parameters
    ----------
    x, y
        Cells per clone, aligned.

    References
    ----------
    Simpson 1943, doi:10.2475/ajs.241.1.1
    """
    in_x, in_y, in_both = _clones(x, y)
    return _ratio(in_both, min(in_x, in_y))


def cosine_similarity(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Cosine of the angle between the counts, :math:`\sum x_i y_i/\sqrt{\sum x_i^2\sum y_i^2}`.

    Of the counts, not of presence alone. NaN where a sample has no cells.

    Parameters
    ----------
    x, y
        Cells per clone, aligned.
    """
    a, b = _aligned(x, y)
    return _ratio((a * b).sum(), math.sqrt((a * a).sum()) * math.sqrt((b * b).sum()))


def bhattacharyya(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Bhattacharyya's coefficient :math:`\sum \sqrt{p_i q_i}`, 1 with equal frequencies.

    :math:`p_i, q_i` are the clone's frequencies. NaN where a sample has no cells.

    Parameters
    ----------
    x, y
        Cells per clone, aligned.
    """
    p, q = _frequencies(x, y)
    return float(np.sqrt(p * q).sum())


def frequency_overlap(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Part of the frequencies that both samples have, :math:`\sum \min(p_i, q_i)`.

    NaN where a sample has no cells.

    Parameters
    ----------
    x, y
        Cells per clone, aligned.
    """
    p, q = _frequencies(x, y)
    return float(np.minimum(p, q).sum())


def weighted_jaccard(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Jaccard's index of frequencies, :math:`\sum\min(p_i,q_i) / \sum\max(p_i,q_i)` (Ruzicka).

    NaN where a sample has no cells.

    Parameters
    ----------
    x, y
        Cells per clone, aligned.
    """
    p, q = _frequencies(x, y)
    return float(np.minimum(p, q).sum() / np.maximum(p, q).sum())


def jensen_shannon(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Jensen-Shannon divergence of the frequencies in bits, 0 (equal) to 1 (nothing shared).

    :math:`\frac12 \sum p_i \log_2 (p_i/m_i) + \frac12 \sum q_i \log_2 (q_i/m_i)` with
    :math:`m_i = (p_i+q_i)/2`. NaN where a sample has no cells.

    Parameters
    ----------
    x, y
        Cells per clone, aligned.

    References
    ----------
    Lin 1991, doi:10.1109/18.61115
    """
    p, q = _frequencies(x, y)
    return float((rel_entr(p, (p + q) / 2) + rel_entr(q, (p + q) / 2)).sum() / math.log(4))


def shared_cell_fraction(x: npt.ArrayLike, y: npt.ArrayLike) -> float:
    r"""Share of the first sample's cells whose clone the second has, :math:`\sum_{y_i>0} x_i / X`.

    NaN where `x` has no cells. It grows with the depth of `y`. Of blood against the tumour it is
    the circulating tumour-matching fraction.

    Parameters
    ----------
    x, y
        Cells per clone, aligned.
    """
    a, b = _aligned(x, y)
    return _ratio(a[b > 0].sum(), a.sum())


def _clones(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[int, int, int]:
    """Number of clones in x, in y, and in both."""
    a, b = _aligned(x, y)
    return int((a > 0).sum()), int((b > 0).sum()), int(((a > 0) & (b > 0)).sum())


def _frequencies(x: npt.ArrayLike, y: npt.ArrayLike) -> tuple[FloatArray, FloatArray]:
    """Frequencies of each clone; all NaN where a sample has no cells."""
    a, b = _aligned(x, y)
    if a.sum() == 0 or b.sum() == 0:
        return np.array([math.nan]), np.array([math.nan])
    return a / a.sum(), b / b.sum()


def _ratio(part: float, whole: float) -> float:
    return float(part / whole) if whole else math.nan


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
