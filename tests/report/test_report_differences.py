"""What changed between two releases."""

from __future__ import annotations

import json

import pandas as pd
import pytest

from hiaim_sc.errors import UserInputError
from hiaim_sc.report.differences import compare_releases

MANIFEST = {
    "inputs": {"samples.tsv": "a1", "lib/L1.h5": "b1"},
    "config": {"study": "s", "options": {"qc": {"min_genes": 100}}},
    "versions": {"numpy": "2.1"},
    "quarantined": {},
    "plan_hash": "p1",
    "blinded": True,
    "code": {"hiaim_sc": "0.1", "stages": {"qc": "c1", "clones": "c2"}},
    "tasks": [{"why": "first run", "status": "recomputed"}],
}
ENDPOINTS = pd.DataFrame(
    {
        "patient_id": ["P1", "P2"],
        "tissue": "blood",
        "visit": "week6",
        "session_phase": "rest",
        "endpoint": "blood_nk_frac",
        "value": [0.1, 0.2],
        "reason_missing": ["", ""],
    }
)


@pytest.fixture
def release(tmp_path):
    def write(name, manifest=None, **tables):
        folder = tmp_path / name
        (folder / "tables").mkdir(parents=True)
        (folder / "manifest.json").write_text(json.dumps({**MANIFEST, **(manifest or {})}))
        for table, frame in tables.items():
            frame.to_parquet(folder / "tables" / f"{table}.parquet")
        return folder

    return write


def told(differences):
    return {(d.where, d.item): (d.before, d.after) for d in differences if d.where != "why"}


def test_two_equal_releases_differ_in_nothing(release):
    same = [release(name, endpoints=ENDPOINTS) for name in ("a", "b")]
    assert told(compare_releases(*same)) == {}


def test_inputs_settings_code_and_reasons(release):
    changed = {
        "inputs": {"samples.tsv": "a2", "lib/L2.h5": "b2"},
        "config": {"study": "s", "options": {"qc": {"min_genes": 200}}},
        "quarantined": {"L1": "cut short"},
        "blinded": False,
        "code": {"hiaim_sc": "0.1", "stages": {"qc": "c9", "clones": "c2"}},
        "tasks": [
            {"why": "option changed: qc", "status": "recomputed"},
            {"why": "option changed: qc", "status": "recomputed"},
            {"why": "nothing changed", "status": "reused"},
        ],
    }
    found = compare_releases(release("a"), release("b", changed))
    assert told(found) == {
        ("inputs", "samples.tsv"): ("a1", "a2"),
        ("inputs", "lib/L1.h5"): ("b1", ""),
        ("inputs", "lib/L2.h5"): ("", "b2"),
        ("config", "options.qc.min_genes"): ("100", "200"),
        ("quarantined", "L1"): ("", "cut short"),
        ("plan", "blinded"): ("True", "False"),
        ("code", "stages.qc"): ("c1", "c9"),
    }
    assert [(d.item, d.after) for d in found if d.where == "why"] == [
        ("option changed: qc", "2 stages")
    ]


def test_endpoints_are_told_row_by_row_whatever_their_order(release):
    moved = ENDPOINTS.iloc[::-1].assign(value=[0.25, 0.1])
    more = pd.concat([moved, ENDPOINTS.iloc[[0]].assign(patient_id="P3", value=float("nan"))])
    more.loc[more["patient_id"] == "P3", "reason_missing"] = "failed_qc"
    found = compare_releases(release("a", endpoints=ENDPOINTS), release("b", endpoints=more))
    place = "blood week6 rest blood_nk_frac"
    assert told(found) == {
        ("endpoints", "rows"): ("2", "3"),
        ("endpoints", f"P2 {place}: value"): ("0.2", "0.25"),
        ("endpoints", f"P3 {place}: reason_missing"): ("", "failed_qc"),
    }


def test_a_folder_that_is_no_release_is_the_users_fault(release, tmp_path):
    with pytest.raises(UserInputError, match="folder of a release"):
        compare_releases(release("a"), tmp_path)


def test_a_release_that_a_purge_has_emptied_is_not_compared(release):
    emptied = release("b", manifest={"purged": "2026-03-04T10:00:00+00:00"})
    with pytest.raises(UserInputError, match="emptied by a purge on 2026-03-04"):
        compare_releases(release("a"), emptied)
