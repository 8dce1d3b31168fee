"""Nearest neighbours, exact and by lists, against brute force."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from hiaim_sc.integrate import neighbours
from hiaim_sc.integrate.neighbours import find_neighbours


def brute_force(points, k):
    """Others by distance, then by position."""
    distance = np.sqrt(((points[:, None, :] - points[None, :, :]) ** 2).sum(axis=2))
    np.fill_diagonal(distance, -1.0)
    order = np.argsort(distance, axis=1, kind="stable")[:, 1 : k + 1]
    return order, np.take_along_axis(distance, order, axis=1)


@settings(max_examples=40, deadline=None)
@given(
    hnp.arrays(np.float64, st.tuples(st.integers(1, 15), st.just(2)), elements=st.integers(-4, 4)),
    st.integers(1, 5),
)
def test_distances_are_those_of_brute_force_and_no_cell_is_its_own_neighbour(points, k):
    found = find_neighbours(points, k)
    k = min(k, len(points) - 1)
    assert found.indices.shape == found.distances.shape == (len(points), k)
    np.testing.assert_allclose(found.distances, brute_force(points, k)[1], atol=1e-6)
    assert (found.indices != np.arange(len(points))[:, None]).all()
    assert found.recall == 1.0


def test_equal_distances_are_ordered_by_position():
    points = np.array([[0.0, 0.0], [0.0, 1.0], [1.0, 0.0], [0.0, -1.0], [-1.0, 0.0]])
    np.testing.assert_array_equal(find_neighbours(points, 4).indices[0], [1, 2, 3, 4])


def test_small_distances_far_from_the_origin_are_not_lost():
    points = np.array([[1000.0, 1000.0], [1000.0, 1000.5], [1000.0, 1002.0]])
    found = find_neighbours(points, 2)
    np.testing.assert_allclose(found.distances[0], [0.5, 2.0])


def test_the_search_through_lists_measures_its_own_recall(monkeypatch):
    monkeypatch.setattr(neighbours, "_PER_LIST", 40)
    monkeypatch.setattr(neighbours, "_N_PROBE", 28)
    points = np.random.default_rng(1).normal(size=(3000, 10)).astype(np.float32)
    found = find_neighbours(points, 10, max_exact=1000)
    exact = find_neighbours(points, 10)
    shared = (found.indices[:, :, None] == exact.indices[:, None, :]).any(axis=2).mean()
    assert 0.85 < shared < 1.0
    assert abs(found.recall - shared) < 0.03
    assert found.recall < 1.0
    assert (np.diff(found.distances, axis=1) >= 0).all()


def test_the_search_through_lists_is_the_same_whatever_the_threads(monkeypatch):
    import faiss

    monkeypatch.setattr(neighbours, "_PER_LIST", 40)
    monkeypatch.setattr(neighbours, "_N_PROBE", 28)
    points = np.random.default_rng(2).normal(size=(2000, 8)).astype(np.float32)
    before = faiss.omp_get_max_threads()
    try:
        results = []
        for threads in (1, 2):
            faiss.omp_set_num_threads(threads)
            results.append(find_neighbours(points, 6, max_exact=500))
            assert faiss.omp_get_max_threads() == threads
    finally:
        faiss.omp_set_num_threads(before)
    assert results[0].indices.tobytes() == results[1].indices.tobytes()
    assert results[0].distances.tobytes() == results[1].distances.tobytes()


@pytest.mark.parametrize("per_list", [1, 3, 1000])
def test_lists_with_too_few_cells_leave_gaps_that_are_the_cell_itself(monkeypatch, per_list):
    monkeypatch.setattr(neighbours, "_PER_LIST", per_list)
    monkeypatch.setattr(neighbours, "_N_PROBE", 1)
    points = np.random.default_rng(3).normal(size=(60, 4)).astype(np.float32)
    found = find_neighbours(points, 5, max_exact=10)
    is_own = found.indices == np.arange(60)[:, None]
    assert (found.distances[is_own] == 0).all()
    exact = np.linalg.norm(points[found.indices] - points[:, None], axis=2)
    np.testing.assert_allclose(found.distances, exact, rtol=1e-5)
    assert is_own.any() == (per_list < 1000)
    assert (found.recall == 1.0) == (per_list == 1000)
