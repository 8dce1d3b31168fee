"""A few extreme counts: clipping in the variance and in the components, and exact ranks."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hiaim_sc.config import IntegrateOptions
from hiaim_sc.integrate import gather_counts, select_features, summarise_genes
from hiaim_sc.integrate.pca import reduce_dimensions

N_GENES = 250


def make_counts(seed, n_cells=220):
    """Counts with genes whose whole variance is one cell's, and a stored zero."""
    rng = np.random.default_rng(seed)
    mean = rng.lognormal(2.0, 0.8, N_GENES) * rng.gamma(2.0, 0.5, (n_cells, N_GENES))
    counts = rng.poisson(mean).astype(np.int32)
    counts[:, :20] = 0
    counts[rng.integers(0, n_cells, 20), np.arange(20)] = rng.choice(
        np.arange(200, 900), 20, replace=False
    )
    counts = sp.csr_matrix(counts)
    counts.data[0] = 0
    names = [f"GENE{i:04d}" for i in range(N_GENES)]
    return anndata.AnnData(
        X=counts,
        obs=pd.DataFrame(index=[f"C{i:04d}" for i in range(n_cells)]),
        # so many counts that no two genes have the same variance: scanpy orders ties at random
        var=pd.DataFrame({"symbol": np.array(names, dtype=object)}, index=names),
    )


def make_selected(seed):
    genes = pd.DataFrame({"gene_id": [f"GENE{i:04d}" for i in range(N_GENES)]})
    genes["symbol"] = genes["gene_id"]
    genes = genes.assign(highly_variable=True, in_panel=False)
    counts = make_counts(seed)
    return gather_counts([("L1", "run1", counts, list(counts.obs_names))], genes).to_anndata()


@pytest.mark.slow
def test_one_cell_does_not_make_a_gene_variable():
    import scanpy as sc

    counts = make_counts(1)
    ours = summarise_genes(counts, list(counts.obs_names))["variance_norm"].to_numpy()
    theirs = sc.pp.highly_variable_genes(counts, flavor="seurat_v3", n_top_genes=50, inplace=False)
    np.testing.assert_allclose(ours, theirs["variances_norm"], rtol=1e-6)
    unclipped = np.var(counts.X.toarray()[:, :20].astype(float), axis=0, ddof=1)
    assert (ours[:20] < unclipped / 100).all()


@pytest.mark.slow
@pytest.mark.parametrize("n_libraries", [2, 3, 5])
def test_ranks_over_libraries_are_those_of_scanpy(n_libraries):
    import scanpy as sc

    libraries = {f"L{i}": make_counts(i) for i in range(n_libraries)}
    stats = {name: summarise_genes(c, list(c.obs_names)) for name, c in libraries.items()}
    ours = select_features(stats, IntegrateOptions(n_top_genes=80)).set_index("gene_id")
    theirs = sc.pp.highly_variable_genes(
        anndata.concat(libraries, label="library", index_unique="_"),
        flavor="seurat_v3",
        n_top_genes=80,
        batch_key="library",
        inplace=False,
    )
    np.testing.assert_allclose(ours["rank"], theirs["highly_variable_rank"])
    np.testing.assert_array_equal(ours["n_libraries"], theirs["highly_variable_nbatches"])


def test_components_are_those_of_the_clipped_and_centred_matrix():
    counts = make_selected(3)
    ours = reduce_dimensions(counts, 3)
    total = counts.obs["total_counts"].to_numpy(dtype=float)
    dense = np.log1p(counts.X.toarray() / total[:, None] * 1e4)
    scaled = (dense - dense.mean(axis=0)) / dense.std(axis=0, ddof=1)
    clipped = np.clip(scaled, -10, 10)
    assert (scaled > 10).any()
    assert abs(clipped.mean(axis=0)).max() > 0.01
    centred = clipped - clipped.mean(axis=0)
    values = np.linalg.eigvalsh(centred.T @ centred / (len(centred) - 1))[::-1]
    np.testing.assert_allclose(ours.variance_ratio, values[:3] / values.sum(), rtol=1e-4)
    np.testing.assert_allclose(ours.coordinates, centred @ ours.loadings, atol=1e-3)
    np.testing.assert_allclose(ours.coordinates.mean(axis=0), 0, atol=1e-4)


def test_a_stored_zero_is_not_carried_along():
    selected = make_selected(4)
    assert (selected.X.data != 0).all()
