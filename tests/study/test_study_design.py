"""Batches against visits and arms, judged by hand."""

from __future__ import annotations

import pytest

from hiaim_sc.study import check_design, read_allocation

# batches of L1 (P1 baseline), L2 (P1 week6), L3 (P2 baseline), L4 (P2 week6);
# P1 is control, P2 exercise
BATCHES = {
    "one batch": ("a a a a", [], []),
    "batch is visit": ("a b a b", ["visit"], ["visit"]),
    "batch is visit, three batches": ("a b c b", ["visit"], ["arm", "visit"]),
    "batch is patient and so arm": ("a a b b", [], ["arm", "arm"]),
    "crossed: each visit's arms in two batches": ("a b b a", [], ["arm", "arm"]),
    "a bridge at baseline only": ("a a a b", [], ["arm"]),
}


def _study(small_study, batches):
    text = (small_study / "libraries.tsv").read_text()
    lines = text.splitlines()
    for position, batch in enumerate(batches.split(), start=1):
        fields = lines[position].split("\t")
        fields[2] = batch
        lines[position] = "\t".join(fields)
    (small_study / "libraries.tsv").write_text("\n".join(lines) + "\n")
    return small_study.read()


def _columns(faults):
    return sorted("arm" if "with arm" in fault.allowed else "visit" for fault in faults)


@pytest.mark.parametrize(("batches", "blind", "open_"), BATCHES.values(), ids=BATCHES.keys())
def test_contrasts_that_batches_make_impossible(small_study, batches, blind, open_):
    study = _study(small_study, batches)
    assert _columns(check_design(study)) == blind
    assert _columns(check_design(study, read_allocation(study))) == open_


def test_fault_names_batches_contrast_and_place(small_study):
    (fault,) = check_design(_study(small_study, "a b a b"))
    # of week 6 in resting blood are L2 and L4, and in run1 the pool L6
    assert (fault.table, fault.column, fault.value) == ("libraries.tsv", "batch", "b, run1")
    assert "week6 - baseline (blood rest)" in fault.allowed


def test_visit_without_libraries_is_not_judged(small_study):
    small_study.replace("study.yaml", "week6: 42", "week6: 42, week12: 84")
    assert check_design(_study(small_study, "a a b a")) == []
