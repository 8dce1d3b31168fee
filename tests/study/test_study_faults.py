"""The specification of what is refused in the tables: one row per typical fault."""

from __future__ import annotations

import pytest

# (table, text, what it becomes), (table, line, column, value) of the fault, words of `allowed`
FAULTS = {
    # ids
    "id with a slash": (
        ("samples.tsv", "S5\tP2", "S/5\tP2"),
        ("samples.tsv", 6, "sample_id", "S/5"),
        "letters, digits",
    ),
    "id that climbs": (
        ("participants.tsv", "P3\tchemo", "..\tchemo"),
        ("participants.tsv", 4, "patient_id", ".."),
        "letters, digits",
    ),
    "empty id": (
        ("participants.tsv", "P3\tchemo", "\tchemo"),
        ("participants.tsv", 4, "patient_id", ""),
        "none may be empty",
    ),
    "id twice": (
        ("libraries.tsv", "L2\tS2", "L1\tS2"),
        ("libraries.tsv", 3, "library_id", "L1"),
        "line 2 has it too",
    ),
    "ids alike but for case": (
        ("participants.tsv", "P3\tchemo", "p1\tchemo"),
        ("participants.tsv", 4, "patient_id", "p1"),
        "line 3 has 'P1'",
    ),
    # vocabularies and values
    "undeclared visit": (
        ("samples.tsv", "P1\tweek6", "P1\tweek8"),
        ("samples.tsv", 3, "visit", "week8"),
        "one of baseline, week6",
    ),
    "undeclared tissue": (
        ("samples.tsv", "tumor", "tumour"),
        ("samples.tsv", 6, "tissue", "tumour"),
        "one of blood, tumor",
    ),
    "blank after a value": (
        ("samples.tsv", "P1\tweek6", "P1\tweek6 "),
        ("samples.tsv", 3, "visit", "week6 "),
        "no blanks",
    ),
    "unknown phase": (
        ("samples.tsv", "post_bout", "after"),
        ("samples.tsv", 7, "session_phase", "after"),
        "one of rest, post_bout",
    ),
    "unknown status": (
        ("samples.tsv", "lesion_unsafe", "unsafe"),
        ("samples.tsv", 6, "status", "unsafe"),
        "one of collected",
    ),
    "unknown state": (
        ("libraries.tsv", "expected\t\n", "planned\t\n"),
        ("libraries.tsv", 7, "state", "planned"),
        "one of delivered, expected",
    ),
    "undeclared visit of a measurement": (
        ("measurements.tsv", "P1\tweek6", "P1\tweek7"),
        ("measurements.tsv", 2, "visit", "week7"),
        "one of baseline, week6",
    ),
    "decimal comma": (
        ("measurements.tsv", "8.25", "8,25"),
        ("measurements.tsv", 3, "value", "8,25"),
        "decimal point",
    ),
    "value below detection": (
        ("measurements.tsv", "8.25", "<8"),
        ("measurements.tsv", 3, "value", "<8"),
        "a number",
    ),
    "infinite value": (
        ("measurements.tsv", "8.25", "1e999"),
        ("measurements.tsv", 3, "value", "1e999"),
        "a number",
    ),
    "no value": (
        ("measurements.tsv", "8.25", ""),
        ("measurements.tsv", 3, "value", ""),
        "none may be empty",
    ),
    "percent above 100": (
        ("samples.tsv", "31.5", "131.5"),
        ("samples.tsv", 2, "lymphocyte_pct", "131.5"),
        "from 0 to 100",
    ),
    "negative percent": (
        ("samples.tsv", "31.5", "-1"),
        ("samples.tsv", 2, "lymphocyte_pct", "-1"),
        "from 0 to 100",
    ),
    "part of a cell": (
        ("libraries.tsv", "5000", "5000.5"),
        ("libraries.tsv", 2, "expected_cells", "5000.5"),
        "whole number",
    ),
    "German date": (
        ("participants.tsv", "2026-01-05", "05.01.2026"),
        ("participants.tsv", 3, "enrolled_on", "05.01.2026"),
        "YYYY-MM-DD",
    ),
    "day that never was": (
        ("participants.tsv", "2026-01-05", "2026-02-30"),
        ("participants.tsv", 3, "enrolled_on", "2026-02-30"),
        "YYYY-MM-DD",
    ),
    "decimal comma lost": (
        ("measurements.tsv", "8.25", "0825"),
        ("measurements.tsv", 3, "value", "0825"),
        "lost the decimal comma",
    ),
    "serotype": (
        ("participants.tsv", "A*01:01", "A1"),
        ("participants.tsv", 4, "hla", "A1"),
        "a serotype such as A2 leaves the allele open",
    ),
    "alleles by semicolon": (
        ("participants.tsv", "A*02:01, B*07:02", "A*02:01;B*07:02"),
        ("participants.tsv", 3, "hla", "A*02:01;B*07:02"),
        "separated by commas",
    ),
    "allele and a word": (
        ("antigens.tsv", "GILGFVFTL\tA*02:01", "GILGFVFTL\tA*02:01 biotin"),
        ("antigens.tsv", 3, "hla", "A*02:01 biotin"),
        "as H2-Kb",
    ),
    "control perhaps": (
        ("antigens.tsv", "TRUE", "maybe"),
        ("antigens.tsv", 4, "is_control", "maybe"),
        "one of true",
    ),
    "tag twice": (
        ("antigens.tsv", "A1\tGIL", "A2\tGIL"),
        ("antigens.tsv", 3, "dna_barcode", "A2"),
        "line 2 has it too",
    ),
    "antigen without a peptide": (
        ("antigens.tsv", "GILGFVFTL", ""),
        ("antigens.tsv", 3, "peptide", ""),
        "only a control",
    ),
    "unknown sex": (
        ("participants.tsv", "immuno\tF", "immuno\t1"),
        ("participants.tsv", 3, "sex", "1"),
        "one of female, male",
    ),
    "empty stratum": (
        ("participants.tsv", "immuno", ""),
        ("participants.tsv", 3, "treatment", ""),
        "none may be empty",
    ),
    # columns
    "missing column": (
        ("samples.tsv", "patient_id\tvisit", "patient\tvisit"),
        ("samples.tsv", 1, "patient_id", ""),
        "there are: sample_id, patient, visit",
    ),
    "missing stratum": (
        ("participants.tsv", "treatment\t", "therapy\t"),
        ("participants.tsv", 1, "treatment", ""),
        "this column is required",
    ),
    "column of arms": (
        ("participants.tsv", "site", "Arm"),
        ("participants.tsv", 1, "Arm", "north, south"),
        "sealed in allocation.tsv",
    ),
    # between tables
    "sample of an unknown patient": (
        ("samples.tsv", "S1\tP1", "S1\tP9"),
        ("samples.tsv", 2, "patient_id", "P9"),
        "a patient_id of participants.tsv",
    ),
    "library of an unknown sample": (
        ("libraries.tsv", "L3\tS3", "L3\tS33"),
        ("libraries.tsv", 4, "sample_id", "S33"),
        "did you mean S3?",
    ),
    "measurement of an unknown patient": (
        ("measurements.tsv", "P2\tbaseline", "X2\tbaseline"),
        ("measurements.tsv", 4, "patient_id", "X2"),
        "a patient_id of participants.tsv",
    ),
    "same measurement twice": (
        ("measurements.tsv", "P1\tbaseline", "P1\tweek6"),
        (
            "measurements.tsv",
            3,
            "patient_id visit assay analyte session_phase minutes_from_bout",
            "P1 week6 flow NK rest",
        ),
        "line 2 has it too",
    ),
    "same specimen twice": (
        ("samples.tsv", "S2\tP1\tweek6", "S2\tP1\tbaseline"),
        ("samples.tsv", 3, "patient_id visit tissue session_phase", "P1 baseline blood rest"),
        "line 2 has it too",
    ),
    "hashtag twice in a library": (
        ("hashtags.tsv", "HT2", "HT1"),
        ("hashtags.tsv", 3, "library_id hashtag", "L6 HT1"),
        "line 2 has it too",
    ),
    "hashtag of an unknown sample": (
        ("hashtags.tsv", "S6", "Z9"),
        ("hashtags.tsv", 3, "sample_id", "Z9"),
        "a sample_id of samples.tsv",
    ),
    "hashtag of an unknown library": (
        ("hashtags.tsv", "L6\tHT2", "L66\tHT2"),
        ("hashtags.tsv", 3, "library_id", "L66"),
        "a library_id of libraries.tsv",
    ),
    "hashtag of a library that is not pooled": (
        ("hashtags.tsv", "L6\tHT2", "L4\tHT2"),
        ("hashtags.tsv", 3, "library_id", "L4"),
        "a pooled library",
    ),
    "pooled library without hashtags": (
        ("libraries.tsv", "L4\tS4", "L4\t"),
        ("libraries.tsv", 5, "sample_id", ""),
        "only a pooled library",
    ),
    "library of a specimen never taken": (
        ("libraries.tsv", "L3\tS3", "L3\tS5"),
        ("libraries.tsv", 4, "sample_id", "S5"),
        "lesion_unsafe",
    ),
    "empty batch": (
        ("libraries.tsv", "S3\trun2", "S3\t"),
        ("libraries.tsv", 4, "batch", ""),
        "none may be empty",
    ),
    "batch named as an arm": (
        ("libraries.tsv", "S3\trun2", "S3\tExercise"),
        ("libraries.tsv", 4, "batch", "Exercise"),
        "never an arm",
    ),
    "batch named as a visit": (
        ("libraries.tsv", "S3\trun2", "S3\tweek6"),
        ("libraries.tsv", 4, "batch", "week6"),
        "never an arm, a visit",
    ),
    "screen without input": (
        ("bulk_samples.tsv", "K2\tinput", "K2\tsample"),
        ("bulk_screens.tsv", 2, "screen_id", "X1"),
        "role input",
    ),
    "tag of an unknown screen": (
        ("bulk_samples.tsv", "X1\tK2", "X2\tK2"),
        ("bulk_samples.tsv", 3, "screen_id", "X2"),
        "a screen_id of bulk_screens.tsv",
    ),
    "override of an unknown library": (
        ("cell_type_overrides.tsv", "L1\t", "L9\t"),
        ("cell_type_overrides.tsv", 2, "library_id", "L9"),
        "a library_id of libraries.tsv",
    ),
    "override with a label of no cell type": (
        ("cell_type_overrides.tsv", "CD8 T\t", "CD8\t"),
        ("cell_type_overrides.tsv", 3, "label", "CD8"),
        "one of CD4 T, CD8 T",
    ),
    "override without a reason": (
        ("cell_type_overrides.tsv", "CXCL13", ""),
        ("cell_type_overrides.tsv", 3, "reason", ""),
        "none may be empty",
    ),
    "override of a cluster of no clustering": (
        ("cell_type_overrides.tsv", "0123456789ab", ""),
        ("cell_type_overrides.tsv", 3, "", "4"),
        "clustering and cluster",
    ),
    "override of a cell and a cluster": (
        ("cell_type_overrides.tsv", "L1\tAAAC0-1\t\t", "L1\tAAAC0-1\t\t4"),
        ("cell_type_overrides.tsv", 2, "", "L1 AAAC0-1 4"),
        "library_id and cell_barcode",
    ),
    # paths
    "file that is not there": (
        ("libraries.tsv", "lib/L4.h5", "lib/L44.h5"),
        ("libraries.tsv", 5, "gex", "lib/L44.h5"),
        "an existing file",
    ),
    "path out of the study": (
        ("libraries.tsv", "lib/L4.h5", "../L4.h5"),
        ("libraries.tsv", 5, "gex", "../L4.h5"),
        "data_roots",
    ),
    "absolute path": (
        ("libraries.tsv", "lib/L4.h5", "/etc/passwd"),
        ("libraries.tsv", 5, "gex", "/etc/passwd"),
        "data_roots",
    ),
    "two libraries with one file": (
        ("libraries.tsv", "lib/L4.h5", "./lib/../lib/L3.h5"),
        ("libraries.tsv", 5, "gex", "./lib/../lib/L3.h5"),
        "line 4 claims this one",
    ),
    "matrix given as contigs": (
        ("libraries.tsv", "lib/L2.csv", "lib/L2.h5"),
        ("libraries.tsv", 3, "vdj", "lib/L2.h5"),
        "table of contigs",
    ),
    "delivered library without files": (
        ("libraries.tsv", "lib/L4.h5", ""),
        ("libraries.tsv", 5, "library_id", "L4"),
        "or state expected",
    ),
    "reads that are not there": (
        ("bulk_screens.tsv", "bulk/reads.fastq", "bulk/none.fastq"),
        ("bulk_screens.tsv", 2, "fastq", "bulk/none.fastq"),
        "an existing file",
    ),
}


