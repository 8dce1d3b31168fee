from __future__ import annotations

from collections import defaultdict

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.config import TcrOptions
from hiaim_sc.tcr import define_clones, pool_receptors
from hiaim_sc.tcr.clones import CLONE_CELL_COLUMNS


def _options(dual_ir: str, *, same_v: bool = False, rescue: bool = False) -> TcrOptions:
    return TcrOptions(dual_ir=dual_ir, same_v_gene=same_v, orphan_rescue=rescue)


def _groups(clone_cells: pd.DataFrame) -> set[frozenset[str]]:
    return {frozenset(cells) for _, cells in clone_cells.groupby("clone_key")["cell_barcode"]}


def _partition(*groups: str) -> set[frozenset[str]]:
    return {frozenset(group.split()) for group in groups}


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        (_options("primary_only"), ("c1 c4 c7 c9", "c5 c6", "c2", "c3", "c12")),
        (_options("primary_only", same_v=True), ("c1 c4 c9", "c5 c6", "c7", "c2", "c3", "c12")),
        (_options("any"), ("c1 c4 c5 c6 c7 c9", "c2", "c3", "c12")),
        (_options("any", same_v=True), ("c1 c4 c5 c6 c9", "c7", "c2", "c3", "c12")),
        (_options("all"), ("c1 c7", "c4 c5", "c6", "c9", "c2", "c3", "c12")),
    ],
)
def test_truth_table(make_receptors, truth_table, options, expected):
    assert _groups(define_clones(make_receptors(truth_table), options)) == _partition(*expected)


def test_key_is_text_of_the_primary_pair(make_receptors):
    clones = define_clones(make_receptors({"c1": ["A1", "B1"], "c2": ["B2"]}), TcrOptions())
    assert clones.set_index("cell_barcode")["clone_key"].to_dict() == {
        "c1": "P1|TRA:TRAV1-1:TGTGCTACA|TRB:TRBV5-1:TGCGCCAGC",
        "c2": "P1||TRB:TRBV9:TGCGGCAGC",
    }


def test_key_is_the_most_frequent_pair_then_the_smallest_text(make_receptors):
    two_and_two = {"c1": ["A2:5", "A1:1", "B1"], "c2": ["A1:5", "A2:1", "B1"]}
    tied = define_clones(make_receptors(two_and_two), TcrOptions())
    assert tied["clone_key"].str.contains("TRAV1-1").all()
    more = define_clones(make_receptors(two_and_two | {"c3": ["A2", "B1"]}), TcrOptions())
    assert more["clone_key"].str.contains(r"TRA:TRAV2:").all()
    assert len(set(more["clone_key"])) == 1


def test_key_says_all_chains_where_all_must_agree(make_receptors):
    cells = {"c1": ["A1", "B1"], "c2": ["A1:5", "A2:1", "B1"], "c3": ["A1:5", "B1:5", "B2:1"]}
    keys = define_clones(make_receptors(cells), _options("all"))["clone_key"].tolist()
    pair = "P1|TRA:TRAV1-1:TGTGCTACA|TRB:TRBV5-1:TGCGCCAGC"
    assert keys == [pair, f"{pair}|TRA:TRAV2:TGTGGTTCA|", f"{pair}||TRB:TRBV9:TGCGGCAGC"]


def test_clones_stay_within_patient(make_receptors):
    both = pd.concat(
        [
            make_receptors({"c1": ["A1", "B1"]}, "L1", "P1"),
            make_receptors({"c1": ["A1", "B1"]}, "L2", "P2"),
        ]
    )
    clones = define_clones(both, TcrOptions())
    assert clones["clone_key"].str.split("|").str[0].tolist() == ["P1", "P2"]


def test_two_full_chains_have_a_clone_unless_a_predicted_doublet(make_receptors):
    receptors = make_receptors({"c1": ["A1", "B1"], "c9": ["A1", "A2", "B1", "B2"]})
    flagged = receptors.assign(predicted_doublet=True)
    assert define_clones(receptors, TcrOptions())["cell_barcode"].tolist() == ["c1", "c9"]
    assert define_clones(flagged, TcrOptions())["cell_barcode"].tolist() == ["c1"]


