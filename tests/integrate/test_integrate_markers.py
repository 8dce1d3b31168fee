"""Markers of clusters: rank sums against scipy and scanpy, planted genes found."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from hiaim_sc.integrate import find_markers, markers
from hiaim_sc.integrate.markers import sum_ranks


def make_selected(n_cells=200, n_genes=30, seed=1):
    rng = np.random.default_rng(seed)
    cluster = rng.integers(3, size=n_cells)
    mean = np.full((n_cells, n_genes), 0.4)
    for k in range(3):
        mean[cluster == k, k * 5 : k * 5 + 5] = 3.0
    counts = rng.poisson(mean).astype(np.int32)
    names = [f"C{i:03d}" for i in range(n_cells)]
    genes = [f"E{i:03d}" for i in range(n_genes)]
    selected = anndata.AnnData(
        X=sp.csr_matrix(counts),
        obs=pd.DataFrame({"total_counts": counts.sum(axis=1) + 50}, index=names),
        var=pd.DataFrame({"symbol": [f"G{i}" for i in range(n_genes)]}, index=genes),
    )
    return selected, pd.Series(cluster.astype(str), index=names)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.integers(0, 4), min_size=4, max_size=40).filter(lambda v: len(set(v)) > 1),
    st.integers(0, 1000),
)
def test_the_statistic_is_scipys_with_ties(values, seed):
    codes = np.random.default_rng(seed).permutation(np.arange(len(values)) % 2)
    x = np.array(values, dtype=float)
    found = sum_ranks(sp.csc_matrix(x[:, None]), codes, 2).z[0]
    expected = stats.mannwhitneyu(
        x[codes == 0], x[codes == 1], method="asymptotic", use_continuity=False
    )
    p = 2 * stats.norm.sf(abs(found[0]))
    np.testing.assert_allclose(p, expected.pvalue, rtol=1e-9)
    np.testing.assert_allclose(found[0], -found[1], atol=1e-9)


@pytest.mark.parametrize("values", [[0, 0, 0, 0], [2, 2, 2, 2]])
def test_a_gene_that_is_the_same_everywhere_tells_nothing(values):
    found = sum_ranks(sp.csc_matrix(np.array(values, float)[:, None]), np.array([0, 1, 0, 1]), 2)
    assert (found.z == 0).all()


@pytest.mark.slow
def test_statistic_and_fold_change_are_scanpys():
    import scanpy as sc

    selected, leiden = make_selected()
    ours = find_markers(selected, leiden).set_index(["leiden", "gene_id"])
    theirs = selected.copy()
    total = selected.obs["total_counts"].to_numpy()
    theirs.X = sp.csr_matrix(sp.diags_array(1e4 / total) @ selected.X).log1p().astype(np.float32)
    theirs.obs["leiden"] = leiden.astype("category")
    sc.tl.rank_genes_groups(theirs, "leiden", method="wilcoxon", tie_correct=True, pts=True)
    for cluster in ("0", "1", "2"):
        table = sc.get.rank_genes_groups_df(theirs, cluster).set_index("names")
        own = ours.loc[cluster]
        table = table.loc[own.index]
        np.testing.assert_allclose(own["z"], table["scores"], rtol=1e-4)
        np.testing.assert_allclose(own["log2_fc"], table["logfoldchanges"], rtol=1e-3)
        np.testing.assert_allclose(own["pct_in"], 100 * table["pct_nz_group"], rtol=1e-6)
        np.testing.assert_allclose(own["pct_out"], 100 * table["pct_nz_reference"], rtol=1e-6)


def test_planted_genes_come_first_and_ranks_count_from_1():
    found = find_markers(*make_selected())
    for k in range(3):
        rows = found[found["leiden"] == str(k)]
        assert set(rows["symbol"].head(5)) == {f"G{i}" for i in range(k * 5, k * 5 + 5)}
        assert list(rows["rank"]) == list(range(1, len(rows) + 1))
        assert (rows["z"].diff().dropna() <= 0).all()
        assert (rows["z"] > 0).all()
        assert (rows["log2_fc"].head(5) > 0).all()


def test_how_many_genes_are_in_memory_does_not_matter(monkeypatch):
    selected, leiden = make_selected()
    whole = find_markers(selected, leiden)
    monkeypatch.setattr(markers, "_MAX_VALUES", 500)
    pd.testing.assert_frame_equal(find_markers(selected, leiden), whole)


@pytest.mark.parametrize("n_cells", [0, 1])
def test_one_cluster_or_none_has_no_markers(n_cells):
    selected, leiden = make_selected()
    found = find_markers(selected[:n_cells], leiden.iloc[:n_cells].map(lambda _: "0"))
    assert found.empty
    assert list(found) == [
        "leiden",
        "gene_id",
        "symbol",
        "rank",
        "z",
        "log2_fc",
        "pct_in",
        "pct_out",
    ]
