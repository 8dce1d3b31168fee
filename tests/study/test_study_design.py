"""Batches against visits and arms, judged by hand."""

from __future__ import annotations

import pytest

from hiaim_sc.study import check_design, note_batches, read_allocation

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


def _nearly(small_study, own):
    """Ten patients per arm at week 6, so many of each in a batch of their arm's own."""
    arms = {f"Q{i:02d}": "exercise" if i % 2 else "control" for i in range(20)}
    rows = [
        (name, f"e{(arm == 'exercise') ^ (i // 2 >= own):d}")
        for i, (name, arm) in enumerate(arms.items())
    ]
    for table, lines in {
        "participants.tsv": [f"{name}\tchemo\tmale\t\t2026-01-06\tnorth" for name, _ in rows],
        "samples.tsv": [f"S{name}\t{name}\tweek6\ttumor\trest\tcollected\t\t" for name, _ in rows],
        "libraries.tsv": [
            f"L{name}\tS{name}\t{batch}\tlib/L{name}.h5\t\t\tdelivered\t" for name, batch in rows
        ],
        "allocation.tsv": [f"{name}\t{arm}" for name, arm in arms.items()],
    }.items():
        path = small_study / table
        path.write_text(path.read_text() + "".join(f"{line}\n" for line in lines))
    for name in arms:
        (small_study / "lib" / f"L{name}.h5").touch()
    return small_study.read()


@pytest.mark.parametrize(("own", "said"), [(9, "by 2.8 (Cramér's V 0.80)"), (8, None), (10, None)])
def test_batches_that_nearly_follow_the_arm_are_noted(small_study, own, said):
    study = _nearly(small_study, own)
    notes = note_batches(study, read_allocation(study))
    of_tumor = [note for note in notes if "exercise - control at week6 (tumor rest)" in note]
    assert [said in note for note in of_tumor] == ([True] if said else [])
    assert not any(name in note for note in notes for name in ("Q0", "e0", "e1"))
    assert not any("exercise" in note for note in note_batches(study))
