"""Programmes that say how a cell was taken and what it was doing: they flag, they never filter."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from scipy import sparse

from hiaim_sc.names.genes import gene_set

if TYPE_CHECKING:
    from anndata import AnnData

# column of a score -> its genes
_SCORED: Final = {
    "dissociation_score": "dissociation",
    "s_score": "s_phase",
    "g2m_score": "g2m_phase",
}
SCORES: Final = ("pct_counts_hb", *_SCORED, "phase")
_COUNTS_PER_CELL = 1e4
_N_BINS = 25
_MIN_GENES = 2  # measured genes below which a mean is no programme


def score_programmes(counts: AnnData) -> pd.DataFrame:
    r"""Share of haemoglobin, scores of dissociation and of the cell cycle, by cell barcode.

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

    Returns
    -------
    Index as `counts.obs_names`. `pct_counts_hb` in percent (0-100); `dissociation_score`, `s_score`
    and `g2m_score`, missing where fewer than two genes of the programme are measured; `phase` S or
    G2M, whichever scores higher and above 0, else G1; missing where one of the two scores is.

    References
    ----------
    Tirosh et al. 2016, Science 352:189 (cell cycle, controls by expression).
    DOI 10.1126/science.aad0501
    """
    matrix: Any = sparse.csr_matrix(counts.X)
    symbols = counts.var["symbol"].astype(str)
    total = np.maximum(np.asarray(matrix.sum(axis=1)).ravel(), 1)
    haemoglobin = np.flatnonzero(symbols.isin(gene_set("haemoglobin")))
    table = pd.DataFrame(index=counts.obs_names)
    of_haemoglobin = np.asarray(matrix[:, haemoglobin].sum(axis=1)).ravel()
    table["pct_counts_hb"] = 100.0 * of_haemoglobin / total
    logged = _log_normalise(matrix, total)
    bins = _bin_genes(logged)
    for column, name in _SCORED.items():
        weights = _weigh(symbols.isin(gene_set(name)).to_numpy(), bins)
        table[column] = np.nan if weights is None else logged @ weights
    table["phase"] = _call_phase(table["s_score"].to_numpy(), table["g2m_score"].to_numpy())
    return table


def _log_normalise(matrix: sparse.csr_matrix, total: np.ndarray) -> sparse.csr_matrix:
    scale = np.repeat((_COUNTS_PER_CELL / total).astype(np.float32), np.diff(matrix.indptr))
    scale *= matrix.data
    scale += 1  # single precision: values are counts, none so small that log1p would differ
    data = np.log(scale, out=scale)
    return sparse.csr_matrix((data, matrix.indices, matrix.indptr), shape=matrix.shape)


def _bin_genes(logged: sparse.csr_matrix) -> np.ndarray:
    """Bin of each gene by its mean, the bins of equal size; -1 for genes of no count."""
    total = np.bincount(logged.indices, weights=logged.data, minlength=logged.shape[1])
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
