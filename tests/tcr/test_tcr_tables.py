from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import betabinom, false_discovery_control

from hiaim_sc.config import TcrOptions
from hiaim_sc.names import RELEASE_TABLES, TRACKING_CLASSES
from hiaim_sc.stats import jaccard, morisita_horn
from hiaim_sc.tcr import (
    alias_clones,
    define_clones,
    share_clones,
    tabulate_clones,
    track_clones,
)

OPTIONS = TcrOptions()
LAYOUT = pd.DataFrame(
    {
        "library_id": ["L1", "L2", "L3"],
        "sample_id": ["S1", "S2", "S3"],
        "patient_id": ["P1", "P1", "P2"],
        "tissue": "blood",
        "visit": ["baseline", "week6", "baseline"],
        "session_phase": "rest",
        "batch": "b1",
    }
)


@pytest.fixture
def receptors(make_receptors):
    return pd.concat(
        [
            make_receptors({"c1": ["A1", "B1"], "c2": ["A1", "B1"], "c3": ["B1"]}, "L1", "P1"),
            make_receptors({"c1": ["A1", "B1"], "c2": ["B1"], "c3": ["A2", "B2"]}, "L2", "P1"),
            make_receptors({"c1": ["A1", "B1"], "c2": ["B1"]}, "L3", "P2"),
        ],
        ignore_index=True,
    )


@pytest.fixture
def clones(receptors):
    cells = receptors[["library_id", "cell_barcode"]].assign(qc_pass=True)
    cells.loc[0, "qc_pass"] = False
    return tabulate_clones(define_clones(receptors, OPTIONS), receptors, LAYOUT, cells)


def test_clones_per_library(clones):
    found = clones[["patient_id", "library_id", "visit", "n_cells", "n_cells_qc"]]
    assert found.to_numpy().tolist() == [
        ["P1", "L1", "baseline", 3, 2],
        ["P1", "L2", "week6", 2, 2],
        ["P1", "L2", "week6", 1, 1],
        ["P2", "L3", "baseline", 2, 2],
    ]
    assert list(clones.columns[: len(RELEASE_TABLES["clones"])]) == list(RELEASE_TABLES["clones"])


def test_clones_say_their_chains(clones):
    first = clones.iloc[0]
    assert first[["locus_1", "v_call_1", "j_call_1", "junction_1", "junction_aa_1"]].tolist() == [
        "TRA",
        "TRAV1-1",
        "TRAJ10",
        "TGTGCTACA",
        "CAT",
    ]
    assert first[["locus_2", "v_call_2", "junction_2"]].tolist() == ["TRB", "TRBV5-1", "TGCGCCAGC"]
    assert first["clone_source"] == "paired"
    assert first["invariant"] == ""


def test_missing_arm_is_missing(make_receptors):
    receptors = make_receptors({"c1": ["B1"]})
    cells = receptors[["library_id", "cell_barcode"]].assign(qc_pass=True)
    row = tabulate_clones(define_clones(receptors, OPTIONS), receptors, LAYOUT, cells).iloc[0]
    assert row[["locus_1", "junction_1", "j_call_1", "junction_aa_1"]].isna().all()
    assert row["junction_aa_2"] == "CAS"
    assert row["clone_source"] == "orphan"


def test_secondary_chains_in_the_key_do_not_disturb(make_receptors):
    receptors = make_receptors({"c1": ["A1:5", "A2:1", "B1"]})
    cells = receptors[["library_id", "cell_barcode"]].assign(qc_pass=True)
    clone_cells = define_clones(receptors, TcrOptions(dual_ir="all"))
    row = tabulate_clones(clone_cells, receptors, LAYOUT, cells).iloc[0]
    assert row[["junction_1", "junction_2"]].tolist() == ["TGTGCTACA", "TGCGCCAGC"]


