"""Ambient RNA taken off: closed forms, planted counts that come back, and what stays as it is."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import sparse

from hiaim_sc.config import AmbientOptions
from hiaim_sc.integrate import cluster_library
from hiaim_sc.qc import correct_counts, correction, leave_counts, why_not_corrected
from hiaim_sc.qc.ambient import estimate_ambient
from hiaim_sc.qc.correction import take_ambient
from hiaim_sc.simulate import SimulationSettings, simulate_library
from hiaim_sc.simulate.transcriptome import build_transcriptome

SHARE = 0.15
ESTIMATE = {"fraction": 0.15, "reason": ""}


def generator():
    return np.random.default_rng(0)


def take(matrix, cluster, profile, fraction, seed=0):
    found = take_ambient(
        sparse.csr_matrix(np.array(matrix, dtype=np.int32)),
        np.array(cluster),
        np.array(profile, dtype=float),
        fraction,
        rng=np.random.default_rng(seed),
    )
    return found.toarray()


@cache
def planted(tissue="tumor"):
    """A library's own counts, those counts with ambient RNA, empty droplets and cell types."""
    settings = SimulationSettings(
        out="unused",
        seed=11,
        n_patients=2,
        n_genes=1500,
        n_clone_ranks=2000,
        cells_per_library=900,
        ambient_mean={"blood": 0.0, "tumor": 0.0},
        doublet_rate_per_1000=0.0,
        dying_share=0.0,
    )
    made = simulate_library(settings, {"blood": "L001", "tumor": "L003"}[tissue])
    genes = build_transcriptome(settings).genes.set_index("gene_id")
    own = sparse.csr_matrix(made.counts).toarray()
    profile = own.sum(axis=0) / own.sum()
    rng = np.random.default_rng(1)
    ambient = rng.poisson(SHARE / (1 - SHARE) * np.outer(own.sum(axis=1), profile))
    counts = AnnData(
        sparse.csr_matrix((own + ambient).astype(np.int32)),
        obs=pd.DataFrame(index=made.cell_barcodes),
        var=genes,
    )
    droplets = rng.poisson(1e6 * profile)
    soup = pd.DataFrame({"gene_id": genes.index, "n_counts": droplets})
    return counts, own, ambient, soup, made.cells["cell_type_coarse"].to_numpy()


def in_order_of(counts, found):
    """What is left, cells and genes as in the counts."""
    return found.counts.to_anndata()[counts.obs_names, counts.var_names].X.toarray()


def correct(counts, soup, fraction=SHARE, *, n_clusters=None):
    names = list(counts.obs_names)
    if n_clusters == 1:
        cluster = pd.Series("0", index=names)
    else:
        cluster = cluster_library(counts, names, rng=generator())
    found = correct_counts(counts, cluster, fraction, soup, rng=generator())
    return found, in_order_of(counts, found)


def test_each_gene_loses_its_share_and_each_cell_by_its_counts():
    # 40 counts, a fifth ambient: 8, of which the genes lose 4, 2 and 2; cells have 20 each
    found = take([[12, 8, 0], [10, 0, 10]], [0, 0], [0.5, 0.25, 0.25], 0.2)
    assert found.tolist() == [[10, 6, 0], [8, 0, 8]]


def test_a_cell_of_three_times_the_counts_loses_three_times_as_many():
    found = take([[10, 0], [20, 10]], [0, 0], [1.0, 0.0], 0.1)
    assert found.tolist() == [[9, 0], [17, 10]]


def test_what_a_gene_does_not_have_is_taken_from_the_others():
    # 10 of 40: gene 1 should lose 5 and has 2; gene 2 is not in the ambient RNA
    found = take([[18, 1, 1], [18, 1, 1]], [0, 0], [0.5, 0.5, 0.0], 0.25)
    assert found.tolist() == [[14, 0, 1], [14, 0, 1]]


def test_what_a_cell_does_not_have_is_taken_from_the_clusters_others():
    # gene 0 loses 8: the first cell has 1 of the 4 that are its share
    found = take([[1, 9], [9, 1]], [0, 0], [1.0, 0.0], 0.4)
    assert found.tolist() == [[0, 9], [2, 1]]


