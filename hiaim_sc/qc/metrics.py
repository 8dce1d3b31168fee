"""Counts, genes and mitochondrial share of every cell."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from hiaim_sc.names.genes import gene_set

if TYPE_CHECKING:
    from hiaim_sc.storage import Counts

METRICS = ("total_counts", "n_genes_by_counts", "pct_counts_mt", "pct_counts_hb")
SEXES = ("female", "male")
_MITOCHONDRIAL = 1  # number of its genes in a pass; 0 are all others
_SETS = ("haemoglobin", *SEXES)  # numbered from there on


def measure_cells(counts: Counts) -> pd.DataFrame:
    """Table of `METRICS` by cell barcode, as ``scanpy.pp.calculate_qc_metrics`` defines them.

    Parameters
    ----------
    counts
        Cells x genes, raw counts; `var["symbol"]` is read.

    Returns
    -------
    Index as `counts.obs_names`; `pct_counts_mt` and `pct_counts_hb` (haemoglobin) in percent
    (0-100), 0 where a cell has no counts or the matrix no such gene; `female` and `male`, counts of
    the genes that only one sex expresses.
    """
    from hiaim_sc.qc.passes import measure

    numbers = np.where(is_mitochondrial(counts), _MITOCHONDRIAL, 0).astype(np.int8)
    for number, name in enumerate(_SETS, start=_MITOCHONDRIAL + 1):
        numbers[is_of(name, counts)] = number
    total, n_genes, of_set = measure(*whole_counts(counts), numbers, _MITOCHONDRIAL + len(_SETS))
    shares = 100.0 * of_set / np.maximum(total, 1)[:, None]
    return pd.DataFrame(
        {
            "total_counts": total,
            "n_genes_by_counts": n_genes,
            "pct_counts_mt": shares[:, 0],
            "pct_counts_hb": shares[:, 1],
            "female": of_set[:, 2],
            "male": of_set[:, 3],
        },
        index=counts.obs_names,
    )


def is_of(gene_set_name: str, counts: Counts) -> np.ndarray:
    """Which genes are of one of `hiaim_sc.names.genes.GENE_SETS`. (n_genes,) bool."""
    genes = gene_set(gene_set_name)
    return np.array([name in genes for name in counts.var["symbol"].tolist()], dtype=bool)


def whole_counts(counts: Counts) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Counts as whole numbers, ``data indices indptr`` of CSR; copied only where they are not."""
    matrix = sparse.csr_matrix(counts.X)
    data = matrix.data if matrix.data.dtype.kind in "iu" else matrix.data.astype(np.int64)
    return data, matrix.indices, matrix.indptr


def is_mitochondrial(counts: Counts) -> np.ndarray:
    """Which genes are of the mitochondrial genome, by symbol (``MT-...``). (n_genes,) bool."""
    symbols = counts.var["symbol"].tolist()  # a loop over a column of text takes ten times as long
    return np.array([str(name)[:3].upper() == "MT-" for name in symbols], dtype=bool)
