"""Gathering, principal components, neighbours, clusters: the whole embedding."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from sklearn.decomposition import PCA
from sklearn.neighbors import NearestNeighbors
from threadpoolctl import threadpool_limits

from hiaim_sc.config import IntegrateOptions
from hiaim_sc.integrate import draw_cells, embed, gather_counts, limit_components
from hiaim_sc.integrate.embed import IntegrationError
from hiaim_sc.integrate.neighbours import find_neighbours
from hiaim_sc.integrate.pca import reduce_dimensions

N_GENES = 60
NAMES = [f"G{i:03d}" for i in range(N_GENES)]
OPTIONS = IntegrateOptions(n_pcs=8, n_neighbors=5, umap=False)


def make_library(seed, n_cells=50):
    """Cells of three kinds, each with genes of its own."""
    rng = np.random.default_rng(seed)
    mean = np.full((n_cells, N_GENES), 0.5)
    for k in range(3):
        mean[np.arange(n_cells) % 3 == k, k * 20 : k * 20 + 15] = 6.0
    return anndata.AnnData(
        X=sp.csr_matrix(rng.poisson(mean).astype(np.int32)),
        obs=pd.DataFrame(index=[f"L{seed}C{i:05d}-1" for i in range(n_cells)]),
        var=pd.DataFrame({"symbol": np.array(NAMES, dtype=object)}, index=NAMES),
    )


def genes_of(names):
    variable = [i < 50 for i in range(len(names))]
    return pd.DataFrame(
        {"gene_id": names, "symbol": names, "highly_variable": variable, "in_panel": True}
    )


def libraries_of(sizes, batches=("run1", "run2")):
    return [
        (f"L{i}", batches[i % len(batches)], c := make_library(i, n), list(c.obs_names))
        for i, n in enumerate(sizes)
    ]


def gather(sizes, batches=("run1", "run2")):
    return gather_counts(libraries_of(sizes, batches), genes_of(NAMES)).to_anndata()


def test_gathered_counts_are_those_of_the_libraries_in_canonical_order():
    first, second = make_library(1), make_library(2)
    kept = list(first.obs_names[10:20])
    wanted = genes_of(["G005", "G002", "G030"])
    found = gather_counts(
        [("B", "run1", second, []), ("A", "run2", first, kept)], wanted
    ).to_anndata()
    assert list(found.var_names) == ["G002", "G005", "G030"]
    assert list(found.obs["cell_barcode"]) == kept
    expected = first[kept, ["G002", "G005", "G030"]].X.toarray()
    np.testing.assert_array_equal(found.X.toarray(), expected)
    np.testing.assert_array_equal(
        found.obs["total_counts"], np.asarray(first[kept].X.sum(axis=1)).ravel()
    )


def test_components_are_those_of_the_scaled_matrix():
    counts = gather([80, 90])
    ours = reduce_dimensions(counts, 5)
    assert list(ours.genes) == NAMES[:50]
    counts = counts[:, counts.var["highly_variable"].to_numpy()]
    total = counts.obs["total_counts"].to_numpy(dtype=float)
    dense = np.log1p(counts.X.toarray() / total[:, None] * 1e4)
    scaled = np.clip((dense - dense.mean(axis=0)) / dense.std(axis=0, ddof=1), -10, 10)
    theirs = PCA(5, svd_solver="full").fit(scaled)
    cosine = np.abs((ours.loadings * theirs.components_.T).sum(axis=0))
    # two components separate three kinds; what follows is noise with close eigenvalues
    assert (cosine[:2] > 0.9999).all()
    np.testing.assert_allclose(ours.variance_ratio, theirs.explained_variance_ratio_, rtol=1e-4)
    assert (ours.loadings[np.abs(ours.loadings).argmax(axis=0), range(5)] > 0).all()


def test_neighbours_are_the_exact_ones():
    points = np.random.default_rng(5).normal(size=(120, 6)).astype(np.float32)
    found = find_neighbours(points, 4)
    distances, indices = NearestNeighbors(n_neighbors=5).fit(points).kneighbors(points)
    ours = np.asarray(found.indices)
    start = 1 if (ours[:, 0] == np.arange(120)).all() else 0
    np.testing.assert_array_equal(ours[:, start : start + 4], indices[:, 1:])
    np.testing.assert_allclose(
        np.asarray(found.distances)[:, start : start + 4], distances[:, 1:], atol=1e-3
    )


def test_kinds_come_apart_and_batches_do_not():
    found = embed(gather([60, 60, 60, 60]), OPTIONS, rng=np.random.default_rng(1))
    kind = np.concatenate([np.arange(60) % 3] * 4)
    votes = pd.crosstab(found.obs["leiden"].to_numpy(), kind)
    assert (votes.max(axis=1) / votes.sum(axis=1)).min() > 0.95
    assert found.obsm["X_pca_harmony"].shape == (240, 8)
    assert not np.array_equal(found.obsm["X_pca_harmony"], found.obsm["X_pca"])


def test_one_batch_is_not_integrated():
    found = embed(gather([60], batches=["run1"]), OPTIONS, rng=np.random.default_rng(1))
    np.testing.assert_array_equal(found.obsm["X_pca_harmony"], found.obsm["X_pca"])


def test_neither_the_order_of_libraries_nor_threads_change_a_byte():
    results = []
    for threads, step in ((1, 1), (2, -1)):
        counts = gather_counts(libraries_of([50, 40, 45])[::step], genes_of(NAMES)).to_anndata()
        with threadpool_limits(limits=threads):
            results.append(embed(counts, OPTIONS, rng=np.random.default_rng(3)))
    first, second = results
    for name in ("X_pca", "X_pca_harmony"):
        assert first.obsm[name].tobytes() == second.obsm[name].tobytes()
    assert list(first.obs["leiden"]) == list(second.obs["leiden"])


@pytest.mark.parametrize("sizes", [[], [0], [1], [5], [3, 4], [12, 0], [25, 15]])
def test_tiny_cohorts_have_an_embedding_of_the_right_shape(sizes):
    counts = gather(sizes)
    found = embed(counts, OPTIONS, rng=np.random.default_rng(1))
    assert list(found.obs_names) == list(counts.obs_names)
    assert found.obsm["X_pca_harmony"].shape[0] == sum(sizes)
    assert found.obs["leiden"].notna().all()


def test_a_transposed_result_of_harmony_is_an_error(monkeypatch):
    import harmonypy

    class Transposed:
        Z_corr = np.zeros((8, 100))

    monkeypatch.setattr(harmonypy, "run_harmony", lambda *_, **__: Transposed)
    with pytest.raises(IntegrationError, match=r"returned \(8, 100\), expected \(100, 8\)"):
        embed(gather([50, 50]), OPTIONS, rng=np.random.default_rng(1))


@pytest.mark.slow
def test_the_picture_is_the_same_twice():
    embedded = embed(gather([40, 40]), OPTIONS, rng=np.random.default_rng(4))
    first, second = (
        draw_cells(embedded, rng=np.random.default_rng(5)).to_numpy() for _ in range(2)
    )
    assert first.shape == (80, 2)
    assert first.tobytes() == second.tobytes()
    assert np.ptp(first) > 1


@pytest.mark.parametrize(("n_cells", "n_pcs"), [(0, 2), (45, 4), (299, 29), (5000, 30)])
def test_few_cells_have_few_components(n_cells, n_pcs):
    options = limit_components(IntegrateOptions(umap=False), n_cells)
    assert options == IntegrateOptions(umap=False, n_pcs=n_pcs)
