"""Thresholds that the clones of the data choose: the other way to call antigens."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final, NamedTuple

import numpy as np
import pandas as pd
from scipy.stats import wilcoxon

if TYPE_CHECKING:
    from numpy.typing import ArrayLike, NDArray

_CREDIBLE_CELLS: Final = 10
_MAX_P_VALUE: Final = 0.05
_MOST_EXACT: Final = 50
_MOST_STEPS: Final = 20
_CHAIN_QUANTILE, _ANTIGEN_QUANTILE = 0.4, 0.5
MEASURES: Final = (
    *("umi_vj", "delta_vj", "umi_vdj", "delta_vdj"),
    *("umi_antigen", "delta_antigen"),
)


class Choice(NamedTuple):
    """The least values of `MEASURES` that a cell must have, and what they reach.

    Attributes
    ----------
    thresholds
        Of `MEASURES`, in their order.
    accuracy
        Share of the cells kept whose first antigen is the one expected of their clone.
    ratio
        Share of the cells of credible clones that is kept.
    """

    thresholds: tuple[float, ...]
    accuracy: float
    ratio: float

    @property
    def objective(self) -> float:
        """:math:`(2 a + r) / 3`."""
        return (2 * self.accuracy + self.ratio) / 3

    def keep(self, cells: pd.DataFrame) -> NDArray[np.bool_]:
        """Which cells reach every threshold."""
        return (cells[list(MEASURES)].to_numpy(dtype=float) >= self.thresholds).all(axis=1)


def signed_rank_p_value(first: ArrayLike, second: ArrayLike) -> float:
    """One-sided p-value of the signed-rank test that `first` is larger; 1 without a difference.

    Pairs without a difference are left out; exact up to fifty pairs, beyond that normal.

    Examples
    --------
    >>> top, second = [5, 7, 3, 9, 4, 6, 8, 2, 5, 7], [1, 0, 1, 2, 0, 1, 1, 3, 0, 1]
    >>> signed_rank_p_value(top, second)
    0.001953125
    """
    difference = np.subtract(first, second)
    difference = difference[difference != 0]
    if not len(difference):
        return 1.0
    method = "exact" if len(difference) <= _MOST_EXACT else "asymptotic"
    return float(wilcoxon(difference, alternative="greater", method=method).pvalue)


def expect_antigens(held: pd.DataFrame) -> pd.Series:
    """The antigen expected of each credible clone: the index is `clone_key`.

    A clone of ten cells or more, whose antigen with most UMIs is ahead of the next in its cells
    (one-sided signed-rank test, p at most 0.05).

    Parameters
    ----------
    held
        `cell clone_key dna_barcode n_umi`: what the cells of clones hold; what a cell does not hold
        above the background counts 0.
    """
    expected = {}
    for clone_key, own in held.groupby("clone_key"):
        if own["cell"].nunique() < _CREDIBLE_CELLS:
            continue
        sums = own.groupby("dna_barcode")["n_umi"].sum().sort_index()
        first, *others = sums.sort_values(ascending=False, kind="stable").index
        umis = own.pivot_table(
            index="cell", columns="dna_barcode", values="n_umi", fill_value=0, aggfunc="sum"
        )
        second = umis[others[0]] if others else np.zeros(len(umis))
        if signed_rank_p_value(umis[first], second) <= _MAX_P_VALUE:
            expected[str(clone_key)] = str(first)
    return pd.Series(expected, dtype="str").rename_axis("clone_key")


def choose_thresholds(cells: pd.DataFrame, expected: pd.Series) -> Choice | None:
    """The thresholds with the highest :math:`(2 a + r) / 3`; None without a credible clone.

    Every combination of UMIs from 0 to the 40 % quantile and of a lead from 0 to 3, of both chains,
    and of UMIs from 1 to the median and of a lead from 0 to 2, of the antigen, at most twenty steps
    each, is tried on the cells of credible clones. Ties: the higher accuracy, then ratio, then the
    lower thresholds.

    Parameters
    ----------
    cells
        `clone_key top_dna_barcode` and `MEASURES`.
    expected
        Of `expect_antigens`.

    References
    ----------
    Povlsen et al. 2023, doi:10.7554/eLife.81810 (ITRAP).
    """
    credible = cells[cells["clone_key"].isin(expected.index)]
    if credible.empty:
        return None
    is_right = (credible["clone_key"].map(expected) == credible["top_dna_barcode"]).to_numpy()
    steps = [_steps(credible, name) for name in MEASURES]
    passed = [
        np.searchsorted(step, credible[name], side="right")
        for step, name in zip(steps, MEASURES, strict=True)
    ]
    kept = _count_kept(passed, steps, np.ones(len(credible)))
    right = _count_kept(passed, steps, is_right.astype(float))
    accuracy = np.divide(right, kept, out=np.zeros_like(kept), where=kept > 0)
    ratio = kept / len(credible)
    objective = np.where(kept > 0, (2 * accuracy + ratio) / 3, -1.0)
    # the sort is stable and the grid rises: what is left tied is the lowest combination
    order = np.lexsort((-ratio.ravel(), -accuracy.ravel(), -objective.ravel().round(12)))
    best = np.unravel_index(order[0], kept.shape)
    thresholds = tuple(float(step[i]) for step, i in zip(steps, best, strict=True))
    return Choice(thresholds, float(accuracy[best]), float(ratio[best]))


def _steps(cells: pd.DataFrame, name: str) -> NDArray[np.float64]:
    if name.startswith("delta"):
        return np.arange(3.0 if name == "delta_antigen" else 4.0)
    is_antigen = name == "umi_antigen"
    top = cells[name].quantile(_ANTIGEN_QUANTILE if is_antigen else _CHAIN_QUANTILE)
    whole = np.arange(float(is_antigen), max(top, 1.0) + 1)
    return np.unique(np.round(np.linspace(whole[0], whole[-1], min(len(whole), _MOST_STEPS))))


def _count_kept(
    passed: list[NDArray[np.int64]], steps: list[NDArray[np.float64]], weights: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Cells that reach each combination: a histogram of the steps passed, summed from the top."""
    shape = [len(step) + 1 for step in steps]
    flat = np.ravel_multi_index(tuple(passed), tuple(shape))
    counts = np.bincount(flat, weights, minlength=int(np.prod(shape))).reshape(shape)
    for axis in range(len(shape)):
        counts = np.flip(np.cumsum(np.flip(counts, axis), axis=axis), axis)
    return counts[(slice(1, None),) * len(shape)]
