"""Counts of all cells of one type in one sample, summed: what a patient's cells express."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np
import pandas as pd
import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    from anndata import AnnData

# The level of cell types: fine enough for a type to be a type, coarse enough to have cells.
LEVEL = "cell_type_lineage"
# T is what is neither CD4 nor CD8 for sure, other is red cells and platelets: mixtures whose
# composition, not their expression, would be compared.
_NOT_A_TYPE = ("", "T", "other", "ambiguous", "unassigned")
_SAMPLE = ["sample_id", "patient_id", "tissue", "visit", "session_phase"]
_GROUP = [*_SAMPLE, "cell_type"]


class _Block(NamedTuple):
    """Sums over the cells of one library; `rows` are those of the result."""

    sums: sp.csr_matrix
    rows: np.ndarray
    symbols: pd.Series


def sum_pseudobulks(
    libraries: Iterable[tuple[str, AnnData]], cells: pd.DataFrame, *, level: str = LEVEL
) -> AnnData:
    """Raw counts summed over the cells of each type in each sample; no arm is known here.

    One library's matrix is held at a time. Libraries of one sample are pooled. The sums are exact
    and the same whatever the order of the libraries, of their cells and of their genes. Cells that
    pass QC and have gene expression count, unless they are ambiguous, unassigned, T cells of no
    known lineage, or other.

    Parameters
    ----------
    libraries
        ``(library_id, counts)`` of each; `counts` is cells x genes with ``var["symbol"]``.
    cells
        Release table ``cells``.
    level
        Column of the cell types.

    Returns
    -------
    AnnData with ``X`` (n_pseudobulks, n_genes) int64 CSR; genes that every library with such cells
    has, by id. ``obs``: ``sample_id patient_id tissue visit session_phase cell_type n_cells``, by
    sample and type, a row for each that has a cell; ``var``: ``symbol``.

    Raises
    ------
    ValueError
        When a library comes twice or not at all, or a cell barcode is not in its matrix.
    """
    typed = _select_cells(cells, level)
    obs = typed.groupby(_GROUP, sort=False, as_index=False).size()
    obs = obs.rename(columns={"size": "n_cells"})
    obs = obs.sort_values(["sample_id", "cell_type"], ignore_index=True)
    position = pd.MultiIndex.from_frame(obs[["sample_id", "cell_type"]])
    found = position.get_indexer(pd.MultiIndex.from_frame(typed[["sample_id", "cell_type"]]))
    of_library = dict(tuple(typed.assign(row=found).groupby("library_id")))
    blocks: dict[str, _Block | None] = {}
    for library_id, counts in libraries:
        if library_id in blocks:
            msg = f"library {library_id} comes twice"
            raise ValueError(msg)
        kept = of_library.get(library_id)
        blocks[library_id] = None if kept is None else _sum_library(library_id, counts, kept)
    if missing := sorted(set(of_library) - set(blocks)):
        msg = f"libraries with cells but without counts: {', '.join(missing)}"
        raise ValueError(msg)
    return _assemble({name: block for name, block in blocks.items() if block}, obs)


def _select_cells(cells: pd.DataFrame, level: str) -> pd.DataFrame:
    labels = cells[level].fillna("").astype(str)
    is_counted = cells["qc_pass"].astype(bool) & cells["total_counts"].notna()
    is_counted &= ~labels.isin(_NOT_A_TYPE)
    table = cells[["library_id", "cell_barcode", *_SAMPLE]].assign(cell_type=labels)
    return table[is_counted.to_numpy()].astype(object)


def _sum_library(library_id: str, counts: AnnData, kept: pd.DataFrame) -> _Block:
    cell = counts.obs_names.get_indexer(pd.Index(kept["cell_barcode"], dtype=object))
    if (cell < 0).any():
        msg = f"library {library_id}: {(cell < 0).sum()} cell barcodes are not in the matrix"
        raise ValueError(msg)
    rows, group = np.unique(kept["row"].to_numpy(dtype=np.int64), return_inverse=True)
    ones = np.ones(len(cell), dtype=np.int64)
    member = sp.csr_matrix((ones, (group, cell)), shape=(len(rows), counts.n_obs))
    sums = sp.csr_matrix(member @ sp.csr_matrix(counts.X), dtype=np.int64)
    symbols = pd.Series(counts.var["symbol"].astype(str).to_numpy(), counts.var_names.astype(str))
    return _Block(sums, rows, symbols)


def _assemble(blocks: Mapping[str, _Block], obs: pd.DataFrame) -> AnnData:
    from anndata import AnnData

    ordered = [blocks[name] for name in sorted(blocks)]
    symbols = _common_genes(ordered)
    if ordered:
        columns = [block.symbols.index.get_indexer(symbols.index) for block in ordered]
        stacked = sp.vstack([b.sums[:, c] for b, c in zip(ordered, columns, strict=True)])
        rows = np.concatenate([block.rows for block in ordered])
        ones = np.ones(len(rows), dtype=np.int64)
        member = sp.csr_matrix((ones, (rows, np.arange(len(rows)))), shape=(len(obs), len(rows)))
        x = sp.csr_matrix(member @ stacked.tocsr(), dtype=np.int64)
        x.sort_indices()
    else:
        obs, x = obs.iloc[:0], sp.csr_matrix((0, 0), dtype=np.int64)
    names = obs["sample_id"] + "|" + obs["cell_type"]
    obs = obs.astype(dict.fromkeys(_GROUP, object)).set_axis(pd.Index(names, dtype=object))
    var = pd.DataFrame({"symbol": symbols.astype(object)})
    var.index = pd.Index(symbols.index.astype(object), name="gene_id")
    return AnnData(X=x, obs=obs.astype({"n_cells": np.int64}), var=var)


def _common_genes(blocks: list[_Block]) -> pd.Series:
    """Symbol by gene id of the genes that all have, sorted; labels are the first library's."""
    if not blocks:
        return pd.Series(dtype="str")
    common = set(blocks[0].symbols.index).intersection(*(b.symbols.index for b in blocks[1:]))
    first = blocks[0].symbols
    return first[first.index.isin(common)].sort_index()