def test_clusters_lose_for_themselves():
    # the first cluster has no count of gene 1 that could be ambient, the second all of them
    found = take([[20, 0], [0, 20]], [1, 0], [0.5, 0.5], 0.2)
    assert found.tolist() == [[16, 0], [0, 16]]


def test_stray_counts_go_over_a_clusters_cells_and_hardly_within_a_cell():
    """Each fourth of 20 cells has one count of a gene of which ambient RNA brings 0.26 a cell."""
    matrix = np.full((20, 2), [99, 0])
    matrix[::4, 1] = 1
    profile = [0.974, 0.026]
    assert take(matrix, [0] * 20, profile, 0.1)[:, 1].sum() == 0
    left = [take(matrix, range(20), profile, 0.1, seed)[:, 1].sum() for seed in range(40)]
    assert np.mean(left) == pytest.approx(5 * 0.74, abs=0.5)


@given(
    matrix=arrays.arrays(np.int32, (8, 5), elements=st.integers(0, 9)),
    cluster=arrays.arrays(np.int64, 8, elements=st.integers(0, 2)),
    fraction=st.floats(0, 0.5),
    seed=st.integers(0, 99),
)
def test_what_is_left_is_whole_never_below_0_and_what_was_wanted_less(
    matrix, cluster, fraction, seed
):
    profile = np.array([0.4, 0.3, 0.15, 0.1, 0.05])
    found = take(matrix, cluster, profile, fraction, seed)
    assert found.dtype == np.int32
    assert (found >= 0).all()
    assert (found <= matrix).all()
    for name in np.unique(cluster):
        own = cluster == name
        removed = (matrix[own] - found[own]).sum()
        # every gene of the profile is there: all that is wanted can be had, a count a gene apart
        assert removed == pytest.approx(fraction * matrix[own].sum(), abs=len(profile))


def test_at_a_fraction_of_0_nothing_changes():
    counts, _, _, soup, _ = planted()
    found, matrix = correct(counts, soup, 0.0)
    assert (matrix == counts.X.toarray()).all()
    assert found.summary["n_removed"] == 0


@pytest.mark.parametrize("tissue", ["blood", "tumor"])
@pytest.mark.parametrize("is_raw", [True, False])
def test_the_cells_own_counts_come_back(tissue, is_raw):
    """Summed by cell type and gene, less than a tenth of the ambient counts is wrong."""
    counts, own, ambient, soup, cell_type = planted(tissue)
    fraction = ambient.sum() / counts.X.sum()
    found, matrix = correct(counts, soup if is_raw else None, fraction)
    assert found.summary["n_removed"] == pytest.approx(ambient.sum(), rel=1e-3)
    assert found.summary["n_counts"] == counts.X.sum()
    by_type = pd.get_dummies(cell_type).to_numpy(dtype=float).T
    wrong = np.abs(by_type @ (matrix - own)).sum() / ambient.sum()
    # counts as they are: 1; one cluster of all cells: 0.06 to 0.07; each cell alone: 0.09 to 0.1
    assert wrong < 0.06


def test_markers_that_cannot_be_of_a_cell_go_by_cluster_and_not_within_cells():
    counts, own, ambient, soup, cell_type = planted("blood")
    _, by_cluster = correct(counts, soup)
    names = counts.obs_names
    cells = pd.Series(np.arange(len(names)).astype(str), index=names)
    alone = in_order_of(counts, correct_counts(counts, cells, SHARE, soup, rng=generator()))
    foreign = [("T", "LYZ"), ("T", "S100A8"), ("T", "CD14"), ("NK", "CD3E"), ("myeloid", "CD3E")]
    stray, left, left_alone = 0, 0, 0
    for kind, symbol in foreign:
        gene = np.flatnonzero(counts.var["symbol"] == symbol)[0]
        is_kind = cell_type == kind
        stray += ambient[is_kind, gene].sum()
        left += by_cluster[is_kind, gene].sum() - own[is_kind, gene].sum()
        left_alone += alone[is_kind, gene].sum() - own[is_kind, gene].sum()
    assert stray > 200
    assert abs(left) < 0.1 * stray
    assert left_alone > 0.4 * stray


