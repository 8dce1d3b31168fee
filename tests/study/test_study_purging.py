"""A purged patient: what is theirs in a study folder, and the study without it."""

from __future__ import annotations

import json
from dataclasses import replace

import pandas as pd
import pytest

from hiaim_sc.storage import digest_file
from hiaim_sc.study import held_screens, screen_tags
from hiaim_sc.study.arrivals import (
    Purge,
    Registry,
    hold_against,
    hold_copies,
    leave_out,
    owned_by,
    says_something,
)

P1 = Purge("P1", "2026-03-04T10:00:00+00:00", "a person")
P2 = Purge("P2", "2026-03-04T10:00:00+00:00", "a person")


def test_libraries_pools_and_screens_are_owned(small_study):
    study = small_study.read()
    of_1, of_2 = owned_by(study, "P1"), owned_by(study, "P2")
    assert (of_1.libraries, of_1.pooled, of_1.screens) == (("L1", "L2"), (), ("X1",))
    assert (of_2.libraries, of_2.pooled, of_2.screens) == (("L3", "L4", "L7"), ("L6",), ())
    assert {path.name for path in of_1.files} == {
        *("L1.h5", "L1.csv", "L2.h5", "L2.csv", "reads.fastq")
    }
    assert owned_by(study, "P9").files == ()


def test_a_purged_patient_is_left_as_planned_and_withdrawn(small_study):
    before = small_study.read()
    study = leave_out(before, {"P1": P1})
    theirs = study.samples[study.samples["patient_id"] == "P1"]
    assert list(theirs["sample_id"]) == ["S1", "S2"]
    assert set(theirs["status"]) == {"withdrew"}
    assert set(theirs["reason"]) == {"purged on 2026-03-04"}
    assert theirs["lymphocyte_pct"].isna().all()
    person = study.participants.set_index("patient_id").loc["P1"]
    assert person["treatment"] == "immuno"
    assert person[["sex", "hla", "enrolled_on"]].isna().all()
    assert list(study.measurements["patient_id"]) == ["P2"]
    assert set(study.layout()["library_id"]) == {"L3", "L4", "L6"}
    assert set(study.not_processable()) == {"L1", "L2"}
    assert "purged on 2026-03-04" in study.not_processable()["L1"]
    # everybody else is as they were
    for name in ("participants", "samples"):
        old, new = getattr(before, name), getattr(study, name)
        pd.testing.assert_frame_equal(
            new[new["patient_id"] != "P1"], old[old["patient_id"] != "P1"]
        )


def test_labels_that_people_gave_to_their_cells_are_left_out(small_study):
    labels = pd.DataFrame({"library_id": ["L1", "L3"], "label": "CD8", "cell_barcode": "AAAC-1"})
    study = replace(small_study.read(), cell_type_overrides=labels)
    assert list(leave_out(study, {"P1": P1}).cell_type_overrides["library_id"]) == ["L3"]


def test_a_pool_is_held_until_it_does_not_name_them(small_study):
    study = leave_out(small_study.read(), {"P2": P2})
    assert set(study.not_processable()) == {"L3", "L4", "L6", "L7"}
    assert "L6" not in study.delivered_libraries()
    small_study.replace("hashtags.tsv", "L6\tHT2\tS6\n", "")
    small_study.replace("hashtags.tsv", "L6\tHT1\tS4", "L6\tHT1\tS1")
    assert "L6" in leave_out(small_study.read(), {"P2": P2}).delivered_libraries()


def test_a_screen_is_held_with_a_reason(small_study):
    study = leave_out(small_study.read(), {"P1": P1})
    assert study.bulk_screens.empty
    assert screen_tags(study).empty
    (row,) = held_screens(study).itertuples()
    assert row.screen_id == "X1"
    assert "purged on 2026-03-04" in row.reason
    assert held_screens(small_study.read()).empty


def test_the_same_files_under_another_name_are_held(small_study):
    study = small_study.read()
    purge = Purge(
        "P1", P1.when, P1.who, digests=frozenset({digest_file(small_study / "lib/L3.h5")})
    )
    # matrices without counts are all the same bytes, the tables of contigs too
    (small_study / "lib/L3.h5").write_bytes(b"of P1")
    purge = Purge(
        "P1", P1.when, P1.who, digests=frozenset({digest_file(small_study / "lib/L3.h5")})
    )
    assert set(hold_copies(study, [purge], digest_file).not_processable()) == {"L3"}
    reads = Purge(
        "P1", P1.when, P1.who, digests=frozenset({digest_file(small_study / "bulk/reads.fastq")})
    )
    assert set(hold_copies(study, [reads], digest_file).held_screens) == {"X1"}
    assert hold_copies(study, [P1], digest_file) is study


def test_the_registry_remembers_a_purge_and_adds_to_it(small_study, tmp_path):
    registry = Registry(tmp_path / "arrivals.jsonl")
    registry.take_in("L1", {"gex": "d0"})
    registry.purge("P1", who="ann", libraries=["L1"], digests=["d1"])
    registry.purge("P1", who="bob", libraries=["L2"], digests=["d2"])
    purge = registry.read().purged["P1"]
    assert (purge.who, purge.libraries, purge.digests) == ("ann", {"L1", "L2"}, {"d1", "d2"})
    assert registry.read().entries["L1"].files == {"gex": "d0"}
    assert [json.loads(line)["event"] for line in registry.path.read_text().splitlines()] == [
        *("registered", "purged", "purged")
    ]
    # and what is held for it stays held beside what the registry knows
    study = leave_out(small_study.read(), registry.read().purged)
    found = hold_against(study, registry.read(), digest_file)
    assert set(found.not_processable()) == {"L1", "L2"}


@pytest.mark.parametrize(
    ("name", "row", "says"),
    [
        ("expected_samples", {"status": "withdrew", "reason": "purged", "visit": "week6"}, False),
        ("expected_samples", {"status": "collected", "reason": None}, False),
        ("expected_samples", {"status": "withdrew", "lymphocyte_pct": 30.0}, True),
        ("participants", {"sex": None}, False),
        ("participants", {"sex": "female"}, True),
        ("layout", {"library_id": "L1", "batch": "run1"}, True),
        ("strata", {"treatment": "immuno"}, False),
    ],
)
def test_what_tells_more_than_that_they_withdrew(name, row, says):
    table = pd.DataFrame([{"patient_id": "P1", **row}])
    assert says_something(name, table, "P1") is says
    assert says_something(name, table, "P2") is False


def test_a_damaged_table_may_say_anything():
    assert says_something("layout", None, "P1")
    assert not says_something("panel", pd.DataFrame({"gene": ["CD8A"]}), "P1")
