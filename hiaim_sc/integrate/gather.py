"""The counts of the selected genes in all cells; whole matrices never come together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from hiaim_sc.storage import CountBlocks, StoredCounts, sum_rows

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from hiaim_sc.storage import Counts

    type Library = tuple[str, str, Counts | StoredCounts, Sequence[str]]

_OBS = {"library_id": "str", "cell_barcode": "str", "batch": "str", "total_counts": "int64"}


def gather_counts(libraries: Iterable[Library], genes: pd.DataFrame) -> CountBlocks:
    """Counts of the selected genes in the cells of all libraries that pass QC.

    Libraries are read one after the other when the blocks are asked for, so that no more than one
    is in memory. The result is the same whatever the order of the libraries, of their cells and of
    the genes.

    Parameters
    ----------
    libraries
        ``(library_id, batch, counts, kept cell barcodes)`` of each.
    genes
        ``gene_id symbol highly_variable in_panel`` of the genes wanted.

    Returns
    -------
    Blocks of (n_cells, n_genes) int32 CSR, one per library, cells by library and cell barcode,
    genes by id; ``obs``: ``library_id cell_barcode batch total_counts`` (over all genes of the
    library, not only these); ``var``: ``symbol highly_variable in_panel``. A gene that a library
    lacks counts 0 there. A kept cell barcode that is not in its matrix is a ``ValueError`` when
    its block is asked for.

    Raises
    ------
    ValueError
        When a library comes twice.
    """
    ordered = sorted(libraries, key=lambda library: library[0])
    names = [library[0] for library in ordered]
    twice = sorted({name for name in names if names.count(name) > 1})
    if twice:
        msg = f"library {', '.join(twice)} comes twice"
        raise ValueError(msg)
    var = genes.sort_values("gene_id").set_index("gene_id")
    obs = pd.DataFrame({name: pd.Series(dtype=dtype) for name, dtype in _OBS.items()})
    return CountBlocks(
        (_take_block(library, var.index) for library in ordered), var, obs.set_axis(_names(obs))
    )


def _take_block(library: Library, gene_ids: pd.Index) -> tuple[sp.csr_matrix, pd.DataFrame]:
    library_id, batch, given, kept = library
    counts = given.load() if isinstance(given, StoredCounts) else given
    rows = _rows_of(library_id, counts, kept)
    matrix = sp.csr_matrix(counts.X)
    total = sum_rows(matrix)[rows]
    found = {
        "library_id": library_id,
        "cell_barcode": counts.obs_names[rows],
        "batch": batch,
        "total_counts": total,
    }
    obs = pd.DataFrame(found).astype(_OBS)
    columns = gene_ids.get_indexer(counts.var_names)
    return take_columns(matrix, columns, len(gene_ids))[rows], obs.set_axis(_names(obs))


def _names(obs: pd.DataFrame) -> pd.Index:
    return pd.Index(obs["library_id"] + "_" + obs["cell_barcode"])


def _rows_of(library_id: str, counts: Counts, kept: Sequence[str]) -> np.ndarray:
    rows = counts.obs_names.get_indexer(pd.Index(sorted(kept), dtype=object))
    if (rows < 0).any():
        msg = f"library {library_id}: {(rows < 0).sum()} kept cell barcodes are not in the matrix"
        raise ValueError(msg)
    return rows


def take_columns(matrix: sp.csr_matrix, place: np.ndarray, n_columns: int) -> sp.csr_matrix:
    """The columns of a matrix that have a place in the result, (n_rows, n_columns) CSR, no zeros.

    Parameters
    ----------
    place
        (matrix columns,) column of the result, below 0 where it is not wanted.
    """
    column = place.astype(np.int32)[matrix.indices]
    wanted = np.flatnonzero((column >= 0) & (matrix.data != 0))
    found = sp.csr_matrix(
        (
            matrix.data[wanted].astype(np.int32, copy=False),
            column[wanted],
            np.searchsorted(wanted, matrix.indptr),
        ),
        shape=(matrix.shape[0], n_columns),
    )
    found.sort_indices()
    return found
