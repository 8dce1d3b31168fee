"""The table of cells, antigen calls, and the verdict on libraries."""

from __future__ import annotations

import pandas as pd
import pytest

from hiaim_sc.compare import (
    build_cells,
    label_specificity,
    summarise_annotation,
    summarise_libraries,
)
from hiaim_sc.config import TcrOptions
from hiaim_sc.names import CONTIG_REASONS, RELEASE_TABLES

LAYOUT = pd.DataFrame(
    {
        "library_id": ["L1"],
        "sample_id": ["S1"],
        "patient_id": ["P1"],
        "tissue": ["blood"],
        "visit": ["baseline"],
        "session_phase": ["rest"],
    }
)


@pytest.fixture
def cell_qc() -> pd.DataFrame:
    """Two GEX cells, the second of low quality."""
    return pd.DataFrame(
        {
            "cell_barcode": ["AAA", "CCC"],
            "total_counts": [1000, 100],
            "n_genes_by_counts": [500, 50],
            "pct_counts_mt": [2.0, 3.0],
            "doublet_score": [0.1, 0.2],
            "predicted_doublet": [False, False],
            "qc_pass": [True, False],
            "qc_reason": ["", "low_counts;low_genes"],
            "doublet_evidence": "",
            "pct_counts_hb": [0.0, 1.5],
            "dissociation_score": [0.1, 0.4],
            "s_score": [0.2, -0.1],
            "g2m_score": [0.1, -0.2],
            "phase": ["S", "G1"],
        }
    )


@pytest.fixture
def receptors() -> pd.DataFrame:
    """A cell with GEX, one without, and one without GEX and without productive chain."""
    return pd.DataFrame(
        {
            "cell_barcode": ["AAA", "GGG", "TTT"],
            "chain_pairing": ["single pair", "single pair", "no IR"],
            "receptor_type": ["TCR", "TCR", None],
            "receptor_subtype": ["TRA+TRB", "TRA+TRB", None],
            "invariant": ["", "", ""],
        }
    )


@pytest.fixture
def clone_cells() -> pd.DataFrame:
    """Both cells with a receptor are of one clone."""
    return pd.DataFrame(
        {
            "library_id": "L1",
            "cell_barcode": ["AAA", "GGG"],
            "patient_id": "P1",
            "clone_key": "P1:x",
            "clone_source": "paired",
        }
    )


@pytest.fixture
def cell_types() -> pd.DataFrame:
    return pd.DataFrame(
        {
            "library_id": ["L1"],
            "cell_barcode": ["AAA"],
            "leiden": ["0"],
            "cell_type": ["CD8 T"],
            "cell_type_lineage": ["CD8"],
            "cell_type_coarse": ["T"],
            "cell_type_score": [0.6],
            "cell_type_evidence": ["receptor;markers"],
            "t_nk_cluster": ["2"],
            "cell_lineage_confidence": [0.99],
            "cell_state": ["CD8 Tem"],
            "cell_state_confidence": [0.9],
            "cell_state_evidence": ["markers"],
            "cell_flags": [""],
        }
    )


def build(cell_qc, receptors, clone_cells, cell_types, **options) -> pd.DataFrame:
    table = build_cells(
        LAYOUT, {"L1": cell_qc}, {"L1": receptors}, clone_cells, cell_types, TcrOptions(**options)
    )
    return table.set_index("cell_barcode", drop=False)


def test_every_cell_barcode_of_gex_or_vdj_is_there(cell_qc, receptors, clone_cells, cell_types):
    cells = build(cell_qc, receptors, clone_cells, cell_types)
    assert list(cells)[: len(RELEASE_TABLES["cells"])] == list(RELEASE_TABLES["cells"])
    assert cells["qc_pass"].to_dict() == {"AAA": True, "CCC": False, "GGG": False, "TTT": False}
    assert cells["qc_reason"].to_dict() == {
        "AAA": "",
        "CCC": "low_counts;low_genes",
        "GGG": "no_gex",
        "TTT": "no_gex",
    }
    assert cells["total_counts"].fillna(-1).tolist() == [1000, 100, -1, -1]
    assert (cells["patient_id"] == "P1").all()
    assert pd.isna(cells.loc["CCC", "chain_pairing"])
    assert cells.loc["GGG", "clone_key"] == "P1:x"


def test_a_receptor_alone_is_a_t_cell_where_gex_is_not_required(
    cell_qc, receptors, clone_cells, cell_types
):
    cells = build(cell_qc, receptors, clone_cells, cell_types, require_gex=False)
    assert cells["qc_pass"].to_dict() == {"AAA": True, "CCC": False, "GGG": True, "TTT": False}
    assert cells.loc["TTT", "qc_reason"] == "no_gex"
    assert cells.loc["GGG", ["cell_type_coarse", "cell_type_lineage"]].tolist() == ["T", "T"]
    assert cells.loc["AAA", "cell_type_lineage"] == "CD8"
    assert pd.isna(cells.loc["TTT", "cell_type_coarse"])


