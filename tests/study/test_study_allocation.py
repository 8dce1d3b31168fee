"""The sealed allocation."""

from __future__ import annotations

import pytest

from hiaim_sc.errors import UserInputError
from hiaim_sc.study import find_allocation_faults, read_allocation


def test_arm_of_each_patient(small_study):
    arms = read_allocation(small_study.read())
    assert arms.to_dict() == {"P1": "control", "P2": "exercise", "P3": "exercise"}
    assert arms.index.tolist() == ["P1", "P2", "P3"]
    assert arms.index.name == "patient_id"


def test_no_allocation_is_no_fault(small_study):
    small_study.remove("allocation.tsv")
    study = small_study.read()
    assert study.allocation_file() is None
    assert read_allocation(study) is None
    assert find_allocation_faults(study) == []


def test_reading_the_study_leaves_the_allocation_closed(small_study):
    (small_study / "allocation.tsv").write_bytes(b"\0 not even a table")
    study = small_study.read()
    assert study.allocation_file() == small_study.path.resolve() / "allocation.tsv"
    assert len(find_allocation_faults(study)) == 1


@pytest.mark.parametrize(
    ("old", "new", "faults", "words"),
    [
        ("P1\tcontrol", "P2\tcontrol", [(0, "patient_id", "P1"), (4, "patient_id", "P2")], "once"),
        ("P1\tcontrol", "P1\tplacebo", [(3, "arm", "placebo")], "one of control, exercise"),
        ("P1\tcontrol", "P1\t", [(3, "arm", "")], "none may be empty"),
        ("P1\tcontrol\n", "P1\tcontrol\nP9\tcontrol\n", [(4, "patient_id", "P9")], "participants"),
        ("P1\tcontrol\n", "", [(0, "patient_id", "P1")], "an arm for each patient"),
        ("patient_id\tarm", "patient_id\tgroup", [(1, "arm", "")], "there are: patient_id, group"),
    ],
    ids=[
        "in two arms",
        "undeclared arm",
        "no arm",
        "unknown patient",
        "not allocated",
        "no column",
    ],
)
def test_faults_of_the_allocation(small_study, old, new, faults, words):
    small_study.replace("allocation.tsv", old, new)
    study = small_study.read()
    found = find_allocation_faults(study)
    assert [(fault.row, fault.column, fault.value) for fault in found] == faults
    assert {fault.table for fault in found} == {"allocation.tsv"}
    assert words in found[-1].allowed
    with pytest.raises(UserInputError):
        read_allocation(study)
