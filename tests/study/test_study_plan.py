"""The frozen plan: its hash, what counts as a change, and when the arms may be opened."""

from __future__ import annotations

import json
import sys
from datetime import UTC, datetime

import pytest
import yaml

from hiaim_sc.errors import UserInputError
from hiaim_sc.study import (
    changes_since,
    freeze_plan,
    hash_plan,
    read_frozen_plan,
    read_study,
    require_frozen_plan,
)
from hiaim_sc.study.plan import PLAN_LOCK

NOON = datetime(2026, 3, 1, 12, tzinfo=UTC)
CONFIG = {
    "study": "trial",
    "design": {
        "arms": ["control", "exercise"],
        "visits": {"baseline": 0, "week6": 42},
        "tissues": ["blood"],
        "strata": ["treatment"],
    },
}


@pytest.fixture
def folder(tmp_path):
    write_config(tmp_path)
    (tmp_path / "participants.tsv").write_text("patient_id\ttreatment\nP1\tCPI\nP2\tCPI\n")
    (tmp_path / "allocation.tsv").write_text("patient_id\tarm\nP1\tcontrol\nP2\texercise\n")
    header = "patient_id\tvisit\tassay\tanalyte\tvalue\tunit\n"
    (tmp_path / "measurements.tsv").write_text(header + "P1\tweek6\tflow\tNK\t0.2\t1e9/l\n")
    return tmp_path


def write_config(folder, **changes):
    (folder / "study.yaml").write_text(yaml.safe_dump({**CONFIG, **changes}))


def freeze(folder):
    return freeze_plan(read_study(folder), now=NOON, version="0.1")


def test_the_hash_is_of_canonical_json():
    plan = {
        "seed": 4263467,
        "primary": "blood_nk_log_abs",
        "arms": ["control", "exercise"],
        "alpha": 0.05,
    }
    expected = "b5abf6eae87c7d902dd1cfe1706330eea93d7cb4ff2abb8e06838743d2261107"
    assert hash_plan(plan) == expected


def test_freezing_twice_changes_nothing(folder):
    first = freeze(folder)
    content = (folder / PLAN_LOCK).read_bytes()
    again = freeze_plan(read_study(folder), now=datetime(2027, 1, 1, tzinfo=UTC), version="0.2")
    assert again == first
    assert (folder / PLAN_LOCK).read_bytes() == content
    assert first.frozen_at == "2026-03-01T12:00:00+00:00"
    assert read_frozen_plan(read_study(folder)) == first
    assert sorted(path.name for path in folder.glob(".*")) == []


@pytest.mark.parametrize(
    ("changes", "item"),
    [
        ({"analysis_plan": {"alpha": 0.01}}, "analysis_plan.alpha: 0.05 -> 0.01"),
        ({"options": {"compare": {"min_depth": 50}}}, "options.compare.min_depth: 100 -> 50"),
        (
            {"design": {**CONFIG["design"], "visits": {"baseline": 0, "week6": 43}}},
            "design.visits.week6: 42 -> 43",
        ),
    ],
)
def test_a_changed_plan_is_refused_item_by_item_unless_there_is_a_reason(folder, changes, item):
    frozen = freeze(folder)
    write_config(folder, **changes)
    study = read_study(folder)
    assert [str(change) for change in changes_since(frozen, study)] == [item]
    with pytest.raises(UserInputError, match="as frozen on 2026-03-01; undo the change"):
        require_frozen_plan(study)
    with pytest.raises(UserInputError, match=r"remove sap\.lock\.json"):
        freeze(folder)
    assert require_frozen_plan(study, deviation="the assay changed") == frozen


def test_what_no_number_depends_on_is_no_change(folder):
    frozen = freeze(folder)
    write_config(folder, study="renamed", options={}, analysis_plan={})
    assert require_frozen_plan(read_study(folder)) == frozen


