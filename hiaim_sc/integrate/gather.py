"""The counts of the selected genes in all cells; whole matrices never come together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from anndata import AnnData


def gather_counts(
    libraries: Iterable[tuple[str, str, AnnData, Sequence[str]]], genes: pd.DataFrame
) -> AnnData:
    """Counts of the selected genes in the cells of all libraries that pass QC.

    One library is held at a time, so that memory grows with cells times selected genes.

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
    these); ``var``: ``symbol highly_variable in_panel``.
    """
    from anndata import AnnData

    genes = genes.sort_values("gene_id", ignore_index=True)
    blocks: dict[str, tuple[sp.csr_matrix, pd.DataFrame]] = {}
    for library_id, batch, counts, kept in libraries:
        rows = np.sort(counts.obs_names.get_indexer(pd.Index(kept)))
        columns = counts.var_names.get_indexer(pd.Index(genes["gene_id"]))
        matrix = sp.csr_matrix(counts.X)[rows]
        obs = pd.DataFrame(
            {
                "library_id": library_id,
                "cell_barcode": counts.obs_names[rows].astype(object),
                "batch": batch,
                "total_counts": np.asarray(matrix.sum(axis=1, dtype=np.int64)).ravel(),
            }
        )
        block = matrix[:, np.maximum(columns, 0)]
        if (columns < 0).any():  # a panel gene that this library does not have counts nothing
            block = block @ sp.diags_array((columns >= 0).astype(np.int32))
        blocks[library_id] = (sp.csr_matrix(block, dtype=np.int32), obs)
    ordered = [blocks[name] for name in sorted(blocks)]
    if ordered:
        x = sp.vstack([block for block, _ in ordered], format="csr")
        obs = pd.concat([obs for _, obs in ordered], ignore_index=True)
    else:
        x = sp.csr_matrix((0, len(genes)), dtype=np.int32)
        obs = pd.DataFrame(columns=["library_id", "cell_barcode", "batch", "total_counts"])
    for name in ("library_id", "cell_barcode", "batch"):
        obs[name] = obs[name].astype(object)
    obs.index = pd.Index((obs["library_id"] + "_" + obs["cell_barcode"]).astype(object))
    var = genes.set_index("gene_id")
    var["symbol"] = var["symbol"].astype(object)
    var.index = var.index.astype(object)
    return AnnData(X=x, obs=obs, var=var)
