"""Kinds of cells from markers, place and clone together."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import multivariate_normal

from hiaim_sc.annotate import mixture
from hiaim_sc.annotate.mixture import KindEvidence, fit_kinds, locate_kinds, softmax

N = 300
LINEAGE = np.array(["a", "b"], dtype=object)


def fit(pooled, own, points, *, clone=None, together=(-1, -1), allowed=0.0):
    evidence = KindEvidence(pooled, own, np.full(pooled.shape, allowed))
    clone = np.full(len(pooled), -1) if clone is None else clone
    return fit_kinds(evidence, points, LINEAGE, np.array(together), clone)


def two_places(seed=0, apart=4.0):
    rng = np.random.default_rng(seed)
    truth = np.repeat([0, 1], N // 2)
    return truth, rng.normal(size=(N, 3)) + apart * truth[:, None]


def test_cells_without_markers_are_told_by_where_they_lie():
    truth, points = two_places()
    evidence = np.where(np.arange(2) == truth[:, None], 4.0, -4.0)
    evidence[::3] = 0.0  # a third shows nothing
    weight = fit(evidence, evidence, points)
    assert (weight.argmax(axis=1) == truth).all()


def test_place_does_not_make_a_kind_of_which_no_cell_has_markers():
    _, points = two_places()
    evidence = np.tile([4.0, -4.0], (N, 1))
    assert (fit(evidence, evidence, points)[:, 0] > 0.9).all()


def test_a_cell_follows_its_clone_only_in_what_a_clone_shares():
    rng = np.random.default_rng(1)
    points = rng.normal(size=(N, 3))
    evidence = np.where(np.arange(2) == (np.arange(N) % 2)[:, None], 3.0, -3.0)
    evidence[0] = [0.0, 0.3]  # leans to the second kind, its clone is of the first
    clone = np.full(N, -1)
    clone[[0, 2, 4, 6]] = 5
    apart = fit(evidence, evidence, points, clone=clone)
    shared = fit(evidence, evidence, points, clone=clone, together=(0, 1))
    assert apart[0, 0] < 0.5 < shared[0, 0]
    np.testing.assert_allclose(apart[1], shared[1], atol=0.02)


def test_what_is_forbidden_is_not_chosen():
    truth, points = two_places()
    evidence = np.where(np.arange(2) == truth[:, None], 4.0, -4.0)
    allowed = np.zeros((N, 2))
    allowed[0, 0] = -50.0
    found = KindEvidence(evidence, evidence, allowed)
    weight = fit_kinds(found, points, LINEAGE, np.array([-1, -1]), np.full(N, -1))
    assert weight[0].argmax() == 1
    assert weight[1].argmax() == 0


def test_places_are_those_of_gaussians_with_one_covariance(monkeypatch):
    monkeypatch.setattr(mixture, "_MEAN_CELLS", 0.0)
    monkeypatch.setattr(mixture, "_COVARIANCE_CELLS", 0.0)
    monkeypatch.setattr(mixture, "_RIDGE", 0.0)
    truth, points = two_places()
    weight = np.eye(2)[truth]
    found = locate_kinds(weight, points, LINEAGE)
    means = [points[truth == kind].mean(axis=0) for kind in (0, 1)]
    centred = points - np.array(means)[truth]
    covariance = centred.T @ centred / N
    expected = np.column_stack(
        [multivariate_normal(mean, covariance).logpdf(points) for mean in means]
    )
    np.testing.assert_allclose(
        found[:, 0] - found[:, 1], expected[:, 0] - expected[:, 1], rtol=1e-6, atol=1e-6
    )


def test_a_kind_of_few_cells_lies_where_its_lineage_lies():
    truth, points = two_places(apart=10.0)
    weight = np.zeros((N, 3))
    weight[np.arange(N), truth] = 1.0  # the third kind has no cell
    found = locate_kinds(weight, points, np.array(["a", "b", "b"], dtype=object))
    second = truth == 1
    assert (found[second, 2] > found[second, 0]).all()
    assert (found[~second, 2] < found[~second, 0]).all()


def test_few_cells_use_few_dimensions():
    rng = np.random.default_rng(0)
    points = np.column_stack([rng.normal(size=(40, 2)), np.repeat([0.0, 50.0], 20)])
    weight = np.eye(2)[np.repeat([0, 1], 20)]
    found = locate_kinds(weight, points, LINEAGE)  # two dimensions for forty cells
    assert np.abs(found[:, 0] - found[:, 1]).max() < 5


@pytest.mark.parametrize("n_cells", [0, 1, 2])
def test_hardly_any_cells(n_cells):
    evidence = np.tile([2.0, -2.0], (n_cells, 1))
    weight = fit(evidence, evidence, np.zeros((n_cells, 2)))
    assert weight.shape == (n_cells, 2)
    assert (weight[:, 0] > 0.5).all()


def test_softmax_of_large_numbers():
    np.testing.assert_allclose(softmax(np.array([[1e4, 1e4 - np.log(3)]])), [[0.75, 0.25]])