@pytest.mark.parametrize(
    ("others", "source"),
    [
        ({"c1": ["A1", "B1"]}, "rescued"),
        ({"c1": ["A1:5", "B2:5", "B1:1"]}, "rescued"),
        ({"c1": ["A1", "B1"], "c6": ["A2", "B1"]}, "orphan"),  # two homes
        ({"c7": ["A1", "B1other"]}, "orphan"),  # another V gene
        ({"c2": ["B1"]}, "orphan"),  # no paired cell
    ],
)
def test_orphan_beta_joins_the_one_clone_that_has_it(make_receptors, others, source):
    clones = define_clones(make_receptors(others | {"x": ["B1"]}), TcrOptions())
    found = clones.set_index("cell_barcode")
    assert found.loc["x", "clone_source"] == source
    home = next(iter(others))
    shares_key = found.loc["x", "clone_key"] == found.loc[home, "clone_key"]
    assert shares_key == (source == "rescued" or home == "c2")


def test_secondary_chain_rescues_nobody_with_primary_only(make_receptors):
    receptors = make_receptors({"c1": ["A1:5", "B2:5", "B1:1"], "x": ["B1"]})
    clones = define_clones(receptors, _options("primary_only", rescue=True))
    assert clones.set_index("cell_barcode")["clone_source"]["x"] == "orphan"


def test_orphan_alpha_is_never_rescued(make_receptors):
    clones = define_clones(make_receptors({"c1": ["A1", "B1"], "x": ["A1"]}), TcrOptions())
    assert clones.set_index("cell_barcode")["clone_source"]["x"] == "orphan"


def test_orphan_is_rescued_within_its_patient_only(make_receptors):
    both = pd.concat(
        [make_receptors({"c1": ["A1", "B1"]}), make_receptors({"x": ["B1"]}, "L2", "P2")]
    )
    assert define_clones(both, TcrOptions())["clone_source"].tolist() == ["paired", "orphan"]


def test_cell_without_nucleotides_has_no_clone(make_receptors):
    receptors = make_receptors({"c1": ["A1", "B1"], "c2": ["A2", "B2"]})
    receptors.loc[1, ["VJ_1_junction", "VDJ_1_junction"]] = None
    assert define_clones(receptors, TcrOptions())["cell_barcode"].tolist() == ["c1"]


def test_no_receptors_no_clones():
    empty = pool_receptors({}, {}, pd.DataFrame({"library_id": ["L1"], "patient_id": ["P1"]}))
    assert list(define_clones(empty, TcrOptions()).columns) == list(CLONE_CELL_COLUMNS)


def test_cell_twice_is_an_error(make_receptors):
    receptors = make_receptors({"c1": ["A1", "B1"]})
    with pytest.raises(ValueError, match="1 cells stand twice"):
        define_clones(pd.concat([receptors, receptors]), TcrOptions())


def test_cell_without_patient_is_an_error(make_receptors):
    receptors = make_receptors({"c1": ["A1", "B1"]})
    receptors["patient_id"] = pd.Series([None], dtype="str")
    with pytest.raises(ValueError, match="1 cells have no patient_id"):
        define_clones(receptors, TcrOptions())


def test_pooled_receptors_know_patient_and_doublets(make_receptors):
    own = ["library_id", "patient_id", "predicted_doublet"]
    table = make_receptors({"c1": ["A1", "B1"], "c2": ["A2", "B1"]}).drop(columns=own)
    layout = pd.DataFrame({"library_id": ["L1", "L2"], "patient_id": ["P1", "P2"]})
    cell_qc = pd.DataFrame({"cell_barcode": ["c2", "c3"], "predicted_doublet": [True, True]})
    pooled = pool_receptors({"L2": table, "L1": table, "gone": table}, {"L2": cell_qc}, layout)
    assert pooled[["library_id", "cell_barcode", *own[1:]]].to_numpy().tolist() == [
        ["L1", "c1", "P1", False],
        ["L1", "c2", "P1", False],
        ["L2", "c1", "P2", False],
        ["L2", "c2", "P2", True],
    ]


