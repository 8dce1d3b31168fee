"""Has a clone's frequency changed between two samples of one patient?"""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.stats._arrays import count_array
from hiaim_sc.stats._clone_nulls import ALTERNATIVES, drifting, p_by_group, sampled

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import BoolArray, FloatArray, IntArray
    from hiaim_sc.stats._clone_nulls import Alternative, Null


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


@dataclass(frozen=True)
class FisherChange:
    """Fisher's test of each clone, in the shape of the input.

    Attributes
    ----------
    p_value
        NaN where a sample has no cells.
    odds_ratio
        Odds after over before, of the counts as they are; infinite where only the later sample has
        the clone, NaN where neither has it or both have nothing else.
    log2_fc
        As in `CloneChange`.
    """

    p_value: FloatArray
    odds_ratio: FloatArray
    log2_fc: FloatArray


def clone_change_test(
    k1: npt.ArrayLike,
    k2: npt.ArrayLike,
    n1: npt.ArrayLike,
    n2: npt.ArrayLike,
    *,
    rho: float = 0.0,
    dispersion: tuple[float, float] | None = None,
    alternative: Alternative = "greater",
) -> CloneChange:
    r"""Test of an unchanged frequency, clone by clone.

    Given its cells in both samples :math:`K = k_1 + k_2`, an unchanged clone has :math:`k_2 \sim
    \mathrm{BetaBinomial}(K, \pi s, (1-\pi)s)` with :math:`\pi = n_2/(n_1+n_2)` and :math:`s =
    (1-\rho)/\rho`. `rho` is the drift that any clone shows; 0 is the binomial test. With
    `dispersion` :math:`(b_1, b_0)`, which replicates of one sample tell, :math:`s = 2 + (b_1 \ln K
    + b_0)^2` (Rytlewski et al.; the formula, not their code). Calls of single clones describe, they
    do not compare arms.

    Parameters
    ----------
    k1, k2
        Cells of the clone before and after.
    n1, n2
        All cells before and after; a number, or one per clone.
    rho
        Overdispersion, at least 0 and below 1.
    dispersion
        Slope and intercept of an overdispersion that changes with the size of the clone, instead of
        `rho`.
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
    _check_options(rho, dispersion, alternative)
    tables = _clone_tables(k1, k2, n1, n2)
    null = partial(drifting, rho=rho, dispersion=dispersion)
    return CloneChange(
        p_value=_test(tables, null, alternative)[()],
        log2_fc=_log2_fold(tables)[()],
        n_total=(tables[0] + tables[1])[()],
    )


def fisher_clone_test(
    k1: npt.ArrayLike, k2: npt.ArrayLike, n1: npt.ArrayLike, n2: npt.ArrayLike
) -> FisherChange:
    r"""Fisher's exact test of an unchanged frequency, two-sided, clone by clone.

    Of the table of the clone's cells and all others in both samples: :math:`k_2` is hypergeometric,
    K of :math:`n_1 + n_2` cells that fall into a sample of :math:`n_2`. It knows no drift, so it
    calls more clones than `clone_change_test` with an overdispersion.

    Parameters
    ----------
    k1, k2
        Cells of the clone before and after.
    n1, n2
        All cells before and after; a number, or one per clone.

    Examples
    --------
    >>> round(float(fisher_clone_test(2, 15, 1000, 1200).p_value), 6)
    0.005598

    References
    ----------
    Fisher 1922, doi:10.2307/2340521
    """
    tables = _clone_tables(k1, k2, n1, n2)
    before, after, n_before, n_after = (counts.astype(np.float64) for counts in tables)
    with np.errstate(divide="ignore", invalid="ignore"):
        odds_ratio = after * (n_before - before) / (before * (n_after - after))
    return FisherChange(
        p_value=_test(tables, sampled, "two-sided")[()],
        odds_ratio=odds_ratio[()],
        log2_fc=_log2_fold(tables)[()],
    )


def _check_options(
    rho: float, dispersion: tuple[float, float] | None, alternative: Alternative
) -> None:
    if not 0 <= rho < 1:
        message = f"rho must be at least 0 and below 1, got {rho!r}"
        raise ValueError(message)
    if dispersion is not None and rho != 0:
        message = "rho and dispersion exclude each other"
        raise ValueError(message)
    if alternative not in ALTERNATIVES:
        message = f"alternative must be one of {', '.join(ALTERNATIVES)}, got {alternative!r}"
        raise ValueError(message)


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


def _test(tables: tuple[IntArray, ...], null: Null, alternative: Alternative) -> FloatArray:
    before, after, n_before, n_after = tables
    defined = (n_before > 0) & (n_after > 0)
    p_value = np.full(before.shape, np.nan)
    groups = np.stack([(before + after)[defined], n_before[defined], n_after[defined]], axis=1)
    p_value[defined] = p_by_group(after[defined], groups, null, alternative)
    return p_value


def _log2_fold(tables: tuple[IntArray, ...]) -> FloatArray:
    before, after, n_before, n_after = tables
    fold = ((after + 0.5) / (n_after + 1)) / ((before + 0.5) / (n_before + 1))
    return np.where((n_before > 0) & (n_after > 0), np.log2(fold), np.nan)