# tables that no other refers to: they cost time only
APART = (
    ["antigens.tsv"],
    ["cell_type_overrides.tsv"],
    ["measurements.tsv"],
    ["bulk_screens.tsv", "bulk_samples.tsv"],
)


@pytest.mark.parametrize(("change", "fault", "words"), FAULTS.values(), ids=FAULTS.keys())
def test_fault_names_table_line_column_value_and_what_is_allowed(small_study, change, fault, words):
    small_study.replace(*change)
    for others in APART:
        if change[0] not in others:
            small_study.remove(*others)
    found = {(f.table, f.row, f.column, f.value): f.allowed for f in small_study.faults()}
    assert fault in found
    assert words in found[fault]


@pytest.mark.parametrize(
    "name",
    ["undeclared visit", "blank after a value", "decimal comma", "two libraries with one file"],
)
def test_one_mistake_is_one_fault(small_study, name):
    small_study.replace(*FAULTS[name][0])
    assert len(small_study.faults()) == 1


def test_every_fault_of_every_table_is_reported_at_once(small_study):
    small_study.replace("study.yaml", "study: small", "study: small\ncolour: red")
    small_study.replace("participants.tsv", "A*01:01", "A1")
    small_study.replace("samples.tsv", "tumor", "liver")
    small_study.replace("libraries.tsv", "L3\tS3", "L3\tS33")
    small_study.replace("measurements.tsv", "8.25", "many")
    assert [(f.table, f.column) for f in small_study.faults()] == [
        ("study.yaml", "colour"),
        ("participants.tsv", "hla"),
        ("samples.tsv", "tissue"),
        ("measurements.tsv", "value"),
        ("libraries.tsv", "sample_id"),
    ]


