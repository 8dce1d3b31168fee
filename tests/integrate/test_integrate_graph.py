"""Weights, clusters and picture of the neighbour graph, against scanpy and igraph."""

from __future__ import annotations

import random

import anndata
import igraph
import numpy as np
import pytest
import scipy.sparse as sp
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.integrate.graph import cluster_graph, weigh_neighbours
from hiaim_sc.integrate.neighbours import Neighbours, find_neighbours

K = 7


def make_points(n_cells=150, n_dims=5, seed=1):
    rng = np.random.default_rng(seed)
    return (rng.normal(size=(n_cells, n_dims)) * rng.uniform(0.2, 3, (n_cells, 1))).astype("f4")


def make_clumps(sizes, seed=2):
    """Points of clumps far apart, in mixed order, and the clump of each."""
    rng = np.random.default_rng(seed)
    clump = rng.permutation(np.repeat(np.arange(len(sizes)), sizes))
    points = rng.normal(size=(len(clump), 3)) + 100.0 * clump[:, None]
    return points, clump


@pytest.mark.slow
def test_weights_are_scanpys_connectivities():
    import scanpy as sc

    points = make_points()
    ours = weigh_neighbours(find_neighbours(points, K))
    data = anndata.AnnData(obsm={"points": points})
    sc.pp.neighbors(data, n_neighbors=K + 1, use_rep="points", transformer="sklearn")
    theirs = data.obsp["connectivities"]
    np.testing.assert_allclose(ours.toarray(), theirs.toarray(), atol=1e-5)


def test_directed_weights_sum_to_log2_of_the_neighbours():
    """Of two cells far from all others but each other's nearest, one weight is 1."""
    points = np.array([[0.0], [1.0], [3.0]])
    weights = weigh_neighbours(find_neighbours(points, 2)).toarray()
    # cell 0: 1 + e = log2(3); cell 1 has the same nearest distance and the same excess ratio
    directed = np.log2(3) - 1
    assert weights[0, 1] == pytest.approx(1.0)
    assert weights[0, 2] == pytest.approx(directed + directed - directed**2, abs=1e-6)
    np.testing.assert_array_equal(weights, weights.T)
    np.testing.assert_array_equal(np.diag(weights), 0)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=25), st.integers(1, 6))
def test_weights_are_symmetric_and_between_0_and_1_even_for_identical_cells(values, k):
    points = np.array(values, dtype=float)[:, None]
    weights = weigh_neighbours(find_neighbours(points, k)).toarray()
    assert np.isfinite(weights).all()
    assert weights.min() >= 0
    assert weights.max() <= 1 + 1e-12
    np.testing.assert_allclose(weights, weights.T, atol=1e-12)
    np.testing.assert_array_equal(np.diag(weights), 0)


def test_a_single_cell_has_no_edges():
    assert weigh_neighbours(find_neighbours(np.zeros((1, 3)), 5)).nnz == 0


def test_clusters_are_the_clumps_the_largest_first():
    points, clump = make_clumps([20, 60, 40])
    found = cluster_graph(weigh_neighbours(find_neighbours(points, 10)), 0.1, seed=3)
    number_of = {0: "2", 1: "0", 2: "1"}
    assert list(found) == [number_of[c] for c in clump]


def test_clusters_of_one_size_are_numbered_by_their_first_cell():
    points, clump = make_clumps([30, 30, 30], seed=5)
    found = cluster_graph(weigh_neighbours(find_neighbours(points, 10)), 0.1, seed=3)
    order = list(dict.fromkeys(clump))
    assert list(found) == [str(order.index(c)) for c in clump]


def test_clusters_are_as_modular_as_igraphs_own_after_convergence():
    weights = weigh_neighbours(find_neighbours(make_points(400, 4), 10))
    edges = sp.triu(weights, k=1, format="coo")
    graph = igraph.Graph(n=400, edges=np.column_stack([edges.row, edges.col]))
    best = graph.community_leiden(
        objective_function="modularity", weights=edges.data, n_iterations=-1
    ).membership
    ours = cluster_graph(weights, 1.0, seed=0).astype(int)
    modularity = [graph.modularity(list(m), weights=edges.data) for m in (ours, best)]
    assert modularity[0] > modularity[1] - 0.01


def test_a_higher_resolution_gives_more_clusters():
    weights = weigh_neighbours(find_neighbours(make_points(300), 10))
    few, many = (len(set(cluster_graph(weights, r, seed=1))) for r in (0.3, 3.0))
    assert few < many


def test_clusters_leave_igraphs_own_random_numbers_alone():
    weights = weigh_neighbours(find_neighbours(make_points(60), 5))
    drawn = []
    for seed in (1, 2):
        random.seed(7)
        cluster_graph(weights, 1.0, seed=seed)
        drawn.append(igraph.Graph.Erdos_Renyi(n=20, p=0.3).get_edgelist())
    assert drawn[0] == drawn[1]


def test_a_neighbour_that_was_not_found_weighs_nothing():
    """A search through lists may return the cell itself in place of a missing neighbour."""
    found = Neighbours(
        np.array([[0, 1], [0, 2], [1, 0]], dtype=np.int32),
        np.array([[0.0, 1.0], [1.0, 2.0], [2.0, 3.0]], dtype=np.float32),
        0.9,
    )
    weights = weigh_neighbours(found).toarray()
    np.testing.assert_array_equal(np.diag(weights), 0)
    assert weights[0, 1] == pytest.approx(1.0)
