"""Clusters of similar clones: against brute force, scirpy's stored distances, and by hand."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.config import SimilarityOptions
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.tcr import cluster_clones, estimate_cost, similarity

A, B = "CAGAGSQGNLIF", "CASSIRSSYEQYF"
B1, B2, B3 = "CASSIRSAYEQYF", "CASSIRAAYEQYF", "CASSPPPPPEQYF"
CHAINS = ["v_call_1", "junction_aa_1", "v_call_2", "junction_aa_2"]


@pytest.fixture
def brute(monkeypatch):
    """Hamming distances by comparing every pair: no compiling, and an oracle."""

    def compare(sequences, options):
        pairs = [
            (i, j, sum(a != b for a, b in zip(x, y, strict=True)))
            for i, x in enumerate(sequences)
            for j, y in enumerate(sequences)
            if len(x) == len(y)
        ]
        near = [pair for pair in pairs if pair[2] <= (options.cutoff or 1)]
        return tuple(np.array(part) for part in zip(*near, strict=True))

    monkeypatch.setattr(similarity, "find_neighbours", compare)


def make_clones(*rows, patient="P1", n_cells=1) -> pd.DataFrame:
    table = pd.DataFrame(rows, columns=CHAINS, dtype=object)
    keys = [f"{patient} clone {number}" for number in range(len(table))]
    return table.assign(clone_key=keys, patient_id=patient, n_cells=n_cells)


def clusters(clones, **options) -> list[set[str]]:
    found = cluster_clones(clones, SimilarityOptions(metric="hamming", **options))
    assert list(found) == list(RELEASE_TABLES["similarity_clusters"])
    assert (found.groupby("cluster")["clone_key"].transform("size") == found["n_clones"]).all()
    return [set(keys.str[-1]) for _, keys in found.groupby("cluster")["clone_key"]]


@pytest.mark.usefixtures("brute")
def test_clones_in_reach_over_any_number_of_steps_are_one_cluster():
    rows = [("TRAV1", A, "TRBV19", junction) for junction in (B, B1, B2, B3)]
    assert clusters(make_clones(*rows)) == [{"0", "1", "2"}]
    assert clusters(make_clones(rows[0], rows[2])) == []
    assert clusters(make_clones(rows[0], rows[2]), cutoff=2) == [{"0", "1"}]


@pytest.mark.usefixtures("brute")
@pytest.mark.parametrize(
    ("other", "joined", "by_beta"),
    [
        (("TRAV1", A, "TRBV19", B1), True, True),
        (("TRAV1", A, "TRBV7-2", B1), False, False),
        (("TRAV2", A, "TRBV19", B1), False, True),
        (("TRAV1", "CAVVVVVVVVVF", "TRBV19", B1), False, True),
        ((None, None, "TRBV19", B1), False, True),
        (("TRAV1", A, None, None), False, False),
        (("TRAV1", A, "TRBV19", "CASSIR*AYEQYF"), False, False),
    ],
)
def test_what_joins_a_clone(other, joined, by_beta):
    clones = make_clones(("TRAV1", A, "TRBV19", B), other)
    assert bool(clusters(clones)) == joined
    assert bool(clusters(clones, arms="VDJ")) == by_beta


@pytest.mark.usefixtures("brute")
def test_clones_without_alpha_join_each_other():
    clones = make_clones((None, None, "TRBV19", B), (None, None, "TRBV19", B1))
    assert clusters(clones) == [{"0", "1"}]


@pytest.mark.usefixtures("brute")
def test_patients_are_apart_unless_expanded_clones_are_compared():
    row = ("TRAV1", A, "TRBV19", B)
    clones = pd.concat([make_clones(row, patient=p, n_cells=2) for p in ("P1", "P2")])
    assert clusters(clones) == []
    found = cluster_clones(clones, SimilarityOptions(metric="hamming", scope="expanded"))
    assert found["patient_id"].tolist() == ["P1", "P2"]
    assert clusters(clones.assign(n_cells=1), scope="expanded") == []


@pytest.mark.usefixtures("brute")
def test_cost_counts_sequences_pairs_and_what_is_left_out():
    """P1: three betas and one alpha; P2: two of each. Pairs: 3 + 0 + 1 + 1."""
    first = make_clones(
        *[("TRAV1", A, "TRBV19", junction) for junction in (B, B1, B2)],
        ("TRAV1", A, "TRBV19", "CASS_F"),
        ("TRAV1", A, None, None),
    )
    second = make_clones(
        ("TRAV1", A, "TRBV19", B), ("TRAV1", "CAVVVVF", "TRBV19", B3), patient="P2"
    )
    cost = estimate_cost(pd.concat([first, second]), SimilarityOptions(metric="hamming"))
    assert (cost.n_clones, cost.n_invalid, cost.n_no_beta) == (5, 1, 1)
    assert (cost.n_sequences, cost.n_pairs, cost.n_comparisons) == (8, 5, 4)
    assert cost.seconds >= 0
    nothing = estimate_cost(first.iloc[:0], SimilarityOptions(metric="hamming"))
    assert (nothing.n_pairs, nothing.seconds) == (0, 0)


@pytest.mark.usefixtures("brute")
def test_the_order_of_the_clones_does_not_matter():
    clones = make_clones(*[("TRAV1", A, "TRBV19", junction) for junction in (B, B1, B2, B3)])
    options = SimilarityOptions(metric="hamming")
    pd.testing.assert_frame_equal(
        cluster_clones(clones, options), cluster_clones(clones.iloc[::-1], options)
    )
    assert cluster_clones(clones.iloc[:0], options).empty


@pytest.mark.data
@pytest.mark.parametrize(("metric", "cutoff"), [("hamming", 2), ("tcrdist", 15)])
def test_distances_are_those_that_scirpy_stores(metric, cutoff, shared_data):
    from scipy import sparse

    folder = shared_data / f"receptor_formats/{metric}_test_data"
    sequences = np.load(folder / f"{metric}_WU3k_seqs.npy", allow_pickle=True)
    stored = sparse.load_npz(folder / f"{metric}_WU3k_csr_result.npz").tocoo()
    found = similarity.find_neighbours(sequences, SimilarityOptions(metric=metric, cutoff=cutoff))
    mine = set(zip(*(part.tolist() for part in found), strict=True))
    theirs = (stored.row, stored.col, stored.data.astype(int) - 1)
    assert mine == set(zip(*(part.tolist() for part in theirs), strict=True))
    assert len(mine) == {"hamming": 2090, "tcrdist": 1704}[metric]


def test_tcrdist_does_not_compare_the_ends():
    """The last two places are trimmed: Y for F is 0. G for A is 4 apart, times 3."""
    sequences = np.array(["CASSLGQETQYF", "CASSLGQETQFF", "CASSLAQETQYF"])
    found = similarity.find_neighbours(sequences, SimilarityOptions(metric="tcrdist"))
    distance = {(i, j): d for i, j, d in zip(*found, strict=True)}
    assert (distance[0, 1], distance[0, 2]) == (0, 12)
