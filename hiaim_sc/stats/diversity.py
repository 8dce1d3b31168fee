r"""How unequal the clones of one sample are, from the counts of cells per clone.

`x` is a one-dimensional array of whole numbers, one per clone; zeros are clones that are not there.
Throughout, :math:`n = \sum x_i`, :math:`S` is the number of clones with :math:`x_i > 0`,
:math:`p_i = x_i / n`, and :math:`f_j` is the number of clones of exactly :math:`j` cells.

All of these but `simpson_unbiased` and `coverage` move with the depth :math:`n`: compare samples at
a common depth (`hiaim_sc.stats.rarefaction`).
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import logsumexp

from hiaim_sc.stats._arrays import present_counts

if TYPE_CHECKING:
    import numpy.typing as npt

# Closer to 1 than this, the sum of powers loses the digits that the division by 1 - q needs.
_NEAR_ONE = 1e-2
_CHAO1_FORMS = ("bias-corrected", "classic", "finite")


def shannon_entropy(x: npt.ArrayLike, base: float = math.e) -> float:
    r"""Shannon entropy :math:`H = -\sum p_i \log p_i`; NaN without cells.

    Parameters
    ----------
    x
        Cells per clone.
    base
        Base of the logarithm: e for nats, 2 for bits.

    Examples
    --------
    >>> round(shannon_entropy([10, 6, 3, 1]), 6)
    1.14212

    References
    ----------
    Shannon 1948, doi:10.1002/j.1538-7305.1948.tb01338.x
    """
    if not 0 < base < math.inf or base == 1:
        message = f"base must be positive, finite and not 1, got {base!r}"
        raise ValueError(message)
    counts = present_counts(x)
    if counts.size == 0:
        return math.nan
    p = counts / counts.sum()
    # Adding 0 turns the -0.0 of a single clone into 0.0.
    return float(-(p * np.log(p)).sum() / math.log(base)) + 0.0


def pielou_evenness(x: npt.ArrayLike) -> float:
    r"""Evenness :math:`J = H / \ln S`, 1 when all clones are equal; NaN below two clones.

    Parameters
    ----------
    x
        Cells per clone.

    References
    ----------
    Pielou 1966, doi:10.1016/0022-5193(66)90013-0
    """
    counts = present_counts(x)
    if counts.size < 2:
        return math.nan
    return shannon_entropy(counts) / math.log(counts.size)


def clonality(x: npt.ArrayLike) -> float:
    """Shannon clonality, 1 - `pielou_evenness`: 0 when all clones are equal; NaN below two clones.

    Parameters
    ----------
    x
        Cells per clone.
    """
    return 1.0 - pielou_evenness(x)


def simpson_unbiased(x: npt.ArrayLike) -> float:
    r"""Chance that two cells are of one clone, :math:`\sum x_i(x_i-1) / (n(n-1))`.

    NaN below two cells. Its expectation is :math:`\sum \pi_i^2` of the sampled repertoire at every
    depth.

    Parameters
    ----------
    x
        Cells per clone.

    References
    ----------
    Simpson 1949, doi:10.1038/163688a0
    """
    counts = present_counts(x).astype(np.float64)
    n = counts.sum()
    if n < 2:
        return math.nan
    return float((counts * (counts - 1)).sum() / (n * (n - 1)))


def gini(x: npt.ArrayLike) -> float:
    r"""Gini coefficient of the clone sizes, :math:`2\sum_i i\,x_{(i)}/(S n) - (S+1)/S`.

    :math:`x_{(1)} \le \dots \le x_{(S)}` are the clones that are there. It is 0 when they are equal
    (also for a single one) and at most :math:`(S-1)/S`. NaN without cells.

    Parameters
    ----------
    x
        Cells per clone.
    """
    counts = present_counts(x)
    s = counts.size
    if s == 0:
        return math.nan
    ranks = np.arange(1.0, s + 1)
    return float(2 * (ranks * counts).sum() / (s * counts.sum()) - (s + 1) / s)


def hill_number(x: npt.ArrayLike, q: float) -> float:
    r"""Effective number of clones of order q, :math:`(\sum p_i^q)^{1/(1-q)}`; NaN without cells.

    q = 0 is the richness S, q = 1 (the limit) :math:`e^H`, q = 2 the inverse Simpson index,
    infinity :math:`1/\max p_i`.

    Parameters
    ----------
    x
        Cells per clone.
    q
        Order, at least 0; ``math.inf`` is allowed.

    References
    ----------
    Hill 1973, doi:10.2307/1934352
    """
    if not q >= 0:
        message = f"q must be at least 0, got {q!r}"
        raise ValueError(message)
    counts = present_counts(x)
    if counts.size == 0:
        return math.nan
    if q == 0:
        return float(counts.size)
    log_p = np.log(counts / counts.sum())
    if math.isinf(q):
        return float(np.exp(-log_p.max()))
    if q == 1:
        return math.exp(shannon_entropy(counts))
    if abs(q - 1) < _NEAR_ONE:
        excess = (np.exp(log_p) * np.expm1((q - 1) * log_p)).sum()
        return float(np.exp(np.log1p(excess) / (1 - q)))
    return float(np.exp(logsumexp(q * log_p) / (1 - q)))


def chao1(
    x: npt.ArrayLike, *, form: Literal["bias-corrected", "classic", "finite"] = "bias-corrected"
) -> float:
    r"""Lower bound of the number of clones: :math:`S + f_1(f_1-1)/(2(f_2+1))`.

    NaN without cells. Other tools print other forms under the same name.

    Parameters
    ----------
    x
        Cells per clone.
    form
        ``classic`` is :math:`S + f_1^2/(2 f_2)`, ``finite`` this with :math:`(n-1)/n` before the
        fraction (iNEXT, immunarch); without a clone of two cells both take :math:`f_1(f_1-1)/2`.

    References
    ----------
    Chao 1987, doi:10.2307/2531532
    """
    if form not in _CHAO1_FORMS:
        message = f"form must be one of {', '.join(_CHAO1_FORMS)}, got {form!r}"
        raise ValueError(message)
    counts = present_counts(x)
    if counts.size == 0:
        return math.nan
    f1, f2 = _singletons_and_doubletons(counts)
    if form == "bias-corrected":
        return counts.size + f1 * (f1 - 1) / (2 * (f2 + 1))
    unseen = f1 * f1 / (2 * f2) if f2 else f1 * (f1 - 1) / 2
    n = int(counts.sum())
    return counts.size + unseen * ((n - 1) / n if form == "finite" else 1)


def coverage(x: npt.ArrayLike) -> float:
    r"""Share of the repertoire's cells that lie in the clones seen (Chao and Jost).

    :math:`1 - \frac{f_1}{n}\,\frac{(n-1) f_1}{(n-1) f_1 + 2 f_2}`, which is Good's
    :math:`1 - f_1/n` where no clone has two cells. NaN below two cells.

    Parameters
    ----------
    x
        Cells per clone.

    References
    ----------
    Chao and Jost 2012, doi:10.1890/11-1952.1
    """
    counts = present_counts(x)
    n = int(counts.sum())
    if n < 2:
        return math.nan
    f1, f2 = _singletons_and_doubletons(counts)
    if f1 == 0:
        return 1.0
    return 1.0 - f1 / n * ((n - 1) * f1) / ((n - 1) * f1 + 2 * f2)


def _singletons_and_doubletons(counts: npt.NDArray[np.int64]) -> tuple[int, int]:
    return int((counts == 1).sum()), int((counts == 2).sum())
