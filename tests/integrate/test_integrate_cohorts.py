"""The embedding of unusual cohorts: few cells, no variance, several batches, other threads."""

from __future__ import annotations

import os
import subprocess
import sys

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hiaim_sc.config import IntegrateOptions
from hiaim_sc.integrate import embed, pca
from hiaim_sc.integrate.embed import IntegrationError, correct_batches

OPTIONS = IntegrateOptions(n_pcs=6, n_neighbors=4, umap=False)


def make_selected(sizes, *, n_genes=40, seed=1):
    """Cells of two kinds in batches of the given sizes; each batch shifts ten genes."""
    rng = np.random.default_rng(seed)
    n_cells = sum(sizes)
    batch = np.repeat(np.arange(len(sizes)), sizes)
    mean = np.full((n_cells, n_genes), 1.0)
    kind = np.arange(n_cells) % 2
    mean[kind == 1, : n_genes // 4] = 6.0
    mean[batch == 1, n_genes // 4 : n_genes // 2] = 2.0
    counts = rng.poisson(mean).astype(np.int32)
    obs = pd.DataFrame(
        {
            "library_id": [f"L{b}" for b in batch],
            "cell_barcode": [f"C{i:04d}" for i in range(n_cells)],
            "batch": [f"run{b}" for b in batch],
            "total_counts": counts.sum(axis=1),
        },
        index=[f"L{b}_C{i:04d}" for i, b in enumerate(batch)],
    )
    genes = [f"E{i:03d}" for i in range(n_genes)]
    var = pd.DataFrame({"symbol": genes, "highly_variable": True, "in_panel": False}, index=genes)
    return anndata.AnnData(X=sp.csr_matrix(counts), obs=obs, var=var)


@pytest.mark.parametrize("sizes", [[6, 6], [13, 1], [9, 3], [30, 30], [20, 20, 20]])
def test_few_cells_in_several_batches_are_embedded(sizes):
    """Harmony's own number of clusters would be 0 below 15 cells."""
    found = embed(make_selected(sizes), OPTIONS, rng=np.random.default_rng(1))
    assert found.obsm["X_pca_harmony"].shape == (sum(sizes), 6)
    assert np.isfinite(found.obsm["X_pca_harmony"]).all()
    assert found.uns["neighbours"]["indices"].shape == (sum(sizes), 4)


@pytest.mark.parametrize(("n_genes", "n_pcs"), [(3, 3), (2, 2), (40, 11)])
def test_components_are_no_more_than_genes_and_cells_allow(n_genes, n_pcs):
    options = IntegrateOptions(n_pcs=50, n_neighbors=30, umap=False)
    found = embed(make_selected([12], n_genes=n_genes), options, rng=np.random.default_rng(1))
    assert found.obsm["X_pca"].shape == (12, n_pcs)
    assert found.uns["neighbours"]["indices"].shape == (12, 11)


def test_cells_that_are_all_alike_are_one_place():
    selected = make_selected([20])
    selected.X = sp.csr_matrix(np.ones(selected.shape, dtype=np.int32))
    selected.obs["total_counts"] = selected.n_vars
    found = embed(selected, OPTIONS, rng=np.random.default_rng(1))
    np.testing.assert_allclose(found.obsm["X_pca"], 0, atol=1e-5)
    assert found.obs["leiden"].notna().all()


def test_neighbours_of_the_embedding_are_those_of_the_integrated_coordinates():
    found = embed(make_selected([25, 25]), OPTIONS, rng=np.random.default_rng(1))
    points = found.obsm["X_pca_harmony"].astype(float)
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    np.testing.assert_array_equal(
        found.uns["neighbours"]["indices"], distance.argsort(axis=1, kind="stable")[:, :4]
    )
    assert found.uns["neighbours"]["recall"] == 1.0


def test_harmony_mixes_the_batches_and_leaves_the_kinds():
    selected = make_selected([600, 600])
    found = embed(selected, OPTIONS, rng=np.random.default_rng(1))
    batch = selected.obs["batch"].to_numpy()
    kind = np.tile([0, 1], 600)

    def distance_of_means(name, groups):
        points = found.obsm[name]
        values = pd.unique(pd.Series(groups))
        first, second = (points[groups == v].mean(axis=0) for v in values)
        return np.linalg.norm(first - second)

    assert distance_of_means("X_pca_harmony", batch) < 0.5 * distance_of_means("X_pca", batch)
    assert distance_of_means("X_pca_harmony", kind) > 0.95 * distance_of_means("X_pca", kind)


def test_without_harmony_several_batches_stay_as_they_are():
    options = OPTIONS.model_copy(update={"harmony": False})
    found = embed(make_selected([20, 20]), options, rng=np.random.default_rng(1))
    assert found.obsm["X_pca_harmony"].tobytes() == found.obsm["X_pca"].tobytes()


def test_values_that_are_not_finite_are_an_error(monkeypatch):
    import harmonypy

    class Broken:
        Z_corr = np.full((4, 2), np.nan)

    monkeypatch.setattr(harmonypy, "run_harmony", lambda *_, **__: Broken)
    batch = pd.Series(["a", "a", "b", "b"])
    with pytest.raises(IntegrationError, match="not finite"):
        correct_batches(np.zeros((4, 2), np.float32), batch, OPTIONS, 1)


def test_the_size_of_the_chunks_does_not_matter(monkeypatch):
    selected = make_selected([60])
    whole = pca.reduce_dimensions(selected, 4)
    monkeypatch.setattr(pca, "_CHUNK", 7)
    chunked = pca.reduce_dimensions(selected, 4)
    # products are float32: the order of the sums shows from the sixth digit on
    np.testing.assert_allclose(chunked.mean, whole.mean, rtol=1e-12)
    np.testing.assert_allclose(chunked.variance_ratio, whole.variance_ratio, rtol=1e-5)
    first = slice(None), slice(0, 1)
    np.testing.assert_allclose(chunked.coordinates[first], whole.coordinates[first], atol=1e-3)


def test_the_embedding_survives_a_file(tmp_path):
    found = embed(make_selected([15, 15]), OPTIONS, rng=np.random.default_rng(1))
    found.write_h5ad(tmp_path / "embedding.h5ad")
    read = anndata.read_h5ad(tmp_path / "embedding.h5ad")
    np.testing.assert_array_equal(
        read.uns["neighbours"]["indices"], found.uns["neighbours"]["indices"]
    )
    assert list(read.obs["leiden"]) == list(found.obs["leiden"])


_PROGRAM = """
import hashlib, pickle, sys
import numpy as np
from hiaim_sc.config import IntegrateOptions
from hiaim_sc.integrate import embed
selected = pickle.load(open(sys.argv[1], "rb"))
found = embed(selected, IntegrateOptions(n_pcs=10, umap=False), rng=np.random.default_rng(1))
digest = hashlib.sha256(found.obsm["X_pca"].tobytes() + found.obsm["X_pca_harmony"].tobytes())
digest.update("".join(found.obs["leiden"]).encode())
print(digest.hexdigest())
"""


@pytest.mark.slow
def test_a_process_with_other_threads_gives_the_same_bytes(tmp_path):
    import pickle

    path = tmp_path / "selected.pkl"
    path.write_bytes(pickle.dumps(make_selected([400, 400], n_genes=300)))
    digests = set()
    for threads in ("1", "4"):
        names = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
        environment = os.environ | dict.fromkeys(names, threads)
        done = subprocess.run(
            [sys.executable, "-c", _PROGRAM, str(path)],
            env=environment,
            check=True,
            capture_output=True,
            text=True,
        )
        digests.add(done.stdout.strip())
    assert len(digests) == 1
    assert len(digests.pop()) == 64
