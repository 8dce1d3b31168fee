"""What the empty droplets of an unfiltered matrix hold: the profile of the ambient RNA."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest.feature_matrix import GENE_EXPRESSION
from hiaim_sc.ingest.matrices import read_blocks
from hiaim_sc.ingest.tags import take_type

if TYPE_CHECKING:
    from pathlib import Path

    from hiaim_sc.config import IngestOptions
    from hiaim_sc.ingest.feature_matrix import FeatureMatrix

_BLOCK = 100_000  # cell barcodes in memory at a time
_MIN_SHARE_FOUND = 0.9  # of the filtered cells, which a library's own unfiltered matrix holds


@dataclass(frozen=True)
class EmptyDroplets:
    """Counts of a library's empty droplets.

    Attributes
    ----------
    table
        ``gene_id n_counts``, a row per gene of the filtered matrix.
    n_droplets
        How many there are.
    """

    table: pd.DataFrame
    n_droplets: int


def sum_empty_droplets(path: Path, genes: FeatureMatrix, options: IngestOptions) -> EmptyDroplets:
    """Sum of the droplets of at most `max_counts_empty` counts that are no cell barcode of `genes`.

    Parameters
    ----------
    path
        The library's unfiltered matrix, of any kind that `read_matrix` reads. Blocks of it are in
        memory where it is a ``.h5``.
    genes
        The library's filtered genes.
    options
        Genome, and the most counts of an empty droplet.

    Raises
    ------
    LibraryFaultError
        When the file is no raw counts, lacks genes of the filtered matrix, or lacks more than a
        tenth of its cell barcodes.
    """
    cells = pd.Index(genes.cell_barcodes)
    total = np.zeros(len(genes.feature_ids), dtype=np.int64)
    n_droplets = n_found = 0
    for block in read_blocks(path, options.genome, _BLOCK):
        taken = take_type(block, GENE_EXPRESSION)
        columns = pd.Index(taken.feature_ids).get_indexer(pd.Index(genes.feature_ids))
        _refuse_absent_genes(genes, columns, path.name)
        n_counts = np.asarray(taken.counts.sum(axis=1)).ravel()
        is_cell = pd.Index(taken.cell_barcodes).isin(cells)
        is_empty = (n_counts > 0) & (n_counts <= options.max_counts_empty) & ~is_cell
        summed = np.asarray(taken.counts[is_empty].sum(axis=0)).ravel()
        total += summed[columns].astype(np.int64)
        n_droplets += int(is_empty.sum())
        n_found += int(is_cell.sum())
    if n_found < _MIN_SHARE_FOUND * len(cells):
        reason = (
            f"{path.name} holds {n_found:,} of the {len(cells):,} cell barcodes of {genes.source}:"
            " are both files of the same library?"
        )
        raise LibraryFaultError(reason)
    table = pd.DataFrame({"gene_id": genes.feature_ids.astype(str), "n_counts": total})
    return EmptyDroplets(table, n_droplets)


def _refuse_absent_genes(genes: FeatureMatrix, columns: np.ndarray, source: str) -> None:
    absent = genes.feature_ids[columns < 0]
    if len(absent):
        reason = (
            f"{source} lacks {len(absent):,} of the {len(genes.feature_ids):,} genes of"
            f" {genes.source}, such as {absent[0]}: both must be of one annotation"
        )
        raise LibraryFaultError(reason)
