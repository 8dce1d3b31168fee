"""The store keeps whole artefacts only, finds damage, and says why something is computed."""

from __future__ import annotations

import json
import multiprocessing

import pandas as pd
import pytest

from hiaim_sc.errors import DamagedArtefactError
from hiaim_sc.storage import Recipe, Store, value_key


def recipe(**changes):
    fields = {
        "stage": "qc",
        "library_id": "L1",
        "inputs": {"gex": "aa"},
        "options": {"qc": {"min_genes": 200}},
        "code": "c0",
        "versions": {"scanpy": "1.0"},
    }
    return Recipe(**{**fields, **changes})


TABLE = pd.DataFrame({"gene": ["A", "B"], "n": [1, 2]})


@pytest.fixture
def store(tmp_path):
    return Store(tmp_path / "store")


def test_payloads_come_back_as_they_were(store):
    artefact = store.put(recipe(), {"table": TABLE, "report": {"n": 3, "why": None}})
    again = store.get(recipe().key)
    pd.testing.assert_frame_equal(again.read("table"), TABLE)
    assert again.read("report") == {"n": 3, "why": None}
    assert "counts" not in artefact
    with pytest.raises(DamagedArtefactError, match="has no counts, only report, table"):
        again.read("counts")


def test_nothing_is_found_before_it_is_put(store):
    assert store.find(recipe().key) is None
    assert store.look(recipe()).status == "recomputed"
    assert not store.root.exists()


@pytest.mark.parametrize(
    ("change", "why"),
    [
        ({"inputs": {"gex": "bb"}}, "input changed: gex"),
        ({"inputs": {"gex": "aa", "vdj": "cc"}}, "input changed: vdj"),
        ({"options": {"qc": {"min_genes": 100}}}, "option changed: qc"),
        ({"code": "c1"}, "code changed"),
        ({"versions": {"scanpy": "1.1"}}, "version changed: scanpy"),
        ({"inputs": {}, "code": "c1"}, "input changed: gex; code changed"),
        ({"library_id": "L2"}, "first run"),
        ({}, "nothing changed"),
    ],
)
def test_every_ingredient_changes_the_key_and_is_named(store, change, why):
    store.put(recipe(), {"table": TABLE})
    look = store.look(recipe(**change))
    assert look.why == why
    assert (look.status == "reused") == (not change)
    assert (recipe(**change).key == recipe().key) == (not change)


@pytest.mark.parametrize("victim", ["table.parquet", "artefact.json"])
@pytest.mark.parametrize("damage", ["truncate", "remove"])
def test_damage_is_found_and_mended(store, victim, damage):
    artefact = store.put(recipe(), {"table": TABLE})
    path = artefact.folder / victim
    if damage == "remove":
        path.unlink()
    else:
        path.write_bytes(path.read_bytes()[:20])
    look = store.look(recipe())
    assert (look.status, look.why) == ("recomputed", f"damaged: {victim}")
    assert (store.find(recipe().key) is None) == (victim == "artefact.json")
    store.put(recipe(), {"table": TABLE})
    assert store.look(recipe()).status == "reused"


def test_a_writer_that_dies_leaves_no_artefact(store):
    class Unwritable(dict):
        def items(self):
            yield "a", TABLE
            msg = "disk full"
            raise OSError(msg)

    with pytest.raises(OSError, match="disk full"):
        store.put(recipe(), Unwritable())
    assert store.find(recipe().key) is None
    folder = store.folder(recipe().key).parent
    assert list(folder.iterdir()) == []


def test_an_intact_artefact_is_left_alone(store):
    first = store.put(recipe(), {"table": TABLE})
    before = (first.folder / "artefact.json").stat().st_mtime_ns
    store.put(recipe(), {"table": TABLE.assign(n=0)})
    assert (first.folder / "artefact.json").stat().st_mtime_ns == before
    pd.testing.assert_frame_equal(store.get(recipe().key).read("table"), TABLE)


def test_two_writers_at_once_leave_one_whole_artefact(store):
    context = multiprocessing.get_context("spawn")
    writers = [
        context.Process(target=store.put, args=(recipe(), {"table": TABLE})) for _ in range(2)
    ]
    for writer in writers:
        writer.start()
    for writer in writers:
        writer.join()
    assert [writer.exitcode for writer in writers] == [0, 0]
    assert store.damage(recipe().key) is None
    assert len(list(store.folder(recipe().key).parent.iterdir())) == 1


def test_a_value_is_stored_under_its_content(store):
    key = store.put_value("layout", TABLE)
    assert key == value_key("layout", TABLE)
    assert key != value_key("layout", TABLE.assign(n=[1, 3]))
    assert key != value_key("panel", TABLE)
    pd.testing.assert_frame_equal(store.get(key).read("layout"), TABLE)


def test_the_manifest_of_an_artefact_names_its_recipe(store):
    artefact = store.put(recipe(), {"table": TABLE})
    content = json.loads((artefact.folder / "artefact.json").read_text())
    assert Recipe(**content["recipe"]) == recipe()
