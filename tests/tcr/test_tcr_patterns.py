"""Blood against tumour at a visit, and what became of the cells from visit to visit."""

from __future__ import annotations

import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.config import TcrOptions
from hiaim_sc.names import CLONE_PATTERNS, RELEASE_TABLES, TRACKING_CLASSES
from hiaim_sc.stats import detection_limit
from hiaim_sc.tcr import pattern_clones, summarise_turnover, track_clones

VISITS = ("v2", "v10")
COLUMNS = ["patient_id", "tissue", "visit", "session_phase", "clone_key", "n_cells_qc"]
# clone -> cells in tumour and blood
KNOWN = {
    "tumor_singleton": (1, 0),
    "tumor_expanded": (3, 0),
    "shared": (2, 1),
    "dual_expanded": (4, 3),
    "blood_only": (0, 5),
}


def make_clones(counts, *, visit="v2", patient="P1"):
    rows = [
        (patient, tissue, visit, "rest", f"{patient}|{clone}", n)
        for clone, both in counts.items()
        for tissue, n in zip(("tumor", "blood"), both, strict=True)
    ]
    return pd.DataFrame(rows, columns=COLUMNS)


def test_the_five_patterns():
    table = pattern_clones(make_clones(KNOWN), VISITS)
    found = table.set_index(table["clone_key"].str[3:])
    assert found["pattern"].to_dict() == {name: name for name in CLONE_PATTERNS}
    assert found[["n_tumor", "n_blood"]].apply(tuple, axis=1).to_dict() == KNOWN
    assert (table[["depth_tumor", "depth_blood"]] == [10, 9]).all(axis=None)
    in_tumour = table.loc[table["n_tumor"] > 0, "n_blood"].sum()
    assert in_tumour / table["n_blood"].sum() == pytest.approx(4 / 9)


def test_what_does_not_count():
    clones = make_clones(KNOWN)
    extra = pd.DataFrame(
        [
            ("P1", "blood", "v2", "post_bout", "P1|tumor_singleton", 9),
            ("P1", "lymph_node", "v2", "rest", "P1|elsewhere", 9),
            ("P1", "tumor", "v10", "rest", "P1|shared", 9),
            ("P2", "blood", "v2", "rest", "P2|alone", 9),
            ("P2", "tumor", "v2", "rest", "P2|alone", 0),
        ],
        columns=COLUMNS,
    )
    both = pd.concat([extra, clones], ignore_index=True)
    pd.testing.assert_frame_equal(pattern_clones(both, VISITS), pattern_clones(clones, VISITS))


def test_libraries_of_a_sample_are_added_up_and_visits_stand_in_their_order():
    parts = [make_clones({"c": (1, 1)}, visit=visit) for visit in ("v10", "v2", "v2")]
    table = pattern_clones(pd.concat(parts), VISITS)
    assert table[["visit", "n_tumor", "pattern"]].to_numpy().tolist() == [
        ["v2", 2, "dual_expanded"],
        ["v10", 1, "shared"],
    ]


def classify(n_tumour, n_blood):
    if n_tumour == 0:
        return "blood_only"
    if n_blood == 0:
        return "tumor_singleton" if n_tumour == 1 else "tumor_expanded"
    return "dual_expanded" if min(n_tumour, n_blood) >= 2 else "shared"


@settings(deadline=None, max_examples=30)
@given(
    st.dictionaries(
        st.tuples(st.sampled_from(["P1", "P2"]), st.sampled_from(VISITS), st.sampled_from("abcd")),
        st.tuples(st.integers(0, 3), st.integers(0, 3)),
        min_size=1,
    ),
    st.randoms(use_true_random=False),
)
def test_patterns_clone_by_clone_in_any_order(counts, random):
    parts = [
        make_clones({clone: both}, visit=visit, patient=patient)
        for (patient, visit, clone), both in counts.items()
    ]
    random.shuffle(parts)
    table = pattern_clones(pd.concat(parts), VISITS)
    expected = []
    for patient in ("P1", "P2"):
        for visit in VISITS:
            here = {c: both for (p, v, c), both in counts.items() if (p, v) == (patient, visit)}
            depths = [sum(both[i] for both in here.values()) for i in (0, 1)]
            if all(depths):
                expected += [
                    [patient, visit, f"{patient}|{c}", *here[c], *depths, classify(*here[c])]
                    for c in sorted(here)
                    if any(here[c])
                ]
    assert table.to_numpy().tolist() == expected


CHANGES = {
    "novel": (0, 3),
    "new too": (0, 1),
    "lost": (9, 0),
    "expanded": (1, 60),
    "contracted": (60, 1),
    "persistent": (20, 22),
    "untestable": (2, 5),
}


def track(changes):
    rows = [
        ("P1", "blood", visit, "rest", f"P1|{clone}", counts[i])
        for clone, counts in changes.items()
        for i, visit in enumerate(VISITS)
    ]
    return track_clones(pd.DataFrame(rows, columns=COLUMNS), VISITS, TcrOptions())


def test_cells_of_each_class():
    table = summarise_turnover(track(CHANGES)).set_index("class")
    assert list(table.index) == list(TRACKING_CLASSES)
    assert (table[["depth_from", "depth_to"]] == [92, 92]).all(axis=None)
    counts = table[["n_clones", "n_from", "n_to"]].apply(tuple, axis=1).to_dict()
    assert counts == {
        "novel": (2, 0, 4),
        **{name: (1, *CHANGES[name]) for name in TRACKING_CLASSES if name != "novel"},
    }
    assert table["frac_to"].to_dict() == {name: n / 92 for name, (*_, n) in counts.items()}
    assert table[["frac_from", "frac_to"]].sum().tolist() == pytest.approx([1, 1])


def test_what_is_new_may_have_been_there_below_the_detection_limit():
    table = summarise_turnover(track({"a": (30, 10), "b": (0, 5), "c": (2, 0)})).set_index("class")
    assert table.loc["novel", "unseen_below"] == pytest.approx(1 - 0.05 ** (1 / 32))
    assert table.loc["lost", "unseen_below"] == pytest.approx(detection_limit(15))
    assert table["unseen_below"].notna().sum() == 2


def test_classes_without_a_clone_have_a_row():
    table = summarise_turnover(track({"a": (9, 9)}))
    assert table["n_clones"].tolist() == [int(name == "persistent") for name in TRACKING_CLASSES]
    assert table["n_from"].sum() == 9


def test_tables_without_rows_have_their_columns():
    nothing = make_clones({}).astype({"n_cells_qc": "int64"})
    empty = pattern_clones(nothing, VISITS)
    assert (len(empty), list(empty)) == (0, list(RELEASE_TABLES["clone_patterns"]))
    empty = summarise_turnover(track_clones(nothing, VISITS, TcrOptions()))
    assert (len(empty), list(empty)) == (0, list(RELEASE_TABLES["clone_turnover"]))
