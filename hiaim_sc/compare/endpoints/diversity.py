"""How unequal the clones of one sample are, whatever its depth."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.special import xlogy

from hiaim_sc.compare.endpoints.scales import Measured, as_log
from hiaim_sc.stats import rarefied_richness, rarefied_shannon, simpson_unbiased

if TYPE_CHECKING:
    import pandas as pd


class Inequality(NamedTuple):
    """Means over subsamples."""

    clonality: float
    gini: float


def concentration(counts: pd.Series) -> Measured:
    """``simpson``: chance that two cells are of one clone, from all cells.

    Where no clone has two cells the logarithm is that of half the smallest chance there could be.
    """
    n_cells = int(counts.sum())
    return as_log(simpson_unbiased(counts.to_numpy()), 1 / (n_cells * (n_cells - 1)))


def effective_clones(counts: pd.Series, depth: int, q: int) -> Measured:
    r"""``hill_<q>_m``: effective number of clones of order 0, 1 or 2 at depth m.

    From the expected numbers of clones of each size among m cells: the rarefied richness, exp of
    the expected entropy, and one over the expected :math:`\sum p^2 = \hat\lambda (m-1)/m + 1/m`.

    References
    ----------
    Chao et al. 2014, doi:10.1890/13-0133.1
    """
    sizes = counts.to_numpy()
    if q == 0:
        return as_log(rarefied_richness(sizes, depth))
    if q == 1:
        return as_log(float(np.exp(rarefied_shannon(sizes, depth))))
    return as_log(float(1 / (simpson_unbiased(sizes) * (depth - 1) / depth + 1 / depth)))


def average_inequality(
    counts: pd.Series, depth: int, *, draws: int, rng: np.random.Generator
) -> Inequality:
    """``clonality_m`` and ``gini_m``: means over subsamples of m cells.

    A subsample of a single clone has clonality 1.
    """
    # by size, so that the names of the clones do not matter; "count" is fast for few of many cells
    sizes = np.sort(counts.to_numpy())
    drawn = rng.multivariate_hypergeometric(sizes, depth, size=draws, method="count")
    drawn = np.sort(drawn, axis=1)[:, -depth:]
    n_clones = (drawn > 0).sum(axis=1)
    return Inequality(
        float(_clonality(drawn, n_clones, depth).mean()),
        float(_gini(drawn, n_clones, depth).mean()),
    )


def _clonality(drawn: np.ndarray, n_clones: np.ndarray, depth: int) -> np.ndarray:
    share = drawn / depth
    entropy = -xlogy(share, share).sum(axis=1)
    return 1 - np.divide(entropy, np.log(n_clones), out=np.zeros(len(drawn)), where=n_clones > 1)


def _gini(drawn: np.ndarray, n_clones: np.ndarray, depth: int) -> np.ndarray:
    """Of rows in ascending order; the clones that were not drawn come first and have no rank."""
    n_columns = drawn.shape[1]
    ranks = np.arange(1, n_columns + 1) - (n_columns - n_clones)[:, None]
    return 2 * (ranks * drawn).sum(axis=1) / (n_clones * depth) - (n_clones + 1) / n_clones
