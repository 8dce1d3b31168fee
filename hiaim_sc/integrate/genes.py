"""What a library says of each gene, in numbers that can be merged without its matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from anndata import AnnData

_SPAN = 0.3  # of the loess fit, as in Seurat v3 and scanpy
_MIN_CELLS = 10
_MIN_GENES = 10  # that vary
_EXACT = 2.0**53
_CHUNK = 1 << 20  # counts at a time


def summarise_genes(counts: AnnData, kept: Sequence[str]) -> pd.DataFrame:
    """Sufficient statistics of each gene over the cells that are kept.

    Parameters
    ----------
    counts
        One library: ``X`` (n_cells, n_genes) counts.
    kept
        Cell barcodes that pass QC, each in ``counts``; their order does not matter.

    Returns
    -------
    A row per gene in the order of ``counts``: ``gene_id symbol n_cells_expressing sum
    sum_of_squares mean variance_norm``. Sums are exact integers. ``variance_norm`` is the
    variance of counts standardised by the mean-variance trend and clipped at sqrt(n): with n
    cells, mean m_g and fitted standard deviation s_g, ``(n m_g^2 + sum(c^2) - 2 m_g sum(c)) / ((n
    - 1) s_g^2)`` over counts c clipped at ``m_g + s_g sqrt(n)``. It is missing for all genes with
    fewer than 10 cells, or where no trend can be fitted.

    Raises
    ------
    ValueError
        When a kept cell barcode is not in ``counts``.

    References
    ----------
    Stuart et al. 2019, Cell 177:1888, doi:10.1016/j.cell.2019.05.031.
    """
    rows = counts.obs_names.get_indexer(pd.Index(kept, dtype=object))
    if (rows < 0).any():
        msg = f"{(rows < 0).sum()} of {len(rows)} kept cell barcodes are not in the matrix"
        raise ValueError(msg)
    matrix = sp.csr_matrix(counts.X)
    if len(rows) < matrix.shape[0]:
        matrix = matrix[np.sort(rows)]
    n_expressing, total, square = _sums(matrix)
    mean = total / max(matrix.shape[0], 1)
    return pd.DataFrame(
        {
            "gene_id": counts.var_names.astype(str),
            "symbol": counts.var["symbol"].astype(str).to_numpy(),
            "n_cells_expressing": n_expressing,
            "sum": total,
            "sum_of_squares": square,
            "mean": mean,
            "variance_norm": _standardised_variance(matrix, mean, total, square),
        }
    )


def _sums(matrix: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Cells with any count, sum and sum of squares of each gene, (n_genes,) int64.

    Whole numbers below 2^53 add up exactly in float64, in any order.
    """
    if float(matrix.data.max(initial=0)) ** 2 * matrix.shape[0] >= _EXACT:
        return _large_sums(matrix)
    n_expressing, total, square = np.zeros((3, matrix.shape[1]))
    has_no_zero = matrix.data.min(initial=1) > 0
    for start in range(0, matrix.nnz, _CHUNK):
        gene = matrix.indices[start : start + _CHUNK].astype(np.intp)
        count = matrix.data[start : start + _CHUNK].astype(np.float64)
        n_expressing += np.bincount(gene if has_no_zero else gene[count > 0], None, matrix.shape[1])
        total += np.bincount(gene, count, matrix.shape[1])
        square += np.bincount(gene, count**2, matrix.shape[1])
    return n_expressing.astype(np.int64), total.astype(np.int64), square.astype(np.int64)


def _large_sums(matrix: sp.csr_matrix) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """The same in whole numbers, which takes longer."""
    n_expressing, total, square = np.zeros((3, matrix.shape[1]), dtype=np.int64)
    count = matrix.data.astype(np.int64)
    for sums, values in ((n_expressing, count > 0), (total, count), (square, count**2)):
        np.add.at(sums, matrix.indices, values)
    return n_expressing, total, square


def _standardised_variance(
    matrix: sp.csr_matrix, mean: np.ndarray, total: np.ndarray, square: np.ndarray
) -> np.ndarray:
    n_cells, n_genes = matrix.shape
    if n_cells < _MIN_CELLS:
        return np.full(n_genes, np.nan)
    variance = (square - total * mean) / (n_cells - 1)
    trend = _fit_trend(mean, variance) if (variance > 0).sum() > _MIN_GENES else None
    if trend is None:
        return np.full(n_genes, np.nan)
    fitted_sd = np.sqrt(10**trend)
    limit = fitted_sd * np.sqrt(n_cells) + mean
    over, over_square = _beyond(matrix, limit)
    clipped_sum, clipped_square = total - over, square - over_square
    spread = n_cells * mean**2 + clipped_square - 2 * clipped_sum * mean
    return spread / ((n_cells - 1) * fitted_sd**2)


def _beyond(matrix: sp.csr_matrix, limit: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """What clipping at a limit takes from each gene's sum and sum of squares: few counts do."""
    lowest = limit.min(initial=np.inf)
    where = np.flatnonzero(matrix.data > lowest)  # most counts are 1, and no limit is that low
    where = where[matrix.data[where] > limit[matrix.indices[where]]]
    gene, count = matrix.indices[where], matrix.data[where].astype(np.float64)
    return (
        np.bincount(gene, count - limit[gene], len(limit)),
        np.bincount(gene, count**2 - limit[gene] ** 2, len(limit)),
    )


def _fit_trend(mean: np.ndarray, variance: np.ndarray) -> np.ndarray | None:
    """Fitted log10 variance at each gene's mean, 0 where a gene does not vary; None: no trend.

    Few cells have few distinct means, and the local regression is then singular.
    """
    from skmisc.loess import loess

    fitted = np.zeros(len(mean))
    varies = variance > 0
    model = loess(np.log10(mean[varies]), np.log10(variance[varies]), span=_SPAN, degree=2)
    try:
        model.fit()
    except ValueError:
        return None
    fitted[varies] = model.outputs.fitted_values
    return fitted if np.isfinite(fitted).all() else None
