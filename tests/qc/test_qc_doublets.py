"""Doublets: planted ones are found, better than by scrublet; evidence as by hand."""

from __future__ import annotations

import numpy as np
import pytest
import scanpy as sc
from scipy import sparse
from scipy.stats import poisson
from sklearn.metrics import average_precision_score
from sklearn.neighbors import NearestNeighbors

from hiaim_sc.config import QcOptions
from hiaim_sc.qc import assess_cells, doublets
from hiaim_sc.qc.doublets import FEATURES, _fit_logistic
from hiaim_sc.qc.evidence import (
    COMPARTMENT_MARKERS,
    MULTICHAIN,
    LineageModel,
    ReceptorCounts,
    Signs,
    count_markers,
    count_receptors,
)
from hiaim_sc.qc.neighbours import NeighbourScores, _count_neighbours, score_neighbours

OPTIONS = QcOptions()
T, MYELOID = (list(COMPARTMENT_MARKERS).index(name) for name in ("T or NK", "myeloid"))


def receptor_counts(n_vj, n_vdj):
    return ReceptorCounts(np.array(n_vj), np.array(n_vdj), np.zeros(len(n_vj), dtype=bool))


def assess(library, *, options=OPTIONS, receptors=True, seed=0):
    table = library.receptors if receptors else None
    return assess_cells(library.counts, table, options, rng=np.random.default_rng(seed))


@pytest.fixture(scope="module")
def precisions(planted_libraries):
    """Average precision of our score, of our neighbours alone, and of scanpy's scrublet."""
    rows = []
    for library in planted_libraries:
        table = assess(library).table
        scrublet = library.counts.copy()
        sc.pp.scrublet(scrublet, use_approx_neighbors=False, verbose=False)
        scores = (table["doublet_score"], table["scrublet_score"], scrublet.obs["doublet_score"])
        rows.append([average_precision_score(library.is_doublet, score) for score in scores])
    return np.array(rows)


def test_score_beats_scrublet(precisions):
    assert (precisions[:, 0] > precisions[:, 2]).sum() >= 8


def test_neighbours_are_as_good_as_scrublet(precisions):
    assert precisions[:, 1].mean() >= precisions[:, 2].mean() - 0.05


def test_calls_find_mixed_doublets_and_spare_single_cells(planted_libraries):
    called = [
        assess(library).table["predicted_doublet"].to_numpy() for library in planted_libraries
    ]
    pairs = list(zip(called, planted_libraries, strict=True))
    recall = np.concatenate([call[library.is_mixed] for call, library in pairs]).mean()
    false = np.concatenate([call[~library.is_doublet] for call, library in pairs]).mean()
    assert recall >= 0.6
    assert false <= 0.01


def test_what_spoke_most_for_a_doublet_is_named(planted_libraries):
    tables = [assess(library).table for library in planted_libraries]
    called = [table[table["predicted_doublet"]] for table in tables]
    assert set().union(*(table["doublet_evidence"] for table in called)) <= set(FEATURES)
    by_receptor = [
        assess(library, receptors=False).table["doublet_evidence"] for library in planted_libraries
    ]
    assert not any((evidence == "receptor").any() for evidence in by_receptor)
    full = [table[table["receptor_evidence"] >= MULTICHAIN] for table in tables]
    assert all((table["doublet_evidence"] != "").all() for table in full)
    spoken = np.concatenate([table["doublet_evidence"] for table in called])
    assert (spoken == "lineage").sum() + (spoken == "receptor").sum() > 0


def test_without_receptors_scores_still_find_doublets(planted_libraries):
    library = planted_libraries[0]
    table = assess(library, receptors=False).table
    assert (table["receptor_evidence"] == 0).all()
    assert average_precision_score(library.is_doublet, table["doublet_score"]) > 0.5


def test_scores_depend_on_the_seed_alone(planted_libraries):
    first, again, other = (
        assess(planted_libraries[0], seed=seed).table["doublet_score"] for seed in (1, 1, 2)
    )
    assert first.tolist() == again.tolist()
    assert first.tolist() != other.tolist()


def test_neighbour_counts_equal_a_tree_search():
    rng = np.random.default_rng(5)
    points = rng.normal(size=(150, 4)).astype(np.float32)
    is_simulated = rng.random(150) < 0.6
    tree = NearestNeighbors(n_neighbors=8).fit(points)
    nearest = tree.kneighbors(return_distance=False)
    expected = is_simulated[nearest].sum(axis=1)
    assert _count_neighbours(points, is_simulated, 8, 150).tolist() == expected.tolist()
    assert _count_neighbours(points, is_simulated, 8, 40).tolist() == expected[:40].tolist()


@pytest.mark.parametrize(("share", "ratio", "rate"), [(0.5, 2.0, 0.1), (0.9, 2.0, 0.05)])
def test_scrublet_score_is_bayes_rule(share, ratio, rate):
    """Densities of simulated and observed cells at a point give the share of doublets there."""
    density_ratio = share / (1 - share) / ratio  # doublets over all observed cells
    expected = rate * density_ratio / (rate * density_ratio + (1 - rate) * 1.0)
    q = np.array([share])
    found = NeighbourScores(q, q, ratio).scrublet_score(rate)
    # Wolock et al. count doublets among simulated and observed cells alike
    published = q * rate / ratio / (1 - rate - q * (1 - rate - rate / ratio))
    np.testing.assert_allclose(found, published)
    assert found[0] == pytest.approx(expected)