@pytest.fixture
def with_files(folder):
    """The study with a panel in a subfolder and with antigens."""
    (folder / "ref").mkdir()
    (folder / "ref" / "panel.tsv").write_text("gene\tlabel\nNKG7\tNK\n")
    (folder / "antigens.tsv").write_text("dna_barcode\tpeptide\thla\nA1\tGILGFVFTL\tA*02:01\n")
    write_config(folder, options={"annotate": {"panel": "ref/panel.tsv"}})
    return folder


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("ref/panel.tsv", "gene\tlabel\n"),
        ("antigens.tsv", "dna_barcode\tpeptide\thla\nA1\tNLVPMVATV\tA*02:01\n"),
        (
            "cell_type_overrides.tsv",
            "library_id\tcell_barcode\tclustering\tcluster\tlabel\tcell_state\tauthor\treason\n",
        ),
    ],
)
def test_a_file_that_the_plan_depends_on_is_frozen_with_it(with_files, name, content):
    frozen = freeze(with_files)
    assert require_frozen_plan(read_study(with_files)) == frozen
    (with_files / name).write_text(content)
    study = read_study(with_files)
    assert [change.item for change in changes_since(frozen, study)] == [name]
    with pytest.raises(UserInputError, match="as frozen on 2026-03-01") as caught:
        require_frozen_plan(study)
    (fault,) = caught.value.faults
    assert (fault.table, fault.column) == (name, "")
    with pytest.raises(UserInputError, match=r"remove sap\.lock\.json"):
        freeze(with_files)
    assert require_frozen_plan(study, deviation="a gene was misspelt") == frozen


def test_tables_that_grow_with_the_trial_are_no_plan(with_files):
    frozen = freeze(with_files)
    with (with_files / "participants.tsv").open("a") as file:
        file.write("P3\tCPI\n")
    assert require_frozen_plan(read_study(with_files)) == frozen


def test_a_lock_that_recorded_no_files_knows_none_of_them(with_files):
    freeze(with_files)
    lock = json.loads((with_files / PLAN_LOCK).read_text())
    del lock["plan"]["files"]
    lock["plan_hash"] = hash_plan(lock["plan"])
    (with_files / PLAN_LOCK).write_text(json.dumps(lock))
    study = read_study(with_files)
    changes = changes_since(read_frozen_plan(study), study)
    assert [change.item for change in changes] == ["antigens.tsv", "ref/panel.tsv"]
    assert {change.before for change in changes} == {"(no such file)"}
    (with_files / "antigens.tsv").unlink()
    write_config(with_files)
    study = read_study(with_files)
    assert [change.item for change in changes_since(read_frozen_plan(study), study)] == [
        "options.annotate.panel"
    ]


def test_every_obstacle_to_unblinding_is_named_at_once(folder):
    (folder / "allocation.tsv").unlink()
    write_config(folder, design={**CONFIG["design"], "strata": []})
    with pytest.raises(UserInputError) as caught:
        require_frozen_plan(read_study(folder))
    places = [(fault.table, fault.column) for fault in caught.value.faults]
    assert places == [
        ("study.yaml", "design.strata"),
        ("allocation.tsv", ""),
        ("sap.lock.json", ""),
    ]


def test_a_trial_without_strata_says_so(folder):
    design = {**CONFIG["design"], "strata": []}
    write_config(folder, design=design)
    with pytest.raises(UserInputError, match="unstratified: true"):
        freeze(folder)
    write_config(folder, design=design, analysis_plan={"unstratified": True})
    freeze(folder)
    require_frozen_plan(read_study(folder))


@pytest.mark.parametrize("damage", ["{", "[]", '{"plan": 3}'])
def test_a_damaged_lock_is_refused(folder, damage):
    freeze(folder)
    (folder / PLAN_LOCK).write_text(damage)
    with pytest.raises(UserInputError, match=r"sap\.lock\.json"):
        require_frozen_plan(read_study(folder))


def test_an_edited_lock_is_refused(folder):
    freeze(folder)
    content = json.loads((folder / PLAN_LOCK).read_text())
    content["plan"]["analysis_plan"]["alpha"] = 0.01
    (folder / PLAN_LOCK).write_text(json.dumps(content))
    write_config(folder, analysis_plan={"alpha": 0.01})
    with pytest.raises(UserInputError, match="as freeze wrote it"):
        require_frozen_plan(read_study(folder))


