"""What the clones of one sample have to do with those of another."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import hypergeom

from hiaim_sc.compare.endpoints.scales import Measured, as_mean_share
from hiaim_sc.stats import simpson_unbiased, subsample_counts

if TYPE_CHECKING:
    import pandas as pd


def dual_expanded(
    tumour: pd.Series,
    blood: pd.Series,
    depths: tuple[int, int],
    *,
    draws: int,
    rng: np.random.Generator,
) -> Measured:
    """``blood_tumour_dual``: share of tumour T cells in clones with two cells in both tissues.

    Mean over subsamples of both tissues at their depths.
    """
    clones = tumour.index.union(blood.index).sort_values()
    in_tumour, in_blood = (
        subsample_counts(
            counts.reindex(clones, fill_value=0).to_numpy(), depth, n_draws=draws, rng=rng
        )
        for counts, depth in zip((tumour, blood), depths, strict=True)
    )
    in_both = (in_tumour >= 2) & (in_blood >= 2)
    return as_mean_share((in_tumour * in_both).sum(axis=1), depths[0])


def unseen_share(tumour: pd.Series, *others: tuple[pd.Series, int]) -> float:
    r"""Expected share of the tumour's T cells whose clone is in none of the other samples.

    :math:`\sum_c (t_c / t) \prod_s \binom{n_s - x_{cs}}{m_s} / \binom{n_s}{m_s}`: each other sample
    is seen at its depth. The depth of the tumour does not move it.

    Parameters
    ----------
    tumour
        Cells per clone.
    others
        Cells per clone and depth m of each sample that is looked through.
    """
    share = tumour.to_numpy() / tumour.sum()
    for counts, depth in others:
        here = counts.reindex(tumour.index, fill_value=0).to_numpy()
        share = share * hypergeom.pmf(0, int(counts.sum()), here, depth)
    return float(share.sum())


def overlap(one: pd.Series, other: pd.Series) -> Measured:
    r"""Morisita-Horn similarity with depth-unbiased denominators, analysed as its logarithm.

    :math:`MH = 2 \sum x_i y_i / ((\hat\lambda_x + \hat\lambda_y) X Y)` from all cells of both
    samples. Without a shared clone the logarithm takes half a pair of cells; where no clone has two
    cells, :math:`\hat\lambda` is the least that could have been seen.
    """
    clones = one.index.union(other.index).sort_values()
    x, y = (counts.reindex(clones, fill_value=0).to_numpy() for counts in (one, other))
    together = int((x * y).sum())
    scale = _concentration(x) + _concentration(y)
    per_pair = 2 / (scale * int(x.sum()) * int(y.sum()))
    return Measured(together * per_pair, float(np.log(max(together, 0.5) * per_pair)))


def _concentration(counts: np.ndarray) -> float:
    n_cells = int(counts.sum())
    return max(simpson_unbiased(counts), 1 / (n_cells * (n_cells - 1)))
