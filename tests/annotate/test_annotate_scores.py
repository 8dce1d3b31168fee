"""Rank scores against their definition, the panel, and the neighbourhood."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import rankdata

from hiaim_sc.annotate import panel_genes, read_panel, read_signatures
from hiaim_sc.annotate.neighbourhood import average_neighbourhood
from hiaim_sc.annotate.scores import score_gene_sets
from hiaim_sc.errors import UserInputError
from hiaim_sc.names import COARSE_OF_CELL_TYPE


def brute_force(counts, genes):
    """The definition, cell by cell, with scipy's mean ranks."""
    n_genes = counts.shape[1]
    worst = min(1500, n_genes) + 1
    scores = []
    for cell in counts:
        rank = np.full(n_genes, float(worst))
        detected = cell > 0
        rank[detected] = np.minimum(rankdata(-cell[detected], method="average"), worst)
        n = len(genes)
        best = n * (n + 1) / 2
        scores.append(1 - (rank[list(genes)].sum() - best) / (n * worst - best))
    return np.array(scores)


@given(
    st.lists(st.lists(st.integers(0, 4), min_size=12, max_size=12), min_size=1, max_size=8),
    st.sets(st.integers(0, 11), min_size=1, max_size=6),
)
def test_scores_are_those_of_the_definition(counts, genes):
    table = np.array(counts)
    found = score_gene_sets(sp.csr_matrix(table), {"set": sorted(genes)})["set"]
    np.testing.assert_allclose(found, brute_force(table, genes), atol=1e-12)


def test_scores_run_from_none_detected_to_the_highest_genes():
    counts = sp.csr_matrix([[0, 0, 5, 3], [9, 8, 1, 0], [0, 0, 0, 0]])
    found = score_gene_sets(counts, {"first two": [0, 1], "nothing": []})
    assert found["first two"][1] == pytest.approx(1.0)
    assert found["first two"][0] == pytest.approx(0.0)
    assert found["first two"][2] == pytest.approx(0.0)
    np.testing.assert_array_equal(found["nothing"], 0)


def test_a_score_depends_on_the_cell_alone():
    rng = np.random.default_rng(1)
    counts = sp.csr_matrix(rng.poisson(1.0, (30, 40)))
    whole = score_gene_sets(counts, {"set": [1, 5, 9]})["set"]
    part = score_gene_sets(counts[3:7], {"set": [1, 5, 9]})["set"]
    np.testing.assert_array_equal(whole[3:7], part)


def test_the_neighbourhood_averages_over_the_nearest_cells_and_the_cell_itself():
    indices = np.array([[1, 2, 3], [0, 2, 3], [1, 0, 3], [4, 5, 2], [3, 5, 2], [4, 3, 2]])
    smooth = average_neighbourhood(indices, 2)
    np.testing.assert_allclose(np.asarray(smooth.sum(axis=1)).ravel(), 1)
    np.testing.assert_allclose(smooth @ np.array([3.0, 0, 0, 0, 6, 0]), [1, 1, 1, 2, 2, 2])


@pytest.mark.parametrize("n_cells", [0, 1])
def test_cells_without_neighbours_are_their_own_neighbourhood(n_cells):
    smooth = average_neighbourhood(np.zeros((n_cells, 0), np.int32), 5)
    np.testing.assert_array_equal(smooth.toarray(), np.eye(n_cells))


def test_the_packaged_panel_names_known_cell_types_and_its_sources():
    panel = read_panel(None)
    compartments = set(panel.loc[panel["level"] == "compartment", "cell_type"])
    assert compartments <= set(COARSE_OF_CELL_TYPE)
    assert {"T", "NK", "B", "plasma", "epithelial", "fibroblast", "endothelial"} <= compartments
    assert (panel["source"] != "").all()
    assert not panel.duplicated(["cell_type", "gene"]).any()


def test_a_faulty_panel_lists_every_fault(tmp_path):
    path = tmp_path / "mine.tsv"
    path.write_text(
        "cell_type\tgene\tsign\tlevel\tparent\tsource\n"
        "T\tCD3D\tplus\tcompartment\t\tme\n"
        "NK\tNKG7\t1\tfamily\t\tme\n"
        "kidney\tNPHS1\t1\tcompartment\t\tme\n"
        "T\tCD3D\t-1\tcompartment\t\tme\n"
        "CD8\tCD8A\t1\tlineage\tT\tme\n"
        "CD8 Tex\tLAYN\t1\tstate\tCD 8\tme\n"
    )
    with pytest.raises(UserInputError) as caught:
        read_panel(path)
    faults = [(fault.row, fault.column, fault.value) for fault in caught.value.faults]
    assert faults == [
        (2, "sign", "plus"),
        (3, "level", "family"),
        (4, "cell_type", "kidney"),
        (7, "parent", "CD 8"),
        (5, "gene", "CD3D"),
    ]
    path.write_text("gene\tsign\nCD3D\t1\n")
    with pytest.raises(UserInputError, match="cell_type"):
        read_panel(path)


def test_panel_genes_are_gathered_beside_the_variable_ones():
    features = pd.DataFrame(
        {
            "gene_id": ["E1", "E2", "E3", "E4"],
            "symbol": ["CD3D", "ACTB", "XYZ", "NKG7"],
            "highly_variable": [False, False, True, True],
        }
    )
    found = panel_genes(features, read_panel(None), read_signatures())
    assert list(found["gene_id"]) == ["E1", "E3", "E4"]
    assert list(found["in_panel"]) == [True, False, True]