def test_a_receptor_of_a_b_cell_alone_is_of_no_known_type(
    cell_qc, receptors, clone_cells, cell_types
):
    receptors.loc[receptors["cell_barcode"] == "GGG", "receptor_type"] = "BCR"
    cells = build(cell_qc, receptors, clone_cells, cell_types, require_gex=False)
    assert cells.loc["GGG", "qc_pass"]
    assert cells.loc["GGG", "cell_type_coarse"] == "unassigned"


def test_the_order_of_rows_changes_nothing(cell_qc, receptors, clone_cells, cell_types):
    expected = build(cell_qc, receptors, clone_cells, cell_types)
    found = build(cell_qc[::-1], receptors[::-1], clone_cells[::-1], cell_types)
    pd.testing.assert_frame_equal(found, expected)


def test_antigen_calls_carry_clone_and_verdict(cell_qc, receptors, clone_cells, cell_types):
    cells = build(cell_qc, receptors, clone_cells, cell_types).reset_index(drop=True)
    calls = pd.DataFrame(
        {
            "library_id": "L1",
            "cell_barcode": ["NNN", "CCC", "AAA"],
            "dna_barcode": "d1",
            "n_umi": 20,
            "score": 99.0,
            "q_value": 0.01,
        }
    )
    table = label_specificity(calls, cells)
    assert table["cell_barcode"].tolist() == ["AAA", "CCC", "NNN"]
    assert table["qc_pass"].tolist() == [True, False, False]
    assert table["clone_key"].fillna("").tolist() == ["P1:x", "", ""]
    assert list(label_specificity(calls.iloc[:0], cells)) == list(RELEASE_TABLES["specificity"])


def test_what_describes_a_cell_stands_beside_it(cell_qc, receptors, clone_cells, cell_types):
    cells = build(cell_qc, receptors, clone_cells, cell_types)
    assert cells["phase"].fillna("").tolist() == ["S", "G1", "", ""]
    assert cells["pct_counts_hb"].tolist()[:2] == [0.0, 1.5]
    assert cells.loc["AAA", "qc_reason"] == ""


def summarise(cell_qc, report, state="delivered", **limits) -> pd.Series:
    states = pd.DataFrame(
        {
            "library_id": ["L1", "L2"],
            "sample_id": ["S1", "S2"],
            "batch": "B1",
            "state": [state, "expected"],
            "reason": ["wrong genome" if state == "quarantined" else None, None],
        }
    )
    table = summarise_libraries(
        states, {"L1": report}, {"L1": cell_qc}, {"L1": {"doublet_threshold": 0.3, **limits}}
    )
    assert table["library_id"].tolist() == ["L1"]
    assert list(table)[: len(RELEASE_TABLES["libraries_qc"])] == list(
        RELEASE_TABLES["libraries_qc"]
    )
    return table.iloc[0]


def many(cell_qc: pd.DataFrame, n_good: int, n_bad: int) -> pd.DataFrame:
    """So many cells like the first and like the second."""
    parts = [cell_qc.iloc[[0]]] * n_good + [cell_qc.iloc[[1]]] * n_bad
    return pd.concat(parts, ignore_index=True)


def test_a_library_is_counted(cell_qc):
    row = summarise(many(cell_qc, 150, 50), {"n_cells_gex": 200, "join_rate": 0.9})
    counts = ["n_cells_read", "n_cells_kept", "n_low_counts", "n_low_genes", "n_high_mt"]
    assert row[counts].tolist() == [200, 150, 50, 50, 0]
    assert (row["n_cells_lost"], row["cells_lost"]) == (50, "low_counts;low_genes: 50")
    assert row[["median_counts", "median_genes", "pct_mt"]].tolist() == [1000, 500, 2.0]
    assert (row["verdict"], row["reason"]) == ("pass", "")


AMBIENT = {
    "fraction": 0.25,
    "se": 0.02,
    "low": 0.21,
    "high": 0.29,
    "method": "empty_droplets",
    "n_cells": 90,
    "reason": "",
}


def test_ambient_rna_is_reported_and_much_of_it_is_a_warning(cell_qc):
    row = summarise(many(cell_qc, 150, 0), {}, ambient=AMBIENT)
    assert row[[f"ambient_{name}" for name in AMBIENT]].to_dict() == {
        f"ambient_{name}": value for name, value in AMBIENT.items()
    }
    assert row["reason"] == "25 % of the counts are ambient RNA (above 20 %)"
    assert summarise(many(cell_qc, 150, 0), {}, ambient=AMBIENT | {"fraction": 0.2})["reason"] == ""


def test_ambient_rna_that_was_not_estimated_is_empty_with_a_reason(cell_qc):
    none = {**dict.fromkeys(AMBIENT), "method": "mean_profile", "n_cells": 3, "reason": "3 cells"}
    row = summarise(many(cell_qc, 150, 0), {}, ambient=none)
    assert pd.isna(row["ambient_fraction"])
    assert (row["ambient_reason"], row["verdict"]) == ("3 cells", "pass")


