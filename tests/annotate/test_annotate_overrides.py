"""Labels given by people, and the tables of clusters."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hiaim_sc.annotate import apply_overrides, describe_clusters, read_panel
from hiaim_sc.annotate.overrides import name_clustering
from hiaim_sc.names import RELEASE_TABLES


def make_cells():
    """Six cells: two clusters of all cells, the first parted into two among T and NK."""
    table = pd.DataFrame(
        {
            "library_id": "L1",
            "cell_barcode": [f"C{i}" for i in range(6)],
            "leiden": list("000111"),
            "t_nk_cluster": ["0", "0", "1", "", "", ""],
            "cell_type": ["CD8 T", "CD8 T", "proliferating T", "B", "B", "unassigned"],
            "cell_type_lineage": ["CD8", "CD8", "CD8", "B", "B", "unassigned"],
            "cell_type_coarse": ["T", "T", "T", "B", "B", "unassigned"],
            "cell_state": ["CD8 Tem", "unassigned", "CD8 Tex", "", "", ""],
            "cell_type_evidence": "markers",
            "cell_state_evidence": ["markers", "", "markers", "", "", ""],
        }
    ).astype("str")
    return table.assign(cell_type_score=0.5, cell_state_confidence=[0.9, 0.1, 0.8, 0, 0, 0])


def override(**fields):
    return {"label": "B", "author": "A. Pathologist", "reason": "seen", **fields}


def apply(*rows):
    return apply_overrides(make_cells(), pd.DataFrame(rows))


def test_without_overrides_nothing_changes():
    labels, table = apply_overrides(make_cells(), None)
    pd.testing.assert_frame_equal(labels, make_cells())
    assert list(table) == list(RELEASE_TABLES["cell_type_overrides"])
    assert table.empty


def test_a_cell_and_a_cluster_are_named_by_a_person_and_the_cell_is_above_the_cluster():
    clustering = name_clustering(make_cells(), "leiden")
    labels, table = apply(
        override(library_id="L1", cell_barcode="C0", label="NK CD56dim", cell_state="NK adaptive"),
        override(clustering=clustering, cluster="0", label="CD4 T"),
    )
    assert list(labels["cell_type"][:3]) == ["NK CD56dim", "CD4 T", "CD4 T"]
    assert list(labels["cell_type_lineage"][:3]) == ["NK", "CD4", "CD4"]
    assert list(labels["cell_type_coarse"][:3]) == ["NK", "T", "T"]
    assert list(labels["cell_state"][:3]) == ["NK adaptive", "unassigned", "unassigned"]
    assert set(labels["cell_type_evidence"][:3]) == {"override"}
    pd.testing.assert_frame_equal(labels[3:], make_cells()[3:])
    assert sorted(table["n_cells"]) == [1, 3]
    assert set(table["status"]) == {"applied"}
    assert set(table["author"]) == {"A. Pathologist"}


def test_a_cluster_of_the_second_pass_can_be_named_too():
    clustering = name_clustering(make_cells(), "t_nk_cluster")
    labels, table = apply(override(clustering=clustering, cluster="0", label="gd T"))
    assert list(labels["cell_type_lineage"]) == ["gd", "gd", "CD8", "B", "B", "unassigned"]
    assert table["n_cells"].tolist() == [2]


def test_proliferating_is_no_lineage():
    labels, _ = apply(
        override(library_id="L1", cell_barcode="C0", label="proliferating T"),
        override(library_id="L1", cell_barcode="C3", label="proliferating T"),
    )
    assert list(labels["cell_type_lineage"].iloc[[0, 3]]) == ["CD8", "T"]


@pytest.mark.parametrize(
    ("fields", "status"),
    [
        ({"clustering": "0123456789ab", "cluster": "0"}, "another clustering"),
        ({"library_id": "L1", "cell_barcode": "C9"}, "no such cell"),
    ],
)
def test_an_override_that_fits_nothing_changes_nothing_and_says_so(fields, status):
    labels, table = apply(override(**fields))
    pd.testing.assert_frame_equal(labels, make_cells())
    assert table[["n_cells", "status"]].to_numpy().tolist() == [[0, status]]


def test_a_clustering_has_another_name_when_a_cell_changes_cluster():
    cells = make_cells()
    name = name_clustering(cells, "leiden")
    assert name == name_clustering(cells[::-1], "leiden")
    cells.loc[0, "leiden"] = "1"
    assert name != name_clustering(cells, "leiden")


def make_counts(rows, genes, counts):
    obs = pd.DataFrame({"total_counts": 1000}, index=[f"L1_C{i}" for i in rows])
    var = pd.DataFrame({"symbol": np.array(genes, dtype=object)}, index=genes)
    return anndata.AnnData(X=sp.csr_matrix(np.array(counts)), obs=obs, var=var)


def test_clusters_have_their_commonest_label_its_vote_and_the_genes_for_it():
    genes = ["CD3D", "CD3E", "MS4A1", "GZMK"]
    counts = [[2, 0, 0, 1], [2, 1, 0, 0], [4, 0, 0, 0], [0, 0, 5, 0], [0, 0, 1, 0], [0, 0, 0, 0]]
    found = describe_clusters(
        make_cells(),
        make_counts(range(6), genes, counts),
        make_counts(range(3), genes, counts[:3]),
        read_panel(None),
    )
    labels = found["cluster_labels"]
    assert list(labels) == list(RELEASE_TABLES["cluster_labels"])
    assert labels[["pass", "cluster", "n_cells", "cell_type"]].to_numpy().tolist() == [
        ["all", "0", 3, "CD8 T"],
        ["all", "1", 3, "B"],
        ["t_nk", "0", 2, "CD8 T"],
        ["t_nk", "1", 1, "proliferating T"],
    ]
    assert labels["vote"].tolist() == pytest.approx([2 / 3, 2 / 3, 1.0, 1.0])
    assert labels["state_vote"].tolist() == pytest.approx([1 / 3, 1.0, 0.5, 1.0])
    assert labels["frac_unassigned"].tolist() == pytest.approx([0, 1 / 3, 0, 0])
    assert labels["evidence"].iloc[0] == "CD3D 1.00; CD3E 0.33"
    assert labels["evidence"].iloc[1] == "MS4A1 0.67"
    assert labels["evidence"].iloc[2] == "GZMK 0.50"
    assert labels["clustering"].nunique() == 2
    markers = found["cluster_markers"].set_index(["pass", "cluster", "gene"])
    assert markers.loc[("all", "0", "CD3D"), "mean_per_10k"] == pytest.approx(80 / 3)
    assert markers.loc[("all", "1", "MS4A1"), "frac_detected"] == pytest.approx(2 / 3)
    assert ("all", "0", "GZMK") not in markers.index


def test_no_cells_give_empty_tables():
    genes = ["CD3D"]
    none = np.zeros((0, 1))
    found = describe_clusters(
        make_cells()[:0],
        make_counts([], genes, none),
        make_counts([], genes, none),
        read_panel(None),
    )
    for name, table in found.items():
        assert list(table) == list(RELEASE_TABLES[name])
        assert table.empty
