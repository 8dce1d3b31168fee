"""Gathering counts: nothing gets in, or gets lost, unseen."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hiaim_sc.integrate import gather_counts, summarise_genes

GENES = pd.DataFrame(
    {
        "gene_id": ["E3", "E1"],
        "symbol": ["C", "A"],
        "highly_variable": [True, False],
        "in_panel": [False, True],
    }
)


def make_library(values, barcodes, genes):
    return anndata.AnnData(
        X=sp.csr_matrix(np.array(values, dtype=np.int32)),
        obs=pd.DataFrame(index=barcodes),
        var=pd.DataFrame({"symbol": np.array(genes, dtype=object)}, index=genes),
    )


FIRST = make_library([[1, 2, 3], [4, 5, 6]], ["AA-1", "CC-1"], ["E1", "E2", "E3"])
SECOND = make_library([[7, 8], [0, 9]], ["AA-1", "GG-1"], ["E2", "E1"])


def test_cells_come_by_library_and_barcode_and_an_absent_gene_counts_nothing():
    found = gather_counts(
        [("L2", "b", SECOND, ["GG-1", "AA-1"]), ("L1", "a", FIRST, ["CC-1", "AA-1"])], GENES
    ).to_anndata()
    assert list(found.obs_names) == ["L1_AA-1", "L1_CC-1", "L2_AA-1", "L2_GG-1"]
    assert list(found.var_names) == ["E1", "E3"]
    np.testing.assert_array_equal(found.X.toarray(), [[1, 3], [4, 6], [8, 0], [9, 0]])
    assert found.X.dtype == np.int32
    assert list(found.obs["total_counts"]) == [6, 15, 15, 9]
    assert list(found.obs["batch"]) == ["a", "a", "b", "b"]
    assert list(found.var["in_panel"]) == [True, False]


def test_no_zero_is_stored():
    found = gather_counts([("L2", "b", SECOND, ["AA-1", "GG-1"])], GENES).to_anndata()
    assert found.X.nnz == 2


def test_a_barcode_that_is_not_there_is_an_error_not_another_cell():
    with pytest.raises(ValueError, match="library L1: 1 kept cell barcodes are not in the matrix"):
        gather_counts([("L1", "a", FIRST, ["AA-1", "TT-1"])], GENES).to_anndata()
    with pytest.raises(ValueError, match="1 of 2 kept cell barcodes"):
        summarise_genes(FIRST, ["AA-1", "TT-1"])


def test_a_library_that_comes_twice_is_an_error():
    with pytest.raises(ValueError, match="L1 comes twice"):
        gather_counts([("L1", "a", FIRST, []), ("L1", "a", FIRST, [])], GENES)


def test_stored_zeros_are_no_expression_and_large_sums_are_exact():
    values = sp.csr_matrix((np.array([0, 2**30, 2**30], dtype=np.int32), [0, 1, 1], [0, 2, 3]))
    counts = anndata.AnnData(
        X=values,
        obs=pd.DataFrame(index=["AA-1", "CC-1"]),
        var=pd.DataFrame({"symbol": ["A", "B"]}, index=["E1", "E2"]),
    )
    table = summarise_genes(counts, ["CC-1", "AA-1"])
    assert list(table["n_cells_expressing"]) == [0, 2]
    assert table["sum"].iloc[1] == 2**31
    assert table["sum_of_squares"].iloc[1] == 2**61