def test_the_estimate_leads_to_what_was_planted():
    counts, _, ambient, soup, _ = planted("blood")
    estimate = estimate_ambient(counts, np.ones(counts.n_obs, dtype=bool), soup)
    found, _ = correct(counts, soup, estimate.fraction)
    removed = found.summary["n_removed"] / found.summary["n_counts"]
    assert removed == pytest.approx(estimate.fraction, abs=1e-3)
    assert removed == pytest.approx(ambient.sum() / counts.X.sum(), abs=0.03)


def test_the_order_of_cells_genes_and_clusters_changes_nothing():
    counts, _, _, soup, _ = planted()
    cluster = cluster_library(counts, list(counts.obs_names), rng=generator())
    expected = correct_counts(counts, cluster, SHARE, soup, rng=generator()).counts
    rng = np.random.default_rng(3)
    cells, genes = rng.permutation(counts.n_obs), rng.permutation(counts.n_vars)
    shuffled = counts[cells][:, genes].copy()
    renamed = cluster.sample(frac=1, random_state=1).map(lambda name: f"c{9 - int(name)}")
    found = correct_counts(
        shuffled, renamed, SHARE, soup.sample(frac=1, random_state=2), rng=generator()
    ).counts
    assert list(found.obs_names) == list(expected.obs_names) == sorted(counts.obs_names)
    assert list(found.var_names) == list(expected.var_names)
    assert (found.X != expected.X).nnz == 0
    again = cluster_library(shuffled, list(shuffled.obs_names), rng=generator())
    pd.testing.assert_series_equal(again, cluster)


def test_genes_looked_at_a_few_at_a_time_change_nothing(monkeypatch):
    counts, _, _, soup, _ = planted()
    found, matrix = correct(counts, soup, n_clusters=1)
    monkeypatch.setattr(correction, "_CHUNK", 700)
    again, same = correct(counts, soup, n_clusters=1)
    assert (matrix == same).all()
    assert again.summary == found.summary
    assert found.summary["n_clusters"] == 1


def test_cells_without_a_cluster_are_left_out_but_count_for_the_mean_profile(make_counts):
    counts = make_counts([[10, 0], [10, 0], [0, 20]], ["A", "B"])
    cluster = pd.Series("0", index=counts.obs_names[:2])
    found = correct_counts(counts, cluster, 0.5, rng=generator())
    assert list(found.counts.obs_names) == list(counts.obs_names[:2])
    assert found.summary == {
        "reason": "",
        "n_cells": 2,
        "n_clusters": 1,
        "n_counts": 20,
        "n_removed": 10,
    }
    assert counts.X.toarray().tolist() == [[10, 0], [10, 0], [0, 20]]
    with pytest.raises(ValueError, match="1 of 3 clustered cell barcodes"):
        correct_counts(counts, pd.Series("0", index=[*cluster.index, "x"]), 0.5, rng=generator())


def test_counts_that_are_left_are_the_delivered_ones_of_cells_that_pass(make_counts):
    counts = make_counts([[10, 0], [3, 4], [0, 20]], ["A", "B"])
    found = leave_counts(counts, [counts.obs_names[2], counts.obs_names[0]], "why")
    assert found.counts.X.toarray().tolist() == [[10, 0], [0, 20]]
    assert list(found.counts.obs_names) == [counts.obs_names[0], counts.obs_names[2]]
    assert found.summary["reason"] == "why"
    assert (found.summary["n_counts"], found.summary["n_removed"]) == (30, 0)
    assert json.loads(json.dumps(found.summary)) == found.summary


@pytest.mark.parametrize(
    ("ambient", "n_cells", "reason"),
    [
        (ESTIMATE, 50, ""),
        ({"fraction": 0.02, "reason": ""}, 50, ""),
        ({"fraction": 0.5, "reason": ""}, 50, ""),
        ({"fraction": None, "reason": "3 cells"}, 50, "3 cells"),
        ({"fraction": 0.013, "reason": ""}, 50, "1.3 % of the counts are ambient RNA (below 2 %)"),
        (ESTIMATE, 0, "no cell passes"),
        (
            {"fraction": 0.8, "reason": ""},
            50,
            "80 % of the counts seem to be ambient RNA; more than 50 % is not believed",
        ),
    ],
)
def test_why_a_library_stays_as_it_is(ambient, n_cells, reason):
    assert why_not_corrected(ambient, n_cells, AmbientOptions()) == reason
