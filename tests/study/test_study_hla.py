"""MHC alleles: spellings, what may stand in a table, who presents what."""

from __future__ import annotations

import pytest

from hiaim_sc.study.hla import (
    agree_hla,
    are_alleles,
    group_alleles,
    presents,
    read_allele,
    split_alleles,
    standard_alleles,
)


@pytest.mark.parametrize(
    ("spellings", "standard"),
    [
        (["A*02:01", "HLA-A*02:01", "A0201", "A*0201", "hla-a*02:01", " A*02:01 "], "A*02:01"),
        (["Cw*07:02", "HLA-Cw*0702", "C*07:02"], "C*07:02"),
        (["A*02:01:01:02L", "HLA-A*02:01:01:02L"], "A*02:01:01:02L"),
        (["C*07:02:01G"], "C*07:02:01G"),
        (["A*02", "HLA-A*02"], "A*02"),
        (["B*57:101", "B57101"], "B*57:101"),
        (["DRB1*01:01", "DRB1_0101", "HLA-DRB10101"], "DRB1*01:01"),
        (["DQB1*02:01", "DQB10201", "DQB*02:01"], "DQB1*02:01"),
        (["H2-Ld", "H-2Ld", "H-2-Ld", "H2-L(d)", "H-2L^d", "h2-ld"], "H2-Ld"),
        (["H2-IAb", "I-Ab", "H-2-IAb", "H2-Ab"], "H2-IAb"),
    ],
)
def test_one_spelling_for_each_allele(spellings, standard):
    assert {str(read_allele(text)) for text in spellings} == {standard}
    assert str(read_allele(standard)) == standard


@pytest.mark.parametrize("text", ["A2", "HLA-A2", "Cw7", "A02", "B2M", "H2", "pool 1", "", "A*2"])
def test_what_leaves_the_allele_open_is_none(text):
    assert read_allele(text) is None
    assert not are_alleles(text)


def test_tables_may_mix_spellings_and_species():
    text = "HLA-A*02:01, H-2Ld,DQA1*05:01/HLA-DQB1*02:01"
    assert are_alleles(text)
    assert standard_alleles(text) == "A*02:01,H2-Ld,DQA1*05:01/DQB1*02:01"
    assert not are_alleles("A*02:01,,B*07:02")
    assert not are_alleles("A*02:01 B*07:02")


def test_a_group_is_a_protein_not_a_spelling():
    spellings = ["A*02:01", "HLA-A*02:01", "A*02:01:01", "A*02:01:01G", "A0201"]
    assert {group_alleles(text) for text in spellings} == {"A*02:01"}
    assert {group_alleles(text) for text in ("H2-Ld", "H-2Ld")} == {"H2-Ld"}
    assert group_alleles("A*24:09N") == "A*24:09N"
    assert group_alleles(None) == ""
    assert split_alleles("pool 1") == {"pool 1"}


@pytest.mark.parametrize(
    ("patient", "record", "verdict"),
    [
        ("A*02:01, B*07:02", "HLA-A*02:01, B2M", "yes"),
        ("A*02:01, B*07:02", "HLA-A*02", "yes"),
        ("A*02", "HLA-A*02:01", "yes"),
        ("A*02:01:48", "HLA-A*02:01", "yes"),
        ("A*01:01, A*02:05", "HLA-A*02:01", "no"),
        ("A*01:01", "HLA-B*08:01", "unknown"),
        (None, "HLA-A*02:01", "unknown"),
        ("A*02:01", None, "unknown"),
        ("A*02:01", "HLA-A2", "yes"),
        ("A*01:01", "HLA-A2", "unknown"),
        ("A*02:01", "HLA class I", "unknown"),
        ("DRB1*15:01", "HLA-DRA*01:01/DRB1*15:01", "yes"),
        ("DRB1*04:01", "HLA-DRA1*01, HLA-DRB1*15", "no"),
        ("DQA1*05:01, DQB1*02:01", "HLA-DQA1*05:01, HLA-DQB1*02:01", "yes"),
        ("DQA1*05:01, DQB1*03:01", "HLA-DQA1*05:01, HLA-DQB1*02:01", "no"),
        ("DPB1*04:01", "HLA-DPA*01:03, HLA-DPB*04:01", "yes"),
        ("A*02:01", "MICA*02:01", "unknown"),
        ("A*24:09N", "A*24:09", "no"),
        ("H2-Kb, H2-Db", "H-2K(b)", "yes"),
        ("H2-Kb, H2-Db", "H2-Kd", "no"),
        ("A*02:01", "H2-Kd", "no"),
        ("H2-Kb", "HLA-A*02:01", "no"),
    ],
)
def test_hla_is_compared_as_far_as_both_say(patient, record, verdict):
    assert agree_hla(patient, record) == verdict


@pytest.mark.parametrize(
    ("own", "wanted", "verdict"),
    [
        ("A*02:01,B*07:02", "A*01:01,A*02:01", "yes"),
        ("A*02:01,B*07:02", "A*01:01,B*08:01", "no"),
        ("A*02:01", "B*08:01", "no"),  # A and B are typed together
        ("A*02:01", "C*07:02", "unknown"),
        ("A*02:01", "A*01:01,C*07:02", "unknown"),
        ("A*02:01", "DRB1*04:01", "unknown"),
        ("DRB1*04:01", "A*02:01", "unknown"),
        ("A*02:01", "pool 1", "unknown"),
        ("DRB1*04:01", "DRA*01:01/DRB1*04:01", "yes"),
        ("DQA1*05:01,DQB1*02:01", "DQA1*05:01/DQB1*02:01", "yes"),
        ("DQA1*01:01/DQB1*05:01", "DQA1*05:01/DQB1*02:01", "no"),
        ("A*02", "A*02:01", "yes"),
        ("A*02:05", "A*02:01", "no"),
        ("A*02:01", "", "unknown"),
        (float("nan"), "A*02:01", "unknown"),
    ],
)
def test_any_allele_of_an_antigen_is_enough(own, wanted, verdict):
    assert presents(own, wanted) == verdict


def test_a_study_reads_every_spelling_as_one(small_study):
    rows = ["a\tx\tH2-Ld", "b\tx\tH-2Ld", "c\tx\tHLA-A*02:01", "d\tx\tA*02:01, B0702", "e\tx\t"]
    (small_study.path / "antigens.tsv").write_text("\n".join(["dna_barcode\tpeptide\thla", *rows]))
    small_study.replace("participants.tsv", "A*02:01, B*07:02", "HLA-A*0201 , HLA-Cw*07:02")
    study = small_study.read()
    assert study.antigens is not None
    found = study.antigens["hla"].fillna("").tolist()
    assert found == ["H2-Ld", "H2-Ld", "A*02:01", "A*02:01,B*07:02", ""]
    assert study.patient_hla()["hla"].tolist()[0] == "A*02:01,C*07:02"
