"""Has a clone's frequency changed between two samples of one patient?"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Literal

import numpy as np
from scipy.special import betaln, gammaln, xlog1py, xlogy

from hiaim_sc.stats._arrays import count_array

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import BoolArray, FloatArray, IntArray

type Alternative = Literal["greater", "less", "two-sided"]
_ALTERNATIVES = ("greater", "less", "two-sided")
# Probabilities that differ by less are the same one, computed twice.
_SAME_PROBABILITY = 1 + 1e-7


@dataclass(frozen=True)
class CloneChange:
    """Test of each clone, in the shape of the input.

    Attributes
    ----------
    p_value
        NaN where a sample has no cells.
    log2_fc
        log2 of the frequency after over before, each with half a cell added; NaN likewise.
    n_total
        Cells of the clone in both samples. A clone with few of them cannot reach a small p-value.
    """

    p_value: FloatArray
    log2_fc: FloatArray
    n_total: IntArray


def clone_change_test(
    k1: npt.ArrayLike,
    k2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    rho: float = 0.0,
    alternative: Alternative = "greater",
) -> CloneChange:
    r"""Test of an unchanged frequency, clone by clone.

    Given its cells in both samples :math:`K = k_1 + k_2`, an unchanged clone has :math:`k_2 \sim
    \mathrm{BetaBinomial}(K, \pi s, (1-\pi)s)` with :math:`\pi = n_2/(n_1+n_2)` and :math:`s =
    (1-\rho)/\rho`. `rho` is the drift that any clone shows; 0 is the binomial test. Calls of single
    clones describe, they do not compare arms. This is the conditional form of the idea of Rytlewski
    et al., not their code.

    Parameters
    ----------
    k1, k2
        Cells of the clone before and after.
    n1, n2
        All cells before and after; a number, or one per clone.
    rho
        Overdispersion, at least 0 and below 1.
    alternative
        ``greater``: more after than before. ``two-sided`` adds up all outcomes that are at most as
        likely as the one seen.

    Examples
    --------
    >>> float(clone_change_test(0, 5, 1000, 1000).p_value)
    0.03125

    References
    ----------
    Rytlewski et al. 2019, doi:10.1371/journal.pone.0213684
    """
    if not 0 <= rho < 1:
        message = f"rho must be at least 0 and below 1, got {rho!r}"
        raise ValueError(message)
    if alternative not in _ALTERNATIVES:
        message = f"alternative must be one of {', '.join(_ALTERNATIVES)}, got {alternative!r}"
        raise ValueError(message)
    before, after, n_before, n_after = _clone_tables(k1, k2, n1, n2)
    total = before + after
    defined = (n_before > 0) & (n_after > 0)
    p_value = np.full(total.shape, np.nan)
    groups = np.stack([total[defined], n_before[defined], n_after[defined]], axis=1)
    p_value[defined] = _p_by_group(after[defined], groups, rho, alternative)
    fold = ((after + 0.5) / (n_after + 1)) / ((before + 0.5) / (n_before + 1))
    log2_fc = np.where(defined, np.log2(fold), np.nan)
    return CloneChange(p_value=p_value[()], log2_fc=log2_fc[()], n_total=total[()])


def _clone_tables(
    k1: npt.ArrayLike, k2: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike
) -> tuple[IntArray, IntArray, IntArray, IntArray]:
    named = {"k1": k1, "k2": k2, "n1": n1, "n2": n2}
    counts = [count_array(values, name) for name, values in named.items()]
    before, after, n_before, n_after = np.broadcast_arrays(*counts)
    if _any(before > n_before) or _any(after > n_after):
        message = "a clone has more cells than its sample: k1 > n1 or k2 > n2"
        raise ValueError(message)
    return before, after, n_before, n_after


def _any(condition: BoolArray) -> bool:
    return bool(np.any(condition))


def _p_by_group(
    after: IntArray, groups: IntArray, rho: float, alternative: Alternative
) -> FloatArray:
    """P-values; clones with the same K, n1 and n2 share one table of probabilities."""
    p_value = np.empty(len(after))
    tables, members = np.unique(groups, axis=0, return_inverse=True)
    order = np.argsort(members, kind="stable")
    starts = np.searchsorted(members[order], np.arange(len(tables) + 1))
    for row, (total, n_before, n_after) in enumerate(tables):
        mine = order[starts[row] : starts[row + 1]]
        pmf = _null_probabilities(int(total), n_after / (n_before + n_after), rho)
        p_value[mine] = _tail(pmf, alternative)[after[mine]]
    return p_value


def _null_probabilities(total: int, expected_share: float, rho: float) -> FloatArray:
    """P(k2 = 0 ... total) of an unchanged clone."""
    k = np.arange(total + 1)
    choose = gammaln(total + 1) - gammaln(k + 1) - gammaln(total - k + 1)
    if rho == 0:
        return np.exp(choose + xlogy(k, expected_share) + xlog1py(total - k, -expected_share))
    s = (1 - rho) / rho
    a, b = expected_share * s, (1 - expected_share) * s
    return np.exp(choose + betaln(k + a, total - k + b) - betaln(a, b))


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
