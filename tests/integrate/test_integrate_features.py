"""Gene statistics and highly variable genes, against scanpy."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hiaim_sc.config import IntegrateOptions
from hiaim_sc.integrate import select_features, summarise_genes

N_GENES = 300


def make_counts(seed, n_cells=200, n_genes=N_GENES, prefix="GENE"):
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(0, 1.2, n_genes)
    spread = rng.gamma(2.0, 0.5, (n_cells, n_genes))
    counts = sp.csr_matrix(rng.poisson(mean * spread).astype(np.int32))
    names = [f"{prefix}{i:04d}" for i in range(n_genes)]
    var = pd.DataFrame({"symbol": np.array(names, dtype=object)}, index=names)
    obs = pd.DataFrame(index=[f"C{seed}{i:05d}" for i in range(n_cells)])
    return anndata.AnnData(X=counts, obs=obs, var=var)


def test_statistics_are_those_of_the_kept_cells():
    counts = make_counts(1)
    kept = list(counts.obs_names[::3])
    table = summarise_genes(counts, kept)
    dense = counts[kept].X.toarray().astype(int)
    np.testing.assert_array_equal(table["sum"], dense.sum(axis=0))
    np.testing.assert_array_equal(table["sum_of_squares"], (dense**2).sum(axis=0))
    np.testing.assert_array_equal(table["n_cells_expressing"], (dense > 0).sum(axis=0))
    np.testing.assert_allclose(table["mean"], dense.mean(axis=0))


def test_standardised_variance_is_that_of_scanpy():
    import scanpy as sc

    counts = make_counts(2)
    ours = summarise_genes(counts, list(counts.obs_names)).set_index("gene_id")["variance_norm"]
    theirs = sc.pp.highly_variable_genes(counts, flavor="seurat_v3", n_top_genes=50, inplace=False)
    np.testing.assert_allclose(ours, theirs["variances_norm"], rtol=1e-6)


def test_chosen_genes_are_those_of_scanpy_over_batches():
    import scanpy as sc

    libraries = {f"L{i}": make_counts(i) for i in range(4)}
    stats = {name: summarise_genes(c, list(c.obs_names)) for name, c in libraries.items()}
    ours = select_features(stats, IntegrateOptions(n_top_genes=60))
    pooled = anndata.concat(libraries, label="library")
    theirs = sc.pp.highly_variable_genes(
        pooled, flavor="seurat_v3", n_top_genes=60, batch_key="library", inplace=False
    )
    chosen = set(ours.loc[ours["highly_variable"], "gene_id"])
    expected = set(theirs.index[theirs["highly_variable"]])
    assert len(chosen) == 60
    # genes with equal median rank are ordered by id here and by position there
    assert len(chosen & expected) >= 59


def test_the_order_of_libraries_does_not_matter():
    stats = {f"L{i}": summarise_genes(c := make_counts(i), list(c.obs_names)) for i in range(3)}
    options = IntegrateOptions(n_top_genes=40)
    forward = select_features(stats, options)
    backward = select_features(dict(reversed(stats.items())), options)
    pd.testing.assert_frame_equal(forward, backward)


@pytest.mark.parametrize(
    ("symbol", "excluded"),
    [
        ("HBB", "haemoglobin"),
        ("HBEGF", ""),
        ("FOS", "dissociation"),
        ("JUND", "dissociation"),
        ("HSPA1A", "dissociation"),
        ("TRAV1-2", "receptor"),
        ("TRBV20-1", "receptor"),
        ("TRBC2", "receptor"),
        ("TRGV9", "receptor"),
        ("TRDC", "receptor"),
        ("TRAC", "receptor"),
        ("IGHV3-23", "receptor"),
        ("IGKC", "receptor"),
        ("IGHG1", "receptor"),
        ("MT-CO1", "mitochondrial"),
        ("RPL13A", "ribosomal"),
        ("RPS4X", "ribosomal"),
        ("RPLP0", "ribosomal"),
        ("XIST", "sex"),
        ("DDX3Y", "sex"),
        ("TRAF1", ""),
        ("TRADD", ""),
        ("TRDN", ""),
        ("IGF1", ""),
        ("IGFBP3", ""),
        ("IGHMBP2", ""),
        ("RPS6KA1", ""),
        ("MTOR", ""),
        ("CD8A", ""),
    ],
)
def test_genes_that_say_nothing_of_the_cell_are_never_chosen(symbol, excluded):
    counts = make_counts(3)
    symbols = counts.var["symbol"].to_numpy(dtype=object).copy()
    stats = summarise_genes(counts, list(counts.obs_names))
    top = int(stats["variance_norm"].argmax())
    symbols[top] = symbol
    counts.var["symbol"] = symbols
    stats = summarise_genes(counts, list(counts.obs_names))
    row = select_features({"L": stats}, IntegrateOptions(n_top_genes=30)).iloc[top]
    assert row["excluded"] == excluded
    assert row["highly_variable"] == (excluded == "")


def test_only_genes_of_all_libraries_are_features():
    few = make_counts(1, n_genes=200)
    many = make_counts(2)
    stats = {"A": summarise_genes(few, list(few.obs_names))}
    stats["B"] = summarise_genes(many, list(many.obs_names))
    assert len(select_features(stats, IntegrateOptions())) == 200


@pytest.mark.parametrize("n_cells", [0, 1, 5, 12])
def test_small_libraries_have_sums_but_no_say(n_cells):
    counts = make_counts(4)
    small = summarise_genes(counts, list(counts.obs_names[:n_cells]))
    assert small["sum"].sum() == counts[:n_cells].X.sum()
    if n_cells < 10:
        assert small["variance_norm"].isna().all()
    whole = summarise_genes(counts, list(counts.obs_names))
    options = IntegrateOptions(n_top_genes=30)
    alone = select_features({"A": whole}, options)["highly_variable"]
    if n_cells < 10:
        beside = select_features({"A": whole, "B": small}, options)["highly_variable"]
        pd.testing.assert_series_equal(alone, beside)


def test_without_any_large_library_the_pooled_dispersion_decides():
    stats = {f"L{i}": summarise_genes(c := make_counts(i, 6), list(c.obs_names)) for i in range(5)}
    features = select_features(stats, IntegrateOptions(n_top_genes=20))
    assert features["highly_variable"].sum() == 20
    assert select_features({}, IntegrateOptions()).empty