def test_simulated_doublets_of_one_type_look_like_that_type():
    counts = sparse.csr_matrix(np.random.default_rng(0).poisson(3.0, (120, 40)).astype(np.int32))
    parents = np.random.default_rng(1).integers(120, size=(240, 2))
    scores = score_neighbours(counts, parents, np.ones(120, dtype=bool))
    assert scores.observed.shape == (120,)
    assert scores.simulated.shape == (240,)
    assert ((scores.observed > 0) & (scores.observed < 1)).all()


def test_weights_equal_a_plain_logistic_regression():
    """Ridge is weak: with much data the fit is the log density ratio of two normals."""
    rng = np.random.default_rng(8)
    observed, simulated = rng.normal(0, 1, (4000, 1)), rng.normal(1, 1, (8000, 1))
    fitted = _fit_logistic(observed, simulated, np.ones(4000))
    np.testing.assert_allclose(fitted, [-0.5, 1.0], atol=0.06)
    turned = _fit_logistic(simulated, observed, np.ones(8000))
    assert turned[1] == 0


@pytest.mark.parametrize(
    ("n_vj", "n_vdj", "evidence"),
    [(0, 0, 0), (1, 1, 0), (1, 0, 0), (2, 1, 0.1), (1, 2, 0.5), (2, 2, 0.9), (3, 1, 1), (0, 3, 1)],
)
def test_receptor_evidence(make_receptors, n_vj, n_vdj, evidence):
    receptors = make_receptors(["b", "a"], [n_vj, 1], [n_vdj, 1])
    counts = count_receptors(receptors, np.array(["a", "b", "none"]))
    assert counts.evidence().tolist() == [0, evidence, 0]


def test_receptors_of_two_kinds_are_doublets(make_receptors):
    receptors = make_receptors(["a"], [1], [1], receptor_type="ambiguous")
    assert count_receptors(receptors, np.array(["a"])).evidence().tolist() == [1]


def test_lineage_evidence_is_the_chance_that_ambient_rna_brings_a_second_compartment(make_counts):
    """T cells, one with 10 LYZ beside, and a myeloid cell; all of 100 counts."""
    counts = make_counts(
        [[20, 0, 80], [20, 10, 70], [0, 40, 60], [20, 0, 80]], ["CD3E", "LYZ", "GENE1"]
    )
    markers, total = count_markers(counts), np.full(4, 100)
    model = LineageModel.fit(markers, total, 0.1)
    t_cell, myeloid = 0.1 * 60 / 400, 0.1 * 50 / 400
    assert np.flatnonzero(model.ambient).tolist() == [T, MYELOID]
    assert model.ambient[[T, MYELOID]] == pytest.approx([t_cell, myeloid])
    signs = Signs(receptor_counts([2, 0, 1, 0], [1, 1, 0, 0]), markers, total)
    evidence = signs.evidence(model)
    expected = -np.log10(poisson.sf(9, 100 * myeloid)) / 10
    assert evidence[:, 1] == pytest.approx([0, expected, 0, 0])
    # 40 LYZ are no ambient RNA: a receptor of one arm is foreign there, and none on T cells
    assert evidence[:, 2].tolist() == [0, 0, 0.5, 0]
    assert evidence[:, 0].tolist() == [0.1, 0, 0, 0]
    pair = signs.pair(np.array([0]), np.array([2])).evidence(model)
    assert pair[0, 1] == 1  # 20 CD3E of a mean of 3, and 40 LYZ of 2.5


def test_more_ambient_rna_makes_a_second_compartment_weaker_evidence(make_counts):
    counts = make_counts([[20, 4, 76], [0, 40, 60]] * 3, ["CD3E", "LYZ", "GENE1"])
    markers, total = count_markers(counts), np.full(6, 100)
    found = []
    for fraction in (0.01, 0.1, 0.3):
        model = LineageModel.fit(markers, total, fraction)
        signs = Signs(receptor_counts([0] * 6, [0] * 6), markers, total)
        found.append(signs.evidence(model)[0, 1])
    assert found[0] > found[1] > found[2] > 0


def test_large_libraries_simulate_no_more_doublets_than_they_need(monkeypatch, make_planted):
    drawn = []

    def remember(pool, n_simulated, rng):
        drawn.append(n_simulated)
        return draw_parents(pool, n_simulated, rng)

    draw_parents = doublets._draw_parents
    monkeypatch.setattr(doublets, "_draw_parents", remember)
    monkeypatch.setattr(doublets, "_MAX_SIMULATED", 500)
    library = make_planted(n_cells=400)
    table = assess(library).table
    assert drawn == [500]
    assert average_precision_score(library.is_doublet, table["doublet_score"]) > 0.5
