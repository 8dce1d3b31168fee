"""Clusters within one library: planted groups are told apart, whatever the order of cells."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from sklearn.metrics import adjusted_rand_score

from hiaim_sc.integrate import cluster_library

GROUPS = np.repeat([0, 1, 2], [120, 60, 40])


@pytest.fixture(scope="module")
def library():
    """Three groups of cells, each with 20 genes of its own among 200."""
    rng = np.random.default_rng(0)
    mean = np.full((3, 200), 0.5)
    for group in range(3):
        mean[group, 20 * group : 20 * (group + 1)] = 4.0
    names = [f"C{i:03d}-1" for i in rng.permutation(len(GROUPS))]
    genes = [f"E{i:03d}" for i in range(200)]
    var = pd.DataFrame({"symbol": genes}, index=genes)
    counts = rng.poisson(mean[GROUPS]).astype(np.int32)
    return AnnData(sp.csr_matrix(counts), obs=pd.DataFrame(index=names), var=var)


def test_planted_groups_are_told_apart(library):
    kept = list(library.obs_names[::2])
    found = cluster_library(library, kept, rng=np.random.default_rng(0))
    assert list(found.index) == sorted(kept)
    truth = pd.Series(GROUPS, index=library.obs_names)
    # a group may be parted further, no two are together
    assert truth[found.index].groupby(found.to_numpy()).nunique().eq(1).all()
    assert adjusted_rand_score(truth[found.index], found) > 0.5


def test_the_order_of_cells_changes_nothing(library):
    kept = list(library.obs_names)
    found = cluster_library(library, kept, rng=np.random.default_rng(0))
    order = np.random.default_rng(1).permutation(library.n_obs)
    again = cluster_library(library[order].copy(), kept[::-1], rng=np.random.default_rng(0))
    pd.testing.assert_series_equal(again, found)


def test_few_cells_are_one_cluster(library):
    found = cluster_library(library, list(library.obs_names[:9]), rng=np.random.default_rng(0))
    assert found.tolist() == ["0"] * 9