def test_an_analyte_in_two_units_is_a_fault(folder):
    with (folder / "measurements.tsv").open("a") as file:
        file.write("P2\tweek6\tflow\tNK\t200\tcells/ul\nP2\tweek6\tflow\tB\t1\tcells/ul\n")
    with pytest.raises(UserInputError) as caught:
        read_study(folder)
    (fault,) = caught.value.faults
    assert (fault.table, fault.row, fault.column) == ("measurements.tsv", 3, "unit")
    assert "1e9/l" in fault.allowed


@pytest.mark.parametrize(
    ("planned", "column", "allowed"),
    [
        ({"unit": "cells/ul"}, "analysis_plan.registered_primary.unit", "1e9/l"),
        ({"analyte": "NKT"}, "analysis_plan.registered_primary", "flow:NK"),
        ({"visit": "week9"}, "analysis_plan.registered_primary.visit", "baseline, week6"),
    ],
)
def test_a_registered_primary_that_the_study_has_not_is_a_fault(folder, planned, column, allowed):
    right = {"assay": "flow", "analyte": "NK", "unit": "1e9/l", "visit": "week6"}
    write_config(folder, analysis_plan={"registered_primary": right})
    read_study(folder)
    write_config(folder, analysis_plan={"registered_primary": {**right, **planned}})
    with pytest.raises(UserInputError) as caught:
        read_study(folder)
    (fault,) = caught.value.faults
    assert fault.column == column
    assert allowed in fault.allowed


@pytest.mark.parametrize("key", ["depth", "pmhc_depth"])
def test_a_depth_of_an_unknown_tissue_is_a_fault(folder, key):
    write_config(folder, options={"compare": {key: {"blood": 300, "lung": 100}}})
    with pytest.raises(UserInputError) as caught:
        read_study(folder)
    (fault,) = caught.value.faults
    assert (fault.column, fault.value) == (f"options.compare.{key}", "lung")


def test_a_method_that_is_not_installed_is_a_fault(folder, monkeypatch):
    write_config(folder, options={"compare": {"deseq2": True}})
    read_study(folder)
    monkeypatch.setitem(sys.modules, "pydeseq2", None)
    monkeypatch.setattr(sys, "path", [])
    with pytest.raises(UserInputError, match=r"hiaim-sc\[de\]") as caught:
        read_study(folder)
    (fault,) = caught.value.faults
    assert fault.column == "options.compare.deseq2"
    write_config(folder)
    read_study(folder)


@pytest.mark.parametrize(
    ("plan", "column", "value"),
    [
        ({"primary_tissue": "lung"}, "primary_tissue", "lung"),
        (
            {"key_secondary_tissue": {"tum_T_frac": "lung"}},
            "key_secondary_tissue.tum_T_frac",
            "lung",
        ),
        ({"key_secondary_tissue": {"nexp_m": "blood"}}, "key_secondary_tissue", "nexp_m"),
    ],
)
def test_a_gate_is_of_tissues_and_endpoints_that_there_are(folder, plan, column, value):
    write_config(folder, analysis_plan=plan)
    with pytest.raises(UserInputError) as caught:
        read_study(folder)
    (fault,) = caught.value.faults
    assert (fault.column, fault.value) == (f"analysis_plan.{column}", value)
    write_config(folder, analysis_plan={"key_secondary_tissue": {"tum_T_frac": "blood"}})
    read_study(folder)


@pytest.mark.parametrize(
    ("plan", "column", "value"),
    [
        ({"primary": ["nexp_m", "n_exp"]}, "analysis_plan.primary", "n_exp"),
        ({"key_secondary": ["flow:NKT"]}, "analysis_plan.key_secondary", "flow:NKT"),
        ({"primary": ["blood_nk_frac_acute"]}, "analysis_plan.primary", "blood_nk_frac_acute"),
        ({"families": {"cells": ["nexp_m_acute"]}}, "analysis_plan.families.cells", "nexp_m_acute"),
    ],
)
def test_a_plan_names_endpoints_that_there_are(folder, plan, column, value):
    known = {"families": {"cells": ["flow:NK", "flow:NK_acute", "comp_NK", "startrac_expa_Treg"]}}
    write_config(folder, analysis_plan=known)
    read_study(folder)
    write_config(folder, analysis_plan=plan)
    with pytest.raises(UserInputError) as caught:
        read_study(folder)
    (fault,) = caught.value.faults
    assert (fault.column, fault.value) == (column, value)
    assert fault.allowed.startswith("an endpoint")
