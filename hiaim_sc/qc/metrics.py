"""Counts, genes and mitochondrial share of every cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

if TYPE_CHECKING:
    from anndata import AnnData

METRICS = ("total_counts", "n_genes_by_counts", "pct_counts_mt")


def measure_cells(counts: AnnData) -> pd.DataFrame:
    """Table of `METRICS` by cell barcode, as ``scanpy.pp.calculate_qc_metrics`` defines them.

    Parameters
    ----------
    counts
        Cells x genes, raw counts; `var["symbol"]` is read.

    Returns
    -------
    Index as `counts.obs_names`; `pct_counts_mt` in percent (0-100), 0 where a cell has no counts or
    the matrix no mitochondrial gene.
    """
    matrix = sparse.csr_matrix(counts.X)
    total = np.asarray(matrix.sum(axis=1)).ravel()
    zeros = np.bincount(_cells_of(matrix, matrix.data == 0), minlength=matrix.shape[0])
    of_mt = is_mitochondrial(counts)[matrix.indices]
    mitochondrial = np.bincount(_cells_of(matrix, of_mt), matrix.data[of_mt], matrix.shape[0])
    return pd.DataFrame(
        {
            "total_counts": total.astype(np.int64),
            "n_genes_by_counts": np.diff(matrix.indptr) - zeros,
            "pct_counts_mt": 100.0 * mitochondrial / np.maximum(total, 1),
        },
        index=counts.obs_names,
    )


def _cells_of(matrix: sparse.csr_matrix, chosen: np.ndarray) -> np.ndarray:
    """Row of each of the stored values that are chosen."""
    return np.searchsorted(matrix.indptr, np.flatnonzero(chosen), side="right") - 1


def is_mitochondrial(counts: AnnData) -> np.ndarray:
    """Which genes are of the mitochondrial genome, by symbol (``MT-...``). (n_genes,) bool."""
    return counts.var["symbol"].astype(str).str.upper().str.startswith("MT-").to_numpy(dtype=bool)
