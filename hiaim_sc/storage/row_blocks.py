"""Counts read some cells at a time, in memory or stored: a cohort's need not be there at once."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hiaim_sc.storage.counts import Counts
from hiaim_sc.storage.stored_counts import StoredCounts

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import scipy.sparse as sp

type ReadableCounts = Counts | StoredCounts
_CELLS = 4_000  # of a block


def row_reader(counts: ReadableCounts | sp.csr_matrix) -> Callable[[int, int], sp.csr_matrix]:
    """What reads the cells from one position to before another, CSR."""
    import scipy.sparse as sp

    if isinstance(counts, StoredCounts):
        return counts.rows
    x: Any = counts if sp.issparse(counts) else counts.X
    matrix = sp.csr_matrix(x)
    return lambda start, stop: matrix[start:stop]


def row_blocks(
    counts: ReadableCounts | sp.csr_matrix, n_cells: int = _CELLS
) -> Iterator[tuple[slice, sp.csr_matrix]]:
    """Positions and counts of so many cells at a time."""
    rows = row_reader(counts)
    for start in range(0, counts.shape[0], n_cells):
        stop = min(start + n_cells, counts.shape[0])
        yield slice(start, stop), rows(start, stop)


def read_genes(counts: ReadableCounts, columns: Sequence[int]) -> sp.csr_matrix:
    """Counts of the genes in these columns in all cells, (n_cells, len(columns))."""
    import scipy.sparse as sp

    chosen = list(columns)
    parts = [block[:, chosen] for _, block in row_blocks(counts)]
    none = sp.csr_matrix((0, len(chosen)), dtype=np.int32)
    return sp.csr_matrix(sp.vstack(parts or [none], format="csr"))
