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
    from hiaim_sc.qc.passes import measure

    total, n_genes, mitochondrial = measure(*whole_counts(counts), is_mitochondrial(counts))
    return pd.DataFrame(
        {
            "total_counts": total,
            "n_genes_by_counts": n_genes,
            "pct_counts_mt": 100.0 * mitochondrial / np.maximum(total, 1),
        },
        index=counts.obs_names,
    )


def whole_counts(counts: AnnData) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts as whole numbers, ``data indices indptr`` of CSR; copied only where they are not."""
    matrix = sparse.csr_matrix(counts.X)
    data = matrix.data if matrix.data.dtype.kind in "iu" else matrix.data.astype(np.int64)
    return data, matrix.indices, matrix.indptr


def is_mitochondrial(counts: AnnData) -> np.ndarray:
    """Which genes are of the mitochondrial genome, by symbol (``MT-...``). (n_genes,) bool."""
    symbols = counts.var["symbol"].tolist()  # a loop over a column of text takes ten times as long
    return np.array([str(name)[:3].upper() == "MT-" for name in symbols], dtype=bool)
