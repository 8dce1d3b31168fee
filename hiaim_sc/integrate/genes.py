"""What a library says of each gene, in numbers that can be merged without its matrix."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiaim_sc.storage import Counts

    # data, indices and indptr of CSR counts, and the rows that count
    type _Stored = tuple[np.ndarray, np.ndarray, np.ndarray, np.ndarray]

_SPAN = 0.3  # of the loess fit, as in Seurat v3 and scanpy
_MIN_CELLS = 10
_MIN_GENES = 10  # that vary


def summarise_genes(counts: Counts, kept: Sequence[str]) -> pd.DataFrame:
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
    from hiaim_sc.integrate.sums import sum_genes  # compiled: not for every worker

    matrix = sp.csr_matrix(counts.X)
    stored = (matrix.data, matrix.indices, matrix.indptr, np.sort(rows))
    n_expressing, total, square = sum_genes(*stored, counts.n_vars).T
    mean = total / max(len(rows), 1)
    return pd.DataFrame(
        {
            "gene_id": counts.var_names.astype(str),
            "symbol": counts.var["symbol"].astype(str).to_numpy(),
            "n_cells_expressing": n_expressing,
            "sum": total,
            "sum_of_squares": square,
            "mean": mean,
            "variance_norm": _standardised_variance(stored, mean, total, square),
        }
    )


def _standardised_variance(
    stored: _Stored, mean: np.ndarray, total: np.ndarray, square: np.ndarray
) -> np.ndarray:
    from hiaim_sc.integrate.sums import sum_beyond

    n_cells = len(stored[-1])
    if n_cells < _MIN_CELLS:
        return np.full(len(mean), np.nan)
    variance = (square - total * mean) / (n_cells - 1)
    trend = _fit_trend(mean, variance) if (variance > 0).sum() > _MIN_GENES else None
    if trend is None:
        return np.full(len(mean), np.nan)
    fitted_sd = np.sqrt(10**trend)
    beyond, beyond_square = sum_beyond(*stored, fitted_sd * np.sqrt(n_cells) + mean).T
    clipped_sum, clipped_square = total - beyond, square - beyond_square
    spread = n_cells * mean**2 + clipped_square - 2 * clipped_sum * mean
    return spread / ((n_cells - 1) * fitted_sd**2)


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