def test_row_of_rescued_cells_only_says_so(make_receptors):
    receptors = pd.concat(
        [make_receptors({"c1": ["A1", "B1"]}), make_receptors({"x": ["B1"]}, "L2")]
    )
    cells = receptors[["library_id", "cell_barcode"]].assign(qc_pass=True)
    found = tabulate_clones(define_clones(receptors, OPTIONS), receptors, LAYOUT, cells)
    assert found["clone_source"].tolist() == ["paired", "rescued"]


def test_library_that_the_layout_lacks_is_an_error(receptors):
    cells = receptors.assign(qc_pass=True)
    with pytest.raises(ValueError, match="lacks libraries that have clones: L3"):
        tabulate_clones(define_clones(receptors, OPTIONS), receptors, LAYOUT[:2], cells)


def _counts(table: dict[str, tuple[int, ...]], visits: tuple[str, ...]) -> pd.DataFrame:
    rows = [
        ("P1", f"P1|{clone}", "blood", visit, "rest", n, f"S_{visit}")
        for clone, counts in table.items()
        for visit, n in zip(visits, counts, strict=True)
        if n
    ]
    place = ["tissue", "visit", "session_phase"]
    names = ["patient_id", "clone_key", *place, "n_cells_qc", "sample_id"]
    return pd.DataFrame(rows, columns=names)


CHANGES = {
    "novel": (0, 3),
    "lost": (9, 0),
    "expanded": (1, 60),
    "contracted": (60, 1),
    "persistent": (20, 22),
    "untestable": (2, 5),
}


def test_classes_of_change():
    tracked = track_clones(_counts(CHANGES, ("v1", "v2")), ("v1", "v2"), OPTIONS)
    found = tracked.set_index(tracked["clone_key"].str[3:])["class"].to_dict()
    assert found == {name: name for name in CHANGES}
    assert set(found.values()) == set(TRACKING_CLASSES)


def test_p_and_q_values_and_fold_change():
    tracked = track_clones(_counts(CHANGES, ("v1", "v2")), ("v1", "v2"), OPTIONS)
    tracked = tracked.set_index(tracked["clone_key"].str[3:])
    n_from, n_to = 92, 91
    share, s = n_to / (n_from + n_to), (1 - 0.05) / 0.05
    expected = {}
    for name in ("lost", "expanded", "contracted", "persistent"):
        k1, k2 = CHANGES[name]
        null = betabinom(k1 + k2, share * s, (1 - share) * s)
        expected[name] = min(1.0, 2 * min(null.sf(k2 - 1), null.cdf(k2)))
    found = tracked.loc[list(expected)]
    # The two sum the same terms from log-gamma functions of their own: 8 digits agree.
    np.testing.assert_allclose(found["p_value"], list(expected.values()), rtol=1e-6)
    np.testing.assert_allclose(
        found["q_value"], false_discovery_control(list(expected.values())), rtol=1e-6
    )
    assert tracked.loc[["novel", "untestable"], "p_value"].isna().all()
    assert (tracked[["depth_from", "depth_to"]] == [n_from, n_to]).all(axis=None)
    assert tracked.loc["expanded", "log2_fc"] == pytest.approx(np.log2((60.5 / 92) / (1.5 / 93)))


@pytest.mark.parametrize(
    ("present", "pairs"),
    [
        ("123", [("v1", "v2"), ("v2", "v3"), ("v1", "v3")]),
        ("13", [("v1", "v3")]),
        ("23", [("v2", "v3")]),
        ("2", []),
    ],
)
def test_visits_that_are_compared(present, pairs):
    visits = ("v1", "v2", "v3")
    counts = {"a": tuple(9 if v[1] in present else 0 for v in visits)}
    tracked = track_clones(_counts(counts, visits), visits, OPTIONS)
    assert list(zip(tracked["visit_from"], tracked["visit_to"], strict=True)) == pairs
    assert list(tracked.columns) == list(RELEASE_TABLES["clone_tracking"])


def test_blood_after_a_bout_and_failed_cells_are_not_tracked():
    counts = _counts({"a": (9, 9), "b": (5, 5)}, ("v1", "v2"))
    counts.loc[counts["clone_key"] == "P1|b", "session_phase"] = "post_bout"
    counts.loc[0, "n_cells_qc"] = 0
    assert track_clones(counts, ("v1", "v2"), OPTIONS).empty


