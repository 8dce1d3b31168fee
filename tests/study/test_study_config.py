"""What is refused in study.yaml."""

from __future__ import annotations

import pytest

from hiaim_sc.study.config_file import read_config

DESIGN = """\
study: trial
design:
  arms: [control, exercise]
  visits: {baseline: 0, week6: 42}
  tissues: [blood]
"""


def _faults(tmp_path, text: str | bytes):
    path = tmp_path / "study.yaml"
    path.write_bytes(text if isinstance(text, bytes) else text.encode())
    config, _, faults = read_config(path)
    assert config is None or config.study
    return faults


@pytest.mark.parametrize(
    ("text", "line", "key", "value", "allowed"),
    [
        ("study: [1, 2", 1, "", "study: [1, 2", "YAML that can be read"),
        (DESIGN + "  strata: [a\noptions: {}\n", 7, "", "options: {}", "YAML that can be read"),
        ("\nstudy: 2026-13-45", 0, "", "", "month must be in 1..12"),
        ("just text", 1, "", "just text", "a mapping"),
        ("", 0, "", "an empty file", "a YAML file"),
        ("<html>", 0, "", "a web page", "a YAML file"),
        (DESIGN.encode() + b"x: \xfc\n", 6, "", "byte 0xfc", "UTF-8"),
        (DESIGN + "colour: red\n", 6, "colour", "colour", "known here: study, design"),
        (
            DESIGN + "options:\n  qc:\n    min_gene: 3\n",
            8,
            "options.qc.min_gene",
            "min_gene",
            "did you mean min_genes?",
        ),
        (
            DESIGN + "options: {qc: {min_genes: few}}\n",
            6,
            "options.qc.min_genes",
            "few",
            "integer",
        ),
        (
            DESIGN + "options: {tcr: {dual_ir: both}}\n",
            6,
            "options.tcr.dual_ir",
            "both",
            "primary_only",
        ),
        (DESIGN.replace("study: trial\n", ""), 0, "study", "", "this key is required"),
        (DESIGN.replace("trial", "my trial"), 1, "study", "my trial", "match pattern"),
        (DESIGN.replace("control, ", ""), 3, "design.arms", "['exercise']", "at least 2"),
        (DESIGN.replace("control", "yes"), 3, "design.arms[0]", "True", "valid string"),
        (DESIGN.replace("week6: 42", "week6: soon"), 4, "design.visits.week6", "soon", "integer"),
        (DESIGN.replace("[blood]", "[blood, blood]"), 2, "design", "", "tissues has a value twice"),
        (DESIGN.replace("baseline: 0", "baseline: 50"), 2, "design", "", "order of their days"),
        (DESIGN + "study: again\n", 6, "study", "study", "each key once"),
        (DESIGN + "  strata: [Arm]\n", 6, "design.strata", "Arm", "sealed"),
        (DESIGN + "data_roots: [/nowhere/here]\n", 6, "data_roots", "/nowhere/here", "existing"),
        (
            DESIGN + "options: {annotate: {panel: mine.tsv}}\n",
            6,
            "options.annotate.panel",
            "mine.tsv",
            "a file of the study",
        ),
        (
            DESIGN + "options:\n  databases:\n    files: [vdjdb.tsv]\n",
            8,
            "options.databases.files[0]",
            "vdjdb.tsv",
            "a file of the study",
        ),
        (
            DESIGN + "options: {databases: {files: [study.yaml]}}\n",
            6,
            "options.databases.files[0]",
            "study.yaml",
            "begins with study: trial: the VDJdb .tsv",
        ),
    ],
)
def test_fault_has_its_key_line_and_value(tmp_path, text, line, key, value, allowed):
    (fault,) = _faults(tmp_path, text)
    assert (fault.table, fault.row, fault.column) == ("study.yaml", line, key)
    assert fault.value.startswith(value)
    assert allowed in fault.allowed


def test_missing_file_is_a_fault(tmp_path):
    config, design, (fault,) = read_config(tmp_path / "study.yaml")
    assert config is design is None
    assert fault.value == "No such file or directory"


def test_all_faults_come_at_once(tmp_path):
    text = DESIGN.replace("trial", "a b") + "options: {qc: {min_genes: -1}, speed: 9}\n"
    assert {fault.column for fault in _faults(tmp_path, text)} == {
        "study",
        "options.qc.min_genes",
        "options.speed",
    }


def test_a_section_all_commented_out_means_the_defaults(tmp_path):
    assert _faults(tmp_path, DESIGN + "options:\n  # qc: {min_genes: 200}\n") == []
    assert _faults(tmp_path, DESIGN + "options:\n  qc:\n    # min_genes: 200\n") == []


def test_an_empty_unknown_section_is_still_unknown(tmp_path):
    (fault,) = _faults(tmp_path, DESIGN + "options:\n  quality:\n")
    assert fault.column == "options.quality"


def test_the_design_is_known_in_spite_of_a_wrong_option(tmp_path):
    path = tmp_path / "study.yaml"
    path.write_text(DESIGN + "options: {speed: 9}\n")
    config, design, _ = read_config(path)
    assert config is None
    assert design is not None
    assert design.baseline == "baseline"
