"""What a perfect measurement would show: clonal endpoints from the true clone frequencies.

The cells of a sample of depth `m` are a multinomial draw, so the count of clone `i` with frequency
``p_i`` is binomial, and each endpoint's expected value is a sum over clones.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.special import betaln, gammaln
from scipy.stats import binom

if TYPE_CHECKING:
    from hiaim_sc.config import CompareOptions

_NEGLIGIBLE = 1e-12


def expected_expanded_clones(frequency: np.ndarray, depth: int, *, min_cells: int = 2) -> float:
    """Expected number of clones with at least `min_cells` of `depth` cells.

    ``sum_i P(Bin(m, p_i) >= c)``.
    """
    return float(binom.sf(min_cells - 1, depth, frequency).sum())


def expected_expanded_share(frequency: np.ndarray, depth: int, *, min_cells: int = 2) -> float:
    """Expected share of the cells that are in such clones.

    ``sum_i p_i P(Bin(m - 1, p_i) >= c - 1)``: the clone of a cell needs `c - 1` of the others.
    """
    return float((frequency * binom.sf(min_cells - 2, depth - 1, frequency)).sum())


def expected_dual_share(
    frequency: np.ndarray,
    depth: int,
    other_frequency: np.ndarray,
    other_depth: int,
    *,
    min_cells: int = 2,
) -> float:
    """Expected share of the cells whose clone is expanded here and in the other tissue.

    ``sum_i p_i P(Bin(m - 1, p_i) >= c - 1) P(Bin(m', p'_i) >= c)``.
    """
    here = frequency * binom.sf(min_cells - 2, depth - 1, frequency)
    return float((here * binom.sf(min_cells - 1, other_depth, other_frequency)).sum())


def expected_called_clones(
    before: np.ndarray, after: np.ndarray, depth: int, options: CompareOptions
) -> float:
    """Expected number of clones called expanded between two samples of `depth` cells each.

    ``sum_i P(k1 + k2 >= K and P(BetaBin(k1 + k2, s / 2, s / 2) >= k2) < alpha)`` with independent
    ``k1 ~ Bin(m, p_i)``, ``k2 ~ Bin(m, p'_i)`` and ``s = (1 - rho) / rho``.
    """
    threshold = _call_thresholds(depth, options)
    total = 0.0
    for n_before in range(depth + 1):
        # frequencies of which this count, or a larger one, can still be seen
        seen = binom.sf(n_before - 1, depth, before) > _NEGLIGIBLE
        if not seen.any():
            break
        if threshold[n_before] <= depth:
            weight = binom.pmf(n_before, depth, before[seen])
            total += float((weight * binom.sf(threshold[n_before] - 1, depth, after[seen])).sum())
        before, after = before[seen], after[seen]
    return total


def _call_thresholds(depth: int, options: CompareOptions) -> np.ndarray:
    """Least `k2` that is called for each `k1` from 0; more than `depth` where none is."""
    is_called = np.zeros((depth + 1, depth + 1), dtype=bool)  # k1 x k2
    for total in range(options.called_min_total, 2 * depth + 1):
        after = np.flatnonzero(_upper_tail(total, options.called_rho) < options.called_alpha)
        after = after[(after <= depth) & (total - after <= depth)]
        is_called[total - after, after] = True
    return np.where(is_called.any(axis=1), is_called.argmax(axis=1), depth + 1)


def _upper_tail(total: int, rho: float) -> np.ndarray:
    """``P(k2 >= k)`` for each k from 0 to `total`, where the frequency has not changed."""
    k = np.arange(total + 1)
    log_choose = gammaln(total + 1) - gammaln(k + 1) - gammaln(total - k + 1)
    if rho == 0:
        log_pmf = log_choose - total * np.log(2)
    else:
        half = (1 - rho) / rho / 2
        log_pmf = log_choose + betaln(k + half, total - k + half) - betaln(half, half)
    return np.exp(log_pmf)[::-1].cumsum()[::-1]
