"""How the cells of an unchanged clone are dealt out to two samples, and what a count then says."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import betaln, gammaln, xlog1py, xlogy
from scipy.stats import hypergeom

if TYPE_CHECKING:
    from collections.abc import Callable

    from hiaim_sc.stats._arrays import FloatArray, IntArray

    # K, n1, n2 -> P(k2 = 0 ... K)
    type Null = Callable[[int, int, int], FloatArray]

type Alternative = Literal["greater", "less", "two-sided"]
ALTERNATIVES = ("greater", "less", "two-sided")
# Probabilities that differ by less are the same one, computed twice.
_SAME_PROBABILITY = 1 + 1e-7


def p_by_group(
    after: IntArray, groups: IntArray, null: Null, alternative: Alternative
) -> FloatArray:
    """P-values; clones with the same K, n1 and n2 share one table of probabilities."""
    p_value = np.empty(len(after))
    tables, members = np.unique(groups, axis=0, return_inverse=True)
    order = np.argsort(members, kind="stable")
    starts = np.searchsorted(members[order], np.arange(len(tables) + 1))
    for row, (total, n_before, n_after) in enumerate(tables):
        mine = order[starts[row] : starts[row + 1]]
        pmf = null(int(total), int(n_before), int(n_after))
        p_value[mine] = _tail(pmf, alternative)[after[mine]]
    return p_value


def drifting(
    total: int, n_before: int, n_after: int, *, rho: float, dispersion: tuple[float, float] | None
) -> FloatArray:
    """P(k2 = 0 ... K) of a clone that only drifts: beta-binomial, or binomial without drift."""
    expected_share = n_after / (n_before + n_after)
    k = np.arange(total + 1)
    choose = gammaln(total + 1) - gammaln(k + 1) - gammaln(total - k + 1)
    if rho == 0 and dispersion is None:
        return np.exp(choose + xlogy(k, expected_share) + xlog1py(total - k, -expected_share))
    s = _concentration(total, rho, dispersion)
    a, b = expected_share * s, (1 - expected_share) * s
    return np.exp(choose + betaln(k + a, total - k + b) - betaln(a, b))


def _concentration(total: int, rho: float, dispersion: tuple[float, float] | None) -> float:
    if dispersion is None:
        return (1 - rho) / rho
    slope, intercept = dispersion
    # a clone without cells has no logarithm, and one outcome only, whatever the concentration
    return 2 + (slope * math.log(max(total, 1)) + intercept) ** 2


def sampled(total: int, n_before: int, n_after: int) -> FloatArray:
    """P(k2 = 0 ... K) when the cells of both samples are dealt out by chance: hypergeometric."""
    return hypergeom.pmf(np.arange(total + 1), n_before + n_after, total, n_after)


def _tail(pmf: FloatArray, alternative: Alternative) -> FloatArray:
    """P-value of each possible k2."""
    if alternative == "greater":
        tail = np.cumsum(pmf[::-1])[::-1]
    elif alternative == "less":
        tail = np.cumsum(pmf)
    else:
        ascending = np.sort(pmf)
        sums = np.concatenate([[0.0], np.cumsum(ascending)])
        tail = sums[np.searchsorted(ascending, pmf * _SAME_PROBABILITY, side="right")]
    return np.minimum(tail, 1.0)
