"""The cohort's files for muon and CELLxGENE; expression is written some cells at a time."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
import scipy.sparse as sp

from hiaim_sc.storage import row_blocks

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import h5py
    from anndata import AnnData
    from mudata import MuData

    from hiaim_sc.storage import ReadableCounts

_TARGET_SUM: Final = 1e4
_CHUNK: Final = 1 << 17  # values that are compressed together
# https://anndata.readthedocs.io/en/stable/fileformat-prose.html
_CSR: Final = {"encoding-type": "csr_matrix", "encoding-version": "0.1.0"}


@dataclass(frozen=True)
class Expression:
    """Counts of the selected genes in the cells that pass, in memory or stored.

    Attributes
    ----------
    counts
        As delivered; ``obs["total_counts"]`` are the totals over all genes. ``obs_names`` =
        ``<library_id>_<cell_barcode>``.
    corrected
        The same cells and genes less ambient RNA; None where it is not taken off.
    """

    counts: ReadableCounts
    corrected: ReadableCounts | None = None

    @property
    def shown(self) -> ReadableCounts:
        """The counts that are normalised, as for the embedding."""
        return self.counts if self.corrected is None else self.corrected

    def normalised(self) -> Iterator[sp.csr_matrix]:
        """log1p of the shown counts per 10,000 of the cell, float32, some cells at a time."""
        totals = self.shown.obs["total_counts"].to_numpy(dtype=float)
        scale = np.divide(_TARGET_SUM, totals, out=np.zeros(len(totals)), where=totals > 0)
        for rows, block in row_blocks(self.shown):
            per_count = np.repeat(scale[rows], np.diff(block.indptr))
            values = np.log1p(block.data * per_count).astype(np.float32)
            yield sp.csr_matrix((values, block.indices, block.indptr), block.shape)

    def layers(self) -> dict[str, ReadableCounts]:
        """Counts by the name of their layer."""
        found = {"counts": self.counts}
        return found if self.corrected is None else found | {"counts_corrected": self.corrected}


def write_cohort(mdata: MuData, expression: Expression, path: Path) -> None:
    """Write the cohort as .h5mu, compressed; muon and scirpy read it with their `read_h5mu`.

    `gex.X` is log1p of counts per 10,000 (float32 CSR), `gex.layers["counts"]` the counts. With
    corrected counts `X` is made from those, as the embedding is, and they are
    `gex.layers["counts_corrected"]`.
    """
    import h5py

    mdata.write(str(path), compression="gzip")
    with h5py.File(path, "r+") as file:
        gex = file["mod/gex"]
        del gex["X"]
        _write_normalised(gex, expression)
        for name, counts in expression.layers().items():
            _write_counts(gex["layers"], name, counts, np.int32)


def write_cellxgene(
    cohort: Path, gex: AnnData, counts: ReadableCounts, path: Path, *, title: str = ""
) -> None:
    """Write gene expression as .h5ad in CELLxGENE's names.

    `donor_id` is patient_id, `suspension_type` is cell, `var["feature_name"]` the symbol; counts
    are in `raw.X`, normalised values in `X`, the picture in `obsm["X_umap"]`. Ontology terms are
    not filled in, so it opens in the explorer but is no submission.

    Parameters
    ----------
    cohort
        What `write_cohort` wrote; `X` is taken from there as it is compressed.
    gex
        Modality of that cohort.
    counts
        Of the same cells and genes.
    path
        The file to write.
    title
        Of the data set.
    """
    import anndata
    import h5py

    obs = pd.DataFrame(gex.obs).rename(columns={"patient_id": "donor_id"})
    obs = obs.assign(suspension_type="cell")
    var = pd.DataFrame(gex.var).rename(columns={"symbol": "feature_name"})
    found = anndata.AnnData(obs=obs, var=var, obsm=dict(gex.obsm))
    # its X is empty, and gives the file the form of one that has raw counts
    found.raw = anndata.AnnData(X=sp.csr_matrix(found.shape, dtype=np.float32), var=var)
    found.uns["title"] = title
    if "X_umap" in found.obsm:
        found.uns["default_embedding"] = "X_umap"
    found.write_h5ad(path, compression="gzip")
    with h5py.File(path, "r+") as file, h5py.File(cohort) as whole:
        for place in (file, file["raw"]):
            if "X" in place:
                del place["X"]
        whole.copy(whole["mod/gex/X"], file, "X")
        _write_counts(file["raw"], "X", counts, np.float32)


def _write_normalised(group: h5py.Group, expression: Expression) -> None:
    """Write the normalised expression as ``group["X"]``, float32."""
    _write(group, "X", expression.normalised(), expression.counts.shape[1], np.float32)


def _write_counts(
    group: h5py.Group, name: str, counts: ReadableCounts, dtype: type[np.number[Any]]
) -> None:
    """Write counts as ``group[name]``."""
    blocks = (block.astype(dtype) for _, block in row_blocks(counts))
    _write(group, name, blocks, counts.shape[1], dtype)


def _write(
    group: h5py.Group,
    name: str,
    blocks: Iterator[sp.csr_matrix],
    n_genes: int,
    dtype: type[np.number[Any]],
) -> None:
    found = group.create_group(name)
    data, indices = _create(found, "data", dtype), _create(found, "indices", np.int32)
    ends, end = [np.zeros(1, np.int64)], 0
    for block in blocks:
        for dataset, values in ((data, block.data), (indices, block.indices)):
            dataset.resize((end + block.nnz,))
            dataset[end:] = values
        ends.append(block.indptr[1:].astype(np.int64) + end)
        end += block.nnz
    indptr = np.concatenate(ends)
    found.create_dataset("indptr", data=indptr, compression="gzip")
    found.attrs.update(_CSR, shape=np.array([len(indptr) - 1, n_genes], dtype=np.int64))


def _create(group: h5py.Group, name: str, dtype: type[np.number[Any]]) -> h5py.Dataset:
    """An array that grows; sorted columns of genes are half as large with their bytes shuffled."""
    return group.create_dataset(
        name,
        shape=(0,),
        maxshape=(None,),
        dtype=dtype,
        chunks=(_CHUNK,),
        compression="gzip",
        shuffle=np.issubdtype(dtype, np.integer),
    )
