"""Sizes of a difference between two groups, `a` minus `b`: give the treated group first."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import stats
from scipy.special import gammaln

from hiaim_sc.stats._arrays import real_vector, require_confidence
from hiaim_sc.stats.covariates import NEGLIGIBLE

if TYPE_CHECKING:
    import numpy.typing as npt

# Up to this many patients per group the null distribution of the rank sum is counted out.
_MAX_EXACT = 50
# Probabilities that differ by less are the same one, computed twice.
_SAME_PROBABILITY = 1 + 1e-9


@dataclass(frozen=True)
class HodgesLehmann:
    """Shift between two groups, `a` minus `b`.

    Attributes
    ----------
    estimate
        Median of all differences.
    ci_low, ci_high
        Moses interval; infinite where the groups are too small for the level.
    p_value
        Two-sided Mann-Whitney test; exact up to 50 per group without ties.
    """

    estimate: float
    ci_low: float
    ci_high: float
    p_value: float


def hedges_g(
    a: npt.ArrayLike, b: npt.ArrayLike, *, adjusted_difference: float | None = None
) -> float:
    r"""Standardised difference of the means, :math:`g = J(\nu)\,(\bar a - \bar b)/s_p`.

    :math:`J = \Gamma(\nu/2) / (\sqrt{\nu/2}\,\Gamma((\nu-1)/2))` exactly, :math:`\nu = n_a + n_b -
    2`. NaN with an empty group, below two degrees of freedom or without spread.

    Parameters
    ----------
    a, b
        Values of the two groups.
    adjusted_difference
        Stands in for the difference of the means; the spread stays that within the groups.

    References
    ----------
    Hedges 1981, doi:10.3102/10769986006002107
    """
    x, y = real_vector(a, "a"), real_vector(b, "b")
    nu = len(x) + len(y) - 2
    if min(len(x), len(y)) == 0 or nu < 2:
        return math.nan
    squares = ((x - x.mean()) ** 2).sum() + ((y - y.mean()) ** 2).sum()
    # what a mean of equal values leaves behind is rounding, not spread
    if squares <= NEGLIGIBLE**2 * ((x**2).sum() + (y**2).sum()):
        return math.nan
    correction = math.exp(gammaln(nu / 2) - gammaln((nu - 1) / 2)) / math.sqrt(nu / 2)
    difference = x.mean() - y.mean() if adjusted_difference is None else adjusted_difference
    return float(correction * difference / math.sqrt(squares / nu))


def hodges_lehmann(
    a: npt.ArrayLike, b: npt.ArrayLike, *, confidence: float = 0.95
) -> HodgesLehmann:
    """Median of all differences between the groups, with the interval that inverts the rank test.

    The interval runs from the k-th smallest to the k-th largest difference, k from the null
    distribution of the rank sum without ties (its normal approximation beyond 50 per group). NaN
    with an empty group.

    Parameters
    ----------
    a, b
        Values of the two groups.
    confidence
        Level of the interval, reached at least.

    References
    ----------
    Hodges and Lehmann 1963, doi:10.1214/aoms/1177704172
    """
    x, y = real_vector(a, "a"), real_vector(b, "b")
    require_confidence(confidence)
    if min(len(x), len(y)) == 0:
        return HodgesLehmann(math.nan, math.nan, math.nan, math.nan)
    differences = np.sort(np.subtract.outer(x, y).ravel())
    k = _critical_rank(len(x), len(y), (1 - confidence) / 2)
    return HodgesLehmann(
        estimate=float(np.median(differences)),
        ci_low=float(differences[k - 1]) if k > 0 else -math.inf,
        ci_high=float(differences[len(differences) - k]) if k > 0 else math.inf,
        p_value=_mann_whitney_p(x, y),
    )


def _mann_whitney_p(x: npt.NDArray[np.float64], y: npt.NDArray[np.float64]) -> float:
    pooled = np.concatenate([x, y])
    has_ties = len(np.unique(pooled)) < len(pooled)
    if np.ptp(pooled) == 0:
        return 1.0
    method = "asymptotic" if has_ties or max(len(x), len(y)) > _MAX_EXACT else "exact"
    return float(stats.mannwhitneyu(x, y, alternative="two-sided", method=method).pvalue)


def _critical_rank(n_a: int, n_b: int, tail: float) -> int:
    """Largest k with P(U < k) at most `tail`; 0 when there is none."""
    if max(n_a, n_b) > _MAX_EXACT:
        spread = math.sqrt(n_a * n_b * (n_a + n_b + 1) / 12)
        return max(math.floor((n_a * n_b + 1) / 2 + stats.norm.ppf(tail) * spread), 0)
    cumulative = np.cumsum(_rank_sum_counts(n_a, n_b)) / math.comb(n_a + n_b, n_a)
    return int(np.searchsorted(cumulative, tail * _SAME_PROBABILITY, side="right"))


def _rank_sum_counts(n_a: int, n_b: int) -> npt.NDArray[np.float64]:
    """Number of orders of the patients that give U = 0, 1, ... up to half of n_a n_b.

    The upper half mirrors the lower one, and floats would lose it to cancellation.
    """
    top = n_a * n_b // 2
    counts = np.zeros(top + 1)
    counts[0] = 1.0
    # Coefficients of the Gaussian binomial: multiply by 1 - q^(n_b + i), divide by 1 - q^i.
    for i in range(1, n_a + 1):
        shifted = counts.copy()
        counts[n_b + i :] -= shifted[: max(top + 1 - n_b - i, 0)]
        for start in range(i):
            counts[start::i] = np.cumsum(counts[start::i])
    return counts