_CELL = st.tuples(
    st.lists(st.sampled_from(["A1:5", "A2:4", "A3:3"]), max_size=2, unique=True),
    st.lists(st.sampled_from(["B1:5", "B1other:4", "B2:3"]), max_size=2, unique=True),
).map(lambda arms: [*arms[0], *arms[1]])
_CELLS = st.lists(_CELL.filter(bool), min_size=1, max_size=12).map(
    lambda cells: {f"c{i:02}": chains for i, chains in enumerate(cells)}
)
_DUAL_IR = st.sampled_from(["primary_only", "any", "all"])


def _pairs(row: pd.Series, dual_ir: str, *, same_v: bool) -> set[tuple]:
    """What two cells must have in common, by the definition's words, for the brute force."""
    arms = []
    for arm in ("VJ", "VDJ"):
        slots = [f"{arm}_1", f"{arm}_2"] if dual_ir != "primary_only" else [f"{arm}_1"]
        have = [slot for slot in slots if isinstance(row[f"{slot}_junction"], str)]
        arms.append([(row[f"{s}_junction"], row[f"{s}_v_call"] if same_v else "") for s in have])
    if dual_ir == "all":
        return {tuple(tuple(sorted(arm)) for arm in arms)}
    return {(a, b) for a in arms[0] or [None] for b in arms[1] or [None]}


def _brute_force(receptors: pd.DataFrame, dual_ir: str, *, same_v: bool) -> set[frozenset[str]]:
    """Clones by joining any two groups that share something, until none do."""
    groups = [
        ({row["cell_barcode"]}, _pairs(row, dual_ir, same_v=same_v))
        for _, row in receptors.iterrows()
    ]
    merged = True
    while merged:
        merged = False
        for i in range(len(groups)):
            for j in range(i + 1, len(groups)):
                if groups[i][1] & groups[j][1]:
                    cells, pairs = groups.pop(j)
                    groups[i] = (groups[i][0] | cells, groups[i][1] | pairs)
                    merged = True
                    break
            if merged:
                break
    return {frozenset(cells) for cells, _ in groups}


@settings(max_examples=30, deadline=None)
@given(cells=_CELLS, dual_ir=_DUAL_IR, same_v=st.booleans())
def test_clones_and_their_keys_are_one_to_one(make_receptors, cells, dual_ir, same_v):
    """By key the cells fall in the groups of the definition: no two clones have one key."""
    receptors = make_receptors(cells)
    found = _groups(define_clones(receptors, _options(dual_ir, same_v=same_v)))
    assert found == _brute_force(receptors, dual_ir, same_v=same_v)


@settings(max_examples=15, deadline=None)
@given(cells=_CELLS, dual_ir=_DUAL_IR, seed=st.integers(0, 99))
def test_order_of_cells_does_not_matter(make_receptors, cells, dual_ir, seed):
    receptors = make_receptors(cells)
    shuffled = receptors.sample(frac=1, random_state=np.random.default_rng(seed))
    options = TcrOptions(dual_ir=dual_ir)
    pd.testing.assert_frame_equal(
        define_clones(shuffled, options), define_clones(receptors, options)
    )


@settings(max_examples=20, deadline=None)
@given(cells=_CELLS, more=_CELLS, dual_ir=_DUAL_IR)
def test_adding_a_sample_never_splits_paired_cells(make_receptors, cells, more, dual_ir):
    options = TcrOptions(dual_ir=dual_ir)
    before = define_clones(make_receptors(cells), options)
    both = pd.concat([make_receptors(cells), make_receptors(more, "L2")])
    after = define_clones(both, options)
    now = defaultdict(set)
    joined = before.merge(after, on=["library_id", "cell_barcode"])
    joined = joined[joined["clone_source_x"] == "paired"]
    for old, new in zip(joined["clone_key_x"], joined["clone_key_y"], strict=True):
        now[old].add(new)
    assert all(len(keys) == 1 for keys in now.values())