def test_what_was_taken_off_is_said_and_why_nothing_was(cell_qc):
    states = pd.DataFrame({"library_id": ["L1", "L2", "L3"], "sample_id": ["S1", "S2", "S3"]})
    states = states.assign(batch="B1", state="delivered", reason=None)
    corrections = {
        "L1": {"n_counts": 2000, "n_removed": 300, "reason": ""},
        "L2": {"n_counts": 1000, "n_removed": 0, "reason": "3 cells"},
    }
    cells = dict.fromkeys(["L1", "L2"], cell_qc)
    table = summarise_libraries(states, {}, cells, {}, corrections)
    assert table["ambient_removed"].tolist()[:2] == [0.15, 0.0]
    assert pd.isna(table["ambient_removed"][2])
    assert table["ambient_uncorrected"].tolist() == ["", "3 cells", ""]
    assert "ambient_removed" not in summarise_libraries(states, {}, cells, {})


def test_contigs_add_up_over_their_reasons(cell_qc):
    report = {
        "n_contigs": 20,
        "n_contigs_dropped": {"not_cell": 3, "low_confidence": 2, "bcr_locus": 0},
        "n_contigs_not_counted": {"no_locus": 1, "not_productive": 4, "no_junction": 0},
    }
    row = summarise(many(cell_qc, 150, 0), report)
    assert (row["n_contigs_dropped"], row["n_contigs_counted"]) == (5, 10)
    reasons = [f"n_contigs_{reason}" for reason in CONTIG_REASONS]
    assert row[reasons].tolist() == [3, 2, 0, 1, 4, 0]
    assert row["reason"] == ""
    bare = summarise(many(cell_qc, 150, 0), report | {"n_bare_junctions": 7})
    assert bare["reason"].startswith("7 junctions lack their conserved residues")


@pytest.mark.parametrize(
    ("n_kept", "n_lost", "reasons"),
    [
        (100, 100, []),
        (99, 0, ["only 99 cells kept (fewer than 100)"]),
        (100, 101, ["101 of 201 cells lost"]),
    ],
)
def test_the_limits_of_a_warning(cell_qc, n_kept, n_lost, reasons):
    row = summarise(many(cell_qc, n_kept, n_lost), {"n_cells_gex": n_kept + n_lost})
    assert row["reason"] == "; ".join(reasons)
    assert row["verdict"] == ("warn" if reasons else "pass")


def test_what_is_odd_about_a_library_is_a_warning(cell_qc):
    cells = many(cell_qc, 20, 180).assign(pct_counts_mt=20.0)
    row = summarise(cells, {"n_cells_gex": 200, "join_rate": 0.5})
    assert row["verdict"] == "warn"
    assert row["reason"].split("; ") == [
        "only 20 cells kept (fewer than 100)",
        "180 of 200 cells lost",
        "median mitochondrial share 20.0 % (above 15 %)",
        "only 50 % of V(D)J cell barcodes are GEX cell barcodes",
    ]


def test_a_quarantined_library_keeps_its_reason(cell_qc):
    row = summarise(None, {}, state="quarantined")
    assert (row["verdict"], row["reason"]) == ("quarantined", "wrong genome")


def test_what_the_annotation_leaves_open_is_counted_by_sample():
    coarse = ["T", "T", "NK", "ambiguous", "unassigned", "B", "B", "B", "T"]
    cells = pd.DataFrame(
        {
            "sample_id": ["S1"] * 8 + ["S2"],
            "patient_id": "P1", "tissue": "blood", "visit": "week6", "session_phase": "rest",
            "qc_pass": [True] * 7 + [False, True],
            "cell_type_coarse": coarse,
            "cell_type_lineage": ["T", "CD8", "NK", *coarse[3:8], "CD4"],
            "cell_state": ["unassigned", "CD8 Tem", "unassigned", "", "", "", "", "", "CD4 naive"],
            "cell_type_evidence": ["markers"] * 6 + ["override", "markers", "markers"],
            "cell_type_score": 0.5,
        }
    )  # fmt: skip
    table = summarise_annotation(cells[::-1]).set_index("sample_id")
    assert list(table.reset_index()) == list(RELEASE_TABLES["annotation_qc"])
    first = table.loc["S1"]
    assert first["n_cells"] == 7
    assert first["frac_ambiguous"] == first["frac_unassigned"] == pytest.approx(1 / 7)
    assert first["frac_overridden"] == pytest.approx(1 / 7)
    assert first["frac_t_without_lineage"] == pytest.approx(1 / 2)
    assert first["frac_state_unassigned"] == pytest.approx(2 / 3)
    assert table.loc["S2", "frac_state_unassigned"] == 0.0
    # a cell known by its receptor alone has no expression that could be annotated
    assert summarise_annotation(cells.assign(cell_type_evidence=None)).empty
