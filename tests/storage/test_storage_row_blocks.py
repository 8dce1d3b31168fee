"""Counts read by blocks of cells are the same wherever they lie."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hiaim_sc.storage import CellCounts, StoredCounts, read_genes, row_blocks
from hiaim_sc.storage.payloads import write_payload

COUNTS = np.random.default_rng(3).poisson(0.4, (11, 5)).astype(np.int32)
CELLS = pd.DataFrame(index=[f"C{i}" for i in range(11)])
GENES = pd.DataFrame({"symbol": list("ABCDE")}, index=[f"E{i}" for i in range(5)])


@pytest.fixture(params=["matrix", "AnnData", "CellCounts", "stored"])
def counts(request, tmp_path):
    matrix = sp.csr_matrix(COUNTS)
    found = CellCounts(matrix, CELLS, GENES)
    match request.param:
        case "matrix":
            return matrix
        case "AnnData":
            return found.to_anndata()
        case "CellCounts":
            return found
    return StoredCounts(write_payload(tmp_path, "counts", found))


@pytest.mark.parametrize("n_cells", [1, 4, 11, 100])
def test_blocks_are_all_cells_once_and_in_order(counts, n_cells):
    found = list(row_blocks(counts, n_cells))
    assert [i for rows, _ in found for i in range(rows.start, rows.stop)] == list(range(11))
    for rows, block in found:
        np.testing.assert_array_equal(block.toarray(), COUNTS[rows])


def test_genes_come_in_the_order_they_are_asked_for(counts):
    np.testing.assert_array_equal(read_genes(counts, [3, 0]).toarray(), COUNTS[:, [3, 0]])
    assert read_genes(counts, []).shape == (11, 0)


def test_no_cells_are_no_blocks_and_have_the_genes_all_the_same():
    none = anndata.AnnData(sp.csr_matrix((0, 5), dtype=np.int32))
    assert list(row_blocks(none)) == []
    assert read_genes(none, [1, 2]).shape == (0, 2)


def test_stored_counts_of_some_genes_are_those_columns(tmp_path):
    stored = StoredCounts(
        write_payload(tmp_path, "counts", CellCounts(sp.csr_matrix(COUNTS), CELLS, GENES))
    )
    some = stored.of_genes(np.array([True, False, True, True, False]))
    assert some.shape == (11, 3)
    assert list(some.var["symbol"]) == ["A", "C", "D"]
    np.testing.assert_array_equal(some.rows(2, 9).toarray(), COUNTS[2:9, [0, 2, 3]])
    fewer = some.of_genes(np.array([False, True, True]))
    assert list(fewer.var.index) == ["E2", "E3"]
    np.testing.assert_array_equal(fewer.load().X.toarray(), COUNTS[:, [2, 3]])
