"""Programmes that say how a cell was taken and what it was doing: they flag, they never filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.qc.metrics import is_of, whole_counts

if TYPE_CHECKING:
    from hiaim_sc.storage import Counts

# column of a score -> its genes
_SCORED: Final = {
    "dissociation_score": "dissociation",
    "s_score": "s_phase",
    "g2m_score": "g2m_phase",
}
SCORES: Final = (*_SCORED, "phase")
_COUNTS_PER_CELL = 1e4
_N_BINS = 25
_MIN_GENES = 2  # measured genes below which a mean is no programme


def score_programmes(counts: Counts, total: np.ndarray) -> pd.DataFrame:
    r"""Scores of dissociation and of the cell cycle, by cell barcode.

    With :math:`y_{cg} = \log(1 + 10^4 x_{cg} / N_c)` and :math:`L` the measured genes of a
    programme,

    .. math:: s_c = \frac{1}{|L|} \sum_{g \in L} \left( y_{cg} -
       \frac{1}{|B_g|} \sum_{h \in B_g} y_{ch} \right)

    where :math:`B_g` are the genes outside `L` of the same of 25 bins of mean expression. Tirosh et
    al., and scanpy's `score_genes`, draw some of them at random; all of them are the mean of these
    draws, and no seed is needed.

    Parameters
    ----------
    counts
        Cells x genes, raw counts; `var["symbol"]` is read.
    total
        (n_cells,) counts of each cell.

    Returns
    -------
    Index as `counts.obs_names`. `dissociation_score`, `s_score` and `g2m_score`, missing where
    fewer than two genes of the programme are measured; `phase` S or G2M, whichever scores higher
    and above 0, else G1; missing where one of the two scores is.

    References
    ----------
    Tirosh et al. 2016, Science 352:189 (cell cycle, controls by expression).
    DOI 10.1126/science.aad0501
    """
    from hiaim_sc.qc.passes import sum_logged, weigh_logged

    arrays = whole_counts(counts)
    table = pd.DataFrame(index=counts.obs_names)
    scale = _COUNTS_PER_CELL / np.maximum(total, 1)
    bins = _bin_genes(sum_logged(*arrays, scale, counts.n_vars))
    weights = {column: _weigh(is_of(name, counts), bins) for column, name in _SCORED.items()}
    known = {column: found for column, found in weights.items() if found is not None}
    by_gene = np.column_stack([np.zeros((counts.n_vars, 0)), *known.values()])
    scores = dict(zip(known, weigh_logged(*arrays, scale, by_gene).T, strict=True))
    for column in _SCORED:
        table[column] = scores.get(column, np.nan)
    table["phase"] = _call_phase(table["s_score"].to_numpy(), table["g2m_score"].to_numpy())
    return table


def _bin_genes(total: np.ndarray) -> np.ndarray:
    """Bin of each gene by its mean, the bins of equal size; -1 for genes of no count."""
    found = np.flatnonzero(total > 0)
    bins = np.full(len(total), -1)
    order = found[np.argsort(total[found], kind="stable")]
    bins[order] = np.arange(len(order)) * _N_BINS // max(len(order), 1)
    return bins


def _weigh(belongs: np.ndarray, bins: np.ndarray) -> np.ndarray | None:
    """Weight of each gene in the score; None where too few genes are measured."""
    genes = belongs & (bins >= 0)
    if genes.sum() < _MIN_GENES:
        return None
    weights = genes / genes.sum()
    for of_bin in np.unique(bins[genes]):
        controls = ~belongs & (bins == of_bin)
        share = (genes & (bins == of_bin)).sum() / genes.sum()
        weights = weights - controls * (share / max(controls.sum(), 1))
    return weights


def _call_phase(s_score: np.ndarray, g2m_score: np.ndarray) -> np.ndarray:
    phase = np.where(s_score > g2m_score, "S", "G2M").astype(object)
    phase[np.maximum(s_score, g2m_score) <= 0] = "G1"
    phase[np.isnan(s_score) | np.isnan(g2m_score)] = None
    return phase