def test_arms_are_found_in_a_column_by_its_values(small_study):
    text = (small_study / "participants.tsv").read_text()
    text = text.replace("north", "Control").replace("south", "exercise")
    (small_study / "participants.tsv").write_text(text)
    (fault,) = small_study.faults()
    assert (fault.row, fault.column, fault.value) == (1, "site", "control, exercise")


def test_incomplete_table_does_not_make_others_look_wrong(small_study):
    small_study.replace("samples.tsv", "sample_id\t", "sample\t")
    assert [(f.table, f.column) for f in small_study.faults()] == [("samples.tsv", "sample_id")]


@pytest.mark.parametrize(
    ("names", "table"),
    [
        (["participants.tsv"], "participants.tsv"),
        (["samples.tsv"], "samples.tsv"),
        (
            ["libraries.tsv", "measurements.tsv", "bulk_screens.tsv", "bulk_samples.tsv"],
            "study folder",
        ),
    ],
)
def test_missing_table_is_a_fault(small_study, names, table):
    small_study.remove(*names)
    assert table in {fault.table for fault in small_study.faults()}


@pytest.mark.parametrize(
    "kept", [["measurements.tsv"], ["bulk_screens.tsv", "bulk_samples.tsv", "samples.tsv"]]
)
def test_one_kind_of_data_is_enough(small_study, kept):
    everything = {path.name for path in small_study.path.glob("*.tsv")}
    small_study.remove(*everything - {*kept, "participants.tsv", "allocation.tsv"})
    study = small_study.read()
    assert study.layout().empty
    assert study.delivered_libraries() == ()


def test_tags_need_the_table_of_their_screens(small_study):
    small_study.remove("bulk_screens.tsv")
    (fault,) = small_study.faults()
    assert fault.table == "bulk_screens.tsv"
    assert "each screen that bulk_samples.tsv names" in fault.allowed


def test_patients_are_needed(small_study):
    header = (small_study / "participants.tsv").read_text().splitlines()[0]
    (small_study / "participants.tsv").write_text(f"{header}\n")
    assert "at least one patient" in {fault.allowed for fault in small_study.faults()}


def test_missing_folder_is_one_fault(small_study):
    small_study.path = small_study / "nowhere"
    (fault,) = small_study.faults()
    assert fault.table.endswith("nowhere")


def test_expected_library_needs_no_file_yet(small_study):
    assert not (small_study / "lib/L7.h5").exists()
    assert "L7" not in small_study.read().delivered_libraries()
