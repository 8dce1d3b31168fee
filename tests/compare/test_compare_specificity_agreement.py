"""Bulk screens and single cells side by side."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.compare import compare_specificity
from hiaim_sc.names import RELEASE_TABLES

# NLV and GIL are on both panels, by other names; FLR is in screens alone, AVF in cells alone.
ANTIGENS = pd.DataFrame(
    [
        ("A1B1", "NLVPMVATV", "A*02:01"),
        ("A1B2", "GILGFVFTL", "A*02:01"),
        ("A1B3", "FLRGRAYGL", "B*08:01"),
        ("A1B4", "NLVPMVATV", "B*08:01"),
        ("d_nlv", "NLVPMVATV", "A*02:01:01"),
        ("d_gil", "GILGFVFTL", "A*02:01"),
        ("d_avf", "AVFDRKSDAK", "A*11:01"),
        ("d_tag", None, None),
    ],
    columns=["dna_barcode", "peptide", "hla"],
)
RESPONSES = pd.DataFrame(
    [
        ("X1", "P1", "A1B1", True, 0.2),
        ("X2", "P1", "A1B1", True, 0.5),
        ("X1", "P1", "A1B2", True, 0.1),
        ("X1", "P1", "A1B3", True, np.nan),
        ("X1", "P1", "A1B4", False, 9.0),
        ("X1", "P2", "A1B1", False, np.nan),
        ("X1", "P2", "A1B2", False, np.nan),
        ("X1", None, "A1B2", True, 0.3),
    ],
    columns=["screen_id", "patient_id", "dna_barcode", "response", "estimated_frequency"],
).assign(hla="A*02:01")
# Of P1 L1 has four CD8 T cells and L3, which is not stained, two; of P2 L2 has one.
CELLS = pd.DataFrame(
    [
        *[("L1", f"c{i}", "P1", "CD8", True) for i in range(4)],
        ("L1", "c4", "P1", "CD4", True),
        ("L1", "c5", "P1", "CD8", False),
        *[("L3", f"c{i}", "P1", "CD8", True) for i in range(2)],
        ("L2", "c0", "P2", "CD8", True),
        ("L2", "c1", None, "CD8", True),
    ],
    columns=["library_id", "cell_barcode", "patient_id", "cell_type_lineage", "qc_pass"],
)
SPECIFICITY = pd.DataFrame(
    [
        ("L1", "c0", "d_nlv", "k1"),
        ("L1", "c1", "d_nlv", "k1"),
        ("L1", "c4", "d_nlv", None),
        ("L1", "c5", "d_gil", "k2"),
        ("L1", "c2", "d_tag", "k3"),
        ("L2", "c0", "d_nlv", "k9"),
        ("L2", "c0", "d_avf", "k9"),
        ("L2", "c1", "d_gil", "k9"),
    ],
    columns=["library_id", "cell_barcode", "dna_barcode", "clone_key"],
)
STAINED = pd.DataFrame(
    [(library, name) for library in ("L1", "L2") for name in ("d_nlv", "d_gil", "d_avf", "d_tag")],
    columns=["library_id", "dna_barcode"],
).assign(peptide="", hla="")

# Patient, antigen and its names; screens, response and frequency; clones, cells, their share.
EXPECTED = [
    ("P1", "A1B3", "FLRGRAYGL", "B*08:01", 1, True, np.nan, 0, 0, np.nan, "not_in_cells"),
    ("P1", "A1B2;d_gil", "GILGFVFTL", "A*02:01", 1, True, 0.1, 0, 0, 0.0, "bulk_only"),
    ("P1", "A1B1;d_nlv", "NLVPMVATV", "A*02:01", 2, True, 0.5, 1, 3, 50.0, "both"),
    ("P2", "d_avf", "AVFDRKSDAK", "A*11:01", 0, None, np.nan, 1, 1, 100.0, "not_in_bulk"),
    ("P2", "A1B1;d_nlv", "NLVPMVATV", "A*02:01", 1, False, np.nan, 1, 1, 100.0, "cells_only"),
]


def test_each_antigen_of_a_patient_stands_once_with_both_sides():
    found = compare_specificity(RESPONSES, SPECIFICITY, CELLS, STAINED, ANTIGENS)
    columns = list(RELEASE_TABLES["specificity_agreement"])
    expected = pd.DataFrame(EXPECTED, columns=columns).astype({"bulk_response": "boolean"})
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert found["bulk_response"].dtype == "boolean"


def test_the_order_of_rows_says_nothing():
    tables = RESPONSES, SPECIFICITY, CELLS, STAINED, ANTIGENS
    turned = [table.iloc[::-1].reset_index(drop=True) for table in tables]
    pd.testing.assert_frame_equal(compare_specificity(*turned), compare_specificity(*tables))


@pytest.mark.parametrize("which", [0, 1])
def test_one_side_without_rows_leaves_the_other(which):
    tables = [RESPONSES, SPECIFICITY, CELLS, STAINED, ANTIGENS]
    tables[which] = tables[which].iloc[:0]
    words = {0: {"not_in_bulk"}, 1: {"bulk_only", "not_in_cells"}}[which]
    assert set(compare_specificity(*tables)["agreement"]) == words


def test_nothing_seen_is_a_table_with_its_columns():
    found = compare_specificity(RESPONSES[:0], SPECIFICITY[:0], CELLS, STAINED, ANTIGENS)
    assert found.empty
    assert tuple(found) == RELEASE_TABLES["specificity_agreement"]
