"""Bulk screens in words and as tables."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.dna_barcodes import OUTCOMES
from hiaim_sc.names import BULK_FLAGS, RELEASE_TABLES
from hiaim_sc.report.screens import describe_screens, view_breadth, view_quality, view_responses

BREADTH = pd.DataFrame(
    [
        ("X1", "S2", "P2", "K4;K5", 20, 1, 0.05, 0.1, 2, 3, 2.6),
        ("X1", "S1", "P1", "K1;K2", 12, 2, 2 / 12, 0.8, 2, 3, 2.6),
        ("X1", "S3", "P3", "K6", 20, 0, 0.0, np.nan, 1, 3, 4.1),
    ],
    columns=RELEASE_TABLES["bulk_breadth"],
)
RESPONSES = pd.DataFrame(
    [
        ("X1", "K1;K2", "S1", "P1", "A1B1", "GILGFVFTL", "A*02:01", 4.0, 1e-9, True, 0.6, ""),
        ("X1", "K1;K2", "S1", "P1", "A1B2", None, "A*02:01", 3.0, 1e-12, True, 0.2, "low_input"),
        ("X1", "K1;K2", "S1", "P1", "A1B3", None, "B*07:02", 3.0, 1e-6, True, 0.1, "hla_mismatch"),
        ("X1", "K4;K5", "S2", "P2", "A1B1", "GILGFVFTL", "A*02:01", 2.0, 1e-5, True, 0.1, ""),
        ("X1", "K6", "S3", "P3", "A1B1", None, None, 0.1, 1.0, False, None, "one_sample_replicate"),
    ],
    columns=[
        *("screen_id", "sample_tag", "sample_id", "patient_id", "dna_barcode", "peptide", "hla"),
        *("log_fold_change", "fdr", "response", "estimated_frequency", "flags"),
    ],
)
QUALITY = pd.DataFrame(
    [("X1", 1e6, 98.0, 0.1, 0.2, 0.5, 3.0, "pass", "")], columns=RELEASE_TABLES["bulk_screens_qc"]
)


SAMPLES = pd.DataFrame(
    [
        ("X1", f"K{i}", "sample" if i < 7 else "input", 0 if i in (3, 9) else 50)
        for i in range(1, 10)
    ],
    columns=["screen_id", "sample_tag", "role", "n_reads"],
)


def _tables(responses=RESPONSES, breadth=BREADTH, quality=QUALITY, samples=SAMPLES[3:8]):
    names = ("bulk_responses", "bulk_breadth", "bulk_screens_qc", "bulk_samples_qc")
    return dict(zip(names, (responses, breadth, quality, samples), strict=True))


def test_screens_in_words():
    assert describe_screens(_tables()) == [
        "1 bulk screen looked in 3 samples of 3 patients for 12 to 20 antigens that their HLA "
        "presents.",
        # what is not of the patient's HLA is none of his responses
        "3 responses were found, in 2 of 3 patients: per patient 1 in the median, from 0 to 2.",
        "2 of 4 responses in all samples are to be read with care: few molecules in the input (1) "
        "and not of the patient's HLA (1).",
        "1 sample has one replicate only, or one input: in it no response below 4.1-fold can be "
        "found, whatever was counted, in the others none below 2.6-fold.",
    ]


def test_a_response_seen_in_two_samples_of_a_patient_is_one():
    again = RESPONSES.iloc[[0]].assign(sample_tag="K7;K8", sample_id="S4")
    lines = describe_screens(_tables(pd.concat([RESPONSES, again], ignore_index=True)))
    assert lines[1].startswith("3 responses were found")
    assert lines[2].startswith("2 of 5 responses in all samples")


def test_without_responses_or_screens_no_more_is_said_than_is_known():
    none = RESPONSES.assign(response=False)
    replicates = BREADTH.iloc[:2]
    assert describe_screens(_tables(none, replicates))[1:] == [
        "No response was found in any of 2 patients.",
        "With the replicates there are, no response below 2.6-fold can be found.",
    ]
    assert describe_screens(_tables(none, BREADTH[:0], QUALITY[:0])) == []
    lost = QUALITY.assign(verdict="quarantined", reason="cut short")
    assert describe_screens(_tables(none[:0], BREADTH[:0], lost)) == [
        "1 of 1 bulk screen could not be used; the reason is below."
    ]
    few = QUALITY.assign(verdict="warn")
    assert "fewer than half of the reads" in describe_screens(_tables(quality=few))[0]


def test_sample_tags_without_reads_are_named():
    lines = describe_screens(_tables(samples=SAMPLES))
    assert lines[-1] == "No read counts for 2 sample tags: K3 of X1 (sample) and K9 of X1 (input)."
    lost = QUALITY.assign(verdict="quarantined", reason="cut short")
    assert len(describe_screens(_tables(samples=SAMPLES, quality=lost, breadth=BREADTH[:0]))) == 1
    many = pd.concat([SAMPLES.assign(n_reads=np.nan)] * 2)
    assert describe_screens(_tables(samples=many))[-1].endswith("K6 of X1 (sample) and 12 more.")


def test_tables_as_people_read_them():
    breadth = view_breadth(BREADTH)
    assert [row[1] for row in breadth.rows] == ["P1", "P2", "P3"]
    assert breadth.rows[0] == ["X1", "P1", "S1", "12", "2", "17 %", "0.80", "2", "3", "2.6"]
    responses = view_responses(RESPONSES)
    assert [row[:5] for row in responses.rows[:2]] == [
        ["P1", "S1", "A1B2", "", "A*02:01"],
        ["P1", "S1", "A1B1", "GILGFVFTL", "A*02:01"],
    ]
    assert [row[-1] for row in responses.rows] == [
        "few molecules in the input",
        "",
        "not of the patient's HLA",
        "",
    ]
    quality = view_quality(QUALITY)
    assert quality.rows == [
        ["X1", "1,000,000", "98.0", "0.100", "0.200", "3.00", "50 %", "passed", ""]
    ]
    for view in (breadth, responses, quality):
        assert all(len(row) == len(view.columns) for row in view.rows)


@pytest.mark.parametrize("word", [*BULK_FLAGS, *OUTCOMES])
def test_flags_and_outcomes_stand_in_the_glossary(word):
    glossary = Path(__file__).parents[2] / "docs" / "glossary.md"
    assert f"`{word}`" in glossary.read_text()


def test_every_flag_has_words():
    rows = RESPONSES.assign(flags=";".join(BULK_FLAGS))
    assert view_responses(rows).rows[0][-1].count(",") == len(BULK_FLAGS) - 1
