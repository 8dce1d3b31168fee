from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.config import TcrOptions
from hiaim_sc.tcr import call_receptors
from hiaim_sc.tcr.receptors import RECEPTOR_COLUMNS, first_call

OPTIONS = TcrOptions()


@pytest.mark.parametrize(
    ("cell", "receptor_type", "subtype", "pairing"),
    [
        ("c1", "TCR", "TRA+TRB", "single pair"),
        ("c2", "TCR", "TRA+TRB", "orphan VDJ"),
        ("c3", "TCR", "TRA+TRB", "orphan VJ"),
        ("c4", "TCR", "TRA+TRB", "extra VJ"),
        ("c8", "multichain", "multichain", "multichain"),
        ("c9", "TCR", "TRA+TRB", "two full chains"),
        ("c11", "no IR", "no IR", "no IR"),
        ("c12", "TCR", "TRG+TRD", "single pair"),
        ("c13", "TCR", "ambiguous", "ambiguous"),
        ("c14", "ambiguous", "ambiguous", "ambiguous"),
    ],
)
def test_chain_pairing(make_contigs, truth_table, cell, receptor_type, subtype, pairing):
    receptors = call_receptors(make_contigs(truth_table), OPTIONS).set_index("cell_barcode")
    found = receptors.loc[cell, ["receptor_type", "receptor_subtype", "chain_pairing"]]
    assert found.tolist() == [receptor_type, subtype, pairing]


def test_chain_with_most_umis_is_primary(make_contigs):
    receptors = call_receptors(make_contigs({"c": ["A1:2", "A2:7", "B1"]}), OPTIONS).iloc[0]
    assert receptors["VJ_1_v_call"] == "TRAV2"
    assert receptors["VJ_1_umi_count"] == 7
    assert receptors["VJ_2_junction"] == "TGTGCTACA"
    assert (receptors["n_VJ"], receptors["n_VDJ"]) == (2, 1)
    assert pd.isna(receptors["VDJ_2_junction"])
    assert receptors["VDJ_2_umi_count"] == 0


def test_equal_umis_and_reads_fall_to_the_largest_junction(make_contigs):
    receptors = call_receptors(make_contigs({"c": ["A3:4", "A2:4", "A1:4"]}), OPTIONS).iloc[0]
    assert [receptors["VJ_1_v_call"], receptors["VJ_2_v_call"]] == ["TRAV2", "TRAV1-1"]


def test_n_counts_chains_before_the_cut_to_two(make_contigs):
    assert call_receptors(make_contigs({"c": ["A1", "A2", "A3", "B1"]}), OPTIONS)["n_VJ"][0] == 3


def test_min_umis_takes_chains_out(make_contigs):
    contigs = make_contigs({"c": ["A1:1", "B1:2"]})
    strict = call_receptors(contigs, TcrOptions(min_umis=2))
    assert call_receptors(contigs, OPTIONS)["chain_pairing"][0] == "single pair"
    assert strict["chain_pairing"][0] == "orphan VDJ"


def test_chain_without_locus_or_amino_acids_does_not_count(make_contigs):
    contigs = make_contigs({"c": ["A1", "A2", "B1"]})
    contigs.loc[0, "locus"] = None
    contigs.loc[1, "junction_aa"] = None
    assert call_receptors(contigs, OPTIONS)["chain_pairing"][0] == "orphan VDJ"


@settings(max_examples=20, deadline=None)
@given(st.permutations(range(32)))
def test_order_of_contigs_does_not_matter(make_contigs, truth_table, order):
    contigs = make_contigs(truth_table)
    shuffled = call_receptors(contigs.iloc[order], OPTIONS)
    pd.testing.assert_frame_equal(shuffled, call_receptors(contigs, OPTIONS))


@settings(max_examples=20, deadline=None)
@given(st.sets(st.integers(0, 12)))
def test_splitting_a_library_changes_no_receptor(make_contigs, truth_table, first):
    contigs = make_contigs(truth_table)
    number = contigs["cell_barcode"].map({name: i for i, name in enumerate(truth_table)})
    parts = [contigs[number.isin(first)], contigs[~number.isin(first)]]
    split = pd.concat([call_receptors(part, OPTIONS) for part in parts]).sort_values("cell_barcode")
    whole = call_receptors(contigs, OPTIONS)
    pd.testing.assert_frame_equal(split.reset_index(drop=True), whole, check_dtype=False)


def test_no_contigs_give_an_empty_table(make_contigs):
    empty = call_receptors(make_contigs({"c": ["A1"]}).iloc[:0], OPTIONS)
    assert len(empty) == 0
    assert list(empty.columns) == list(RECEPTOR_COLUMNS)


def test_first_call_without_allele():
    calls = pd.Series(["TRBV6-2*01,TRBV6-3*01", "TRAV38-2/DV8", None], dtype="str")
    assert first_call(calls).tolist()[:2] == ["TRBV6-2", "TRAV38-2/DV8"]
    assert first_call(calls).isna().tolist() == [False, False, True]


def _invariant(make_contigs, alpha: tuple[str, str, int], beta: str | None) -> str:
    contigs = make_contigs({"c": ["A1", "B1"]})
    v, j, length = alpha
    contigs.loc[0, ["v_call", "j_call", "junction_aa"]] = [v, j, "C" + "A" * (length - 2) + "F"]
    contigs.loc[1, "v_call"] = beta
    return call_receptors(contigs if beta else contigs.iloc[:1], OPTIONS)["invariant"][0]


@pytest.mark.parametrize(
    ("alpha", "beta", "expected"),
    [
        (("TRAV1-2", "TRAJ33", 12), "TRBV6-4", "MAIT"),
        (("TRAV1-2", "TRAJ12", 12), "TRBV4-3", "MAIT"),
        (("TRAV1-2*01", "TRAJ20*01", 12), None, "MAIT"),
        (("TRAV1-2", "TRAJ33", 13), "TRBV6-4", ""),
        (("TRAV1-2", "TRAJ34", 12), "TRBV6-4", ""),
        (("TRAV10", "TRAJ18", 15), "TRBV25-1", "iNKT"),
        (("TRAV10", "TRAJ18", 15), None, "iNKT"),
        (("TRAV10", "TRAJ18", 15), "TRBV6-4", ""),
        (("TRAV10", "TRAJ18", 17), "TRBV25-1", ""),
    ],
)
def test_invariant_receptors(make_contigs, alpha, beta, expected):
    assert _invariant(make_contigs, alpha, beta) == expected