def test_libraries_of_one_sample_are_added_up():
    counts = _counts({"a": (9, 4)}, ("v1", "v2"))
    tracked = track_clones(pd.concat([counts, counts]), ("v1", "v2"), OPTIONS)
    assert tracked[["n_from", "n_to"]].to_numpy().tolist() == [[18, 8]]


def test_sharing_against_aligned_counts():
    counts = {
        "S1": (10, 5, 3, 1, 1, 0, 0),
        "S2": (4, 0, 6, 0, 0, 8, 2),
        "S3": (0, 0, 0, 0, 0, 1, 0),
    }
    patient = {"S1": "P1", "S2": "P1", "S3": "P2"}
    clones = pd.DataFrame(
        [
            (sample, patient[sample], f"{patient[sample]}|clone{i}|", n)
            for sample, row in counts.items()
            for i, n in enumerate(row)
            if n
        ],
        columns=["sample_id", "patient_id", "clone_key", "n_cells"],
    )
    shared = share_clones(clones.sample(frac=1, random_state=1))
    assert shared.iloc[0].tolist() == ["S1", "S2", True, 2, pytest.approx(2 / 7), 0.453125]
    for row in shared.itertuples():
        x, y = counts[row.sample_id_1], counts[row.sample_id_2]
        assert row.jaccard == pytest.approx(jaccard(x, y))
        assert row.morisita_horn == pytest.approx(morisita_horn(x, y))
    assert shared["same_patient"].tolist() == [True, False, False]
    assert shared["n_shared"].tolist() == [2, 0, 1]


def test_sharing_of_one_sample_is_an_empty_table(clones):
    found = share_clones(clones[clones["sample_id"] == "S1"])
    assert found.empty
    assert list(found.columns) == list(RELEASE_TABLES["sharing"])


def _cells(keys: str) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "library_id": "L1",
            "cell_barcode": [f"c{i}" for i in range(len(keys))],
            "clone_key": list(keys),
        }
    )


@pytest.mark.parametrize(
    ("previous", "current", "expected"),
    [
        ("AAB", "AAB", []),
        ("AAB", "XXB", [["A", "X", "renamed"]]),
        ("AABB", "AAAA", [["B", "A", "merged"]]),
        ("AABB", "XXXX", [["A", "X", "merged"], ["B", "X", "merged"]]),
        ("AAA", "XXY", [["A", "X", "renamed"]]),
        ("AA", "YX", [["A", "X", "renamed"]]),
        ("AAA", "AXX", []),  # the key lives on
    ],
)
def test_aliases(previous, current, expected):
    assert alias_clones(_cells(previous), _cells(current)).to_numpy().tolist() == expected


def test_aliases_ignore_cells_of_one_release_only():
    found = alias_clones(_cells("AB"), _cells("X"))
    assert found.to_numpy().tolist() == [["A", "X", "renamed"]]
    assert alias_clones(None, _cells("X")).empty


def test_cells_without_a_clone_have_no_alias():
    before = _cells("AAB").assign(clone_key=["A", None, None])
    assert alias_clones(before, _cells("XXX")).to_numpy().tolist() == [["A", "X", "renamed"]]


def test_second_chain_seen_later_merges_two_clones(make_receptors):
    first = make_receptors({"c1": ["A1", "B1"], "c2": ["A2", "B1"]})
    bridge = make_receptors({"c3": ["A1", "A2", "B1"]}, "L2")
    before = define_clones(first, OPTIONS)
    after = define_clones(pd.concat([first, bridge]), OPTIONS)
    aliases = alias_clones(before, after)
    assert (before["clone_key"].nunique(), after["clone_key"].nunique()) == (2, 1)
    assert aliases["reason"].tolist() == ["merged"]
    assert aliases["new_key"].tolist() == [after["clone_key"][0]]
