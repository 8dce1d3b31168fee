"""The identity of clones: what may change without changing it, and what aliases say when it does.

Cells stand for a patient's: every test has two patients with the same receptors.
"""

from __future__ import annotations

from collections import Counter, defaultdict
from itertools import pairwise

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.config import TcrOptions
from hiaim_sc.tcr import alias_clones, call_receptors, define_clones

CHAINS = st.tuples(
    st.lists(st.sampled_from(["A1:5", "A2:4", "A3:3", "A1:2"]), max_size=2, unique=True),
    st.lists(st.sampled_from(["B1:5", "B1other:4", "B2:3"]), max_size=2, unique=True),
).map(lambda arms: [*arms[0], *arms[1]])
CELLS = st.lists(CHAINS.filter(bool), min_size=1, max_size=10)
OPTIONS = st.builds(
    TcrOptions,
    dual_ir=st.sampled_from(["primary_only", "any", "all"]),
    same_v_gene=st.booleans(),
    orphan_rescue=st.booleans(),
)
SEEDS = st.integers(0, 999)


@pytest.fixture(scope="module")
def make(make_receptors):
    """Receptors of a library, whose cells are numbered."""

    def build(cells: list[list[str]], library: str = "L1", patient: str = "P1") -> pd.DataFrame:
        named = {f"c{i:02}": chains for i, chains in enumerate(cells)}
        return make_receptors(named, library, patient)

    return build


def keys_of(receptors: pd.DataFrame, options: TcrOptions) -> dict[tuple[str, str], str]:
    """Key of each cell that has one, by patient and `cell`, the name it had first."""
    clones = define_clones(receptors.drop(columns="cell"), options)
    named = clones.merge(receptors[["library_id", "cell_barcode", "cell"]])
    return {(row.patient_id, row.cell): row.clone_key for row in named.itertuples()}


@settings(max_examples=12, deadline=None)
@given(cells=CELLS, options=OPTIONS, seed=SEEDS)
def test_names_order_and_division_of_libraries_change_no_key(make, cells, options, seed):
    rng = np.random.default_rng(seed)
    receptors = pd.concat([make(cells), make(cells, "L2", "P2")], ignore_index=True)
    receptors["cell"] = receptors["cell_barcode"]
    known = keys_of(receptors, options)
    renamed = receptors.assign(
        cell_barcode="n" + pd.Series(rng.permutation(len(receptors))).astype("str")
    )
    assert keys_of(renamed, options) == known
    reordered = receptors.iloc[rng.permutation(len(receptors))]
    assert keys_of(reordered, options) == known
    other_names = receptors.assign(library_id=receptors["library_id"].map({"L1": "Z", "L2": "A"}))
    assert keys_of(other_names, options) == known
    half = pd.Series(np.where(rng.random(len(receptors)) < 0.5, "a", "b"))
    assert keys_of(receptors.assign(library_id=receptors["library_id"] + half), options) == known


@settings(max_examples=8, deadline=None)
@given(cells=CELLS, seed=SEEDS)
def test_order_of_contigs_changes_no_receptor(make_contigs, cells, seed):
    contigs = make_contigs({f"c{i}": chains for i, chains in enumerate(cells)})
    shuffled = contigs.sample(frac=1, random_state=np.random.default_rng(seed))
    pd.testing.assert_frame_equal(
        call_receptors(shuffled, TcrOptions()), call_receptors(contigs, TcrOptions())
    )


def expected_aliases(before: pd.DataFrame, after: pd.DataFrame) -> list[list[str]]:
    """By the definition's words, cell after cell."""
    cell = ["library_id", "cell_barcode"]
    old = before.set_index(cell)["clone_key"].to_dict()
    new = after.set_index(cell)["clone_key"].to_dict()
    was, goes = defaultdict(set), defaultdict(Counter)
    for name in old.keys() & new.keys():
        was[new[name]].add(old[name])
        goes[old[name]][new[name]] += 1
    rows = []
    for key in sorted(goes.keys() - set(new.values())):
        target = min(goes[key], key=lambda found: (-goes[key][found], found))
        rows.append([key, target, "merged" if len(was[target]) > 1 else "renamed"])
    return rows


@settings(max_examples=12, deadline=None)
@given(first=CELLS, second=CELLS, third=CELLS, options=OPTIONS)
def test_aliases_lead_every_paired_cell_to_its_new_key(make, first, second, third, options):
    """Three releases, each with a library more: no clone splits, each new key is in the aliases."""
    libraries = [
        pd.concat([make(cells, f"{patient}L{i}", patient) for patient in ("P1", "P2")])
        for i, cells in enumerate((first, second, third))
    ]
    releases = [
        define_clones(pd.concat(libraries[:n], ignore_index=True), options) for n in (1, 2, 3)
    ]
    followed = releases[0][releases[0]["clone_source"] == "paired"]
    for before, after in pairwise(releases):
        aliases = alias_clones(before, after)
        assert aliases.to_numpy().tolist() == expected_aliases(before, after)
        alias = aliases.set_index("old_key")["new_key"]
        followed = followed.assign(clone_key=followed["clone_key"].replace(alias.to_dict()))
        now = followed.merge(after, on=["library_id", "cell_barcode"], suffixes=("", "_now"))
        assert len(now) == len(followed)
        assert (now["clone_key"] == now["clone_key_now"]).all()


def test_a_chain_of_renames_over_three_releases(make):
    """The most frequent pair changes twice, and then a third clone comes in."""
    libraries = [
        make([["A1:9", "A2:1", "B1"]], "L1"),
        make([["A2:9", "A1:1", "B1"]] * 2, "L2"),
        make([["A3:9", "A2:1", "B1"]] * 3 + [["A3", "B1"]], "L3"),
    ]
    releases = [define_clones(pd.concat(libraries[:n]), TcrOptions()) for n in (1, 2, 3)]
    keys = [
        f"P1|{alpha}|TRB:TRBV5-1:TGCGCCAGC"
        for alpha in ("TRA:TRAV1-1:TGTGCTACA", "TRA:TRAV2:TGTGGTTCA", "TRA:TRAV3:TGTAAAACA")
    ]
    assert [set(release["clone_key"]) for release in releases] == [{key} for key in keys]
    steps = [alias_clones(*pair).to_numpy().tolist() for pair in pairwise(releases)]
    assert steps == [[[keys[0], keys[1], "renamed"]], [[keys[1], keys[2], "renamed"]]]
    # against the first release the last one has one step
    direct = alias_clones(releases[0], releases[2]).to_numpy().tolist()
    assert direct == [[keys[0], keys[2], "renamed"]]


def test_a_purged_patient_leaves_no_alias(make):
    both = pd.concat([make([["A1", "B1"]]), make([["A2", "B2"]], "L2", "P2")])
    before = define_clones(both, TcrOptions())
    after = define_clones(both[both["patient_id"] == "P1"], TcrOptions())
    assert alias_clones(before, after).empty
