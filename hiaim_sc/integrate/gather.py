"""The counts of the selected genes in all cells; whole matrices never come together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anndata import AnnData

_OBS = ("library_id", "cell_barcode", "batch", "total_counts")


def gather_counts(
    libraries: Iterable[tuple[str, str, AnnData, Sequence[str]]], genes: pd.DataFrame
) -> AnnData:
    """Counts of the selected genes in the cells of all libraries that pass QC.

    One library is held at a time, so that memory grows with cells times selected genes. The result
    is the same whatever the order of the libraries, of their cells and of the genes.

    Parameters
    ----------
    libraries
        ``(library_id, batch, counts, kept cell barcodes)`` of each.
    genes
        ``gene_id symbol highly_variable in_panel`` of the genes wanted.

    Returns
    -------
    AnnData with ``X`` (n_cells, n_genes) int32 CSR, cells by library and cell barcode, genes by id;
    ``obs``: ``library_id cell_barcode batch total_counts`` (over all genes of the library, not only
    these); ``var``: ``symbol highly_variable in_panel``. A gene that a library lacks counts 0
    there.

    Raises
    ------
    ValueError
        When a library comes twice, or a kept cell barcode is not in its matrix.
    """
    from anndata import AnnData

    genes = genes.sort_values("gene_id", ignore_index=True)
    blocks: dict[str, tuple[sp.csr_matrix, pd.DataFrame]] = {}
    for library_id, batch, counts, kept in libraries:
        if library_id in blocks:
            msg = f"library {library_id} comes twice"
            raise ValueError(msg)
        rows = _rows_of(library_id, counts, kept)
        matrix = sp.csr_matrix(counts.X)[rows]
        obs = pd.DataFrame(
            {
                "library_id": library_id,
                "cell_barcode": counts.obs_names[rows].astype(object),
                "batch": batch,
                "total_counts": np.asarray(matrix.sum(axis=1, dtype=np.int64)).ravel(),
            }
        )
        blocks[library_id] = (_take_genes(matrix, counts, genes["gene_id"]), obs)
    x, obs = _stack([blocks[name] for name in sorted(blocks)], len(genes))
    var = genes.set_index("gene_id")
    var["symbol"] = var["symbol"].astype(object)
    var.index = var.index.astype(object)
    return AnnData(X=x, obs=obs, var=var)


def _rows_of(library_id: str, counts: AnnData, kept: Sequence[str]) -> np.ndarray:
    rows = counts.obs_names.get_indexer(pd.Index(sorted(kept), dtype=object))
    if (rows < 0).any():
        msg = f"library {library_id}: {(rows < 0).sum()} kept cell barcodes are not in the matrix"
        raise ValueError(msg)
    return rows


def _take_genes(matrix: sp.csr_matrix, counts: AnnData, gene_ids: pd.Series) -> sp.csr_matrix:
    columns = counts.var_names.get_indexer(pd.Index(gene_ids))
    present = columns >= 0
    place = sp.csr_matrix(
        (
            np.ones(present.sum(), dtype=np.int32),
            (columns[present], np.flatnonzero(present)),
        ),
        shape=(matrix.shape[1], len(gene_ids)),
    )
    block = sp.csr_matrix(matrix @ place, dtype=np.int32)
    block.sort_indices()
    return block


def _stack(
    blocks: Sequence[tuple[sp.csr_matrix, pd.DataFrame]], n_genes: int
) -> tuple[sp.csr_matrix, pd.DataFrame]:
    if blocks:
        x = sp.vstack([block for block, _ in blocks], format="csr")
        obs = pd.concat([obs for _, obs in blocks], ignore_index=True)
    else:
        x = sp.csr_matrix((0, n_genes), dtype=np.int32)
        obs = pd.DataFrame(columns=list(_OBS)).astype({"total_counts": np.int64})
    for name in ("library_id", "cell_barcode", "batch"):
        obs[name] = obs[name].astype(object)
    obs.index = pd.Index((obs["library_id"] + "_" + obs["cell_barcode"]).astype(object))
    return x, obs
