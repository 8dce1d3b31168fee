"""What nothing needs is removed; what something needs stays, with all it was made from."""

from __future__ import annotations

import pandas as pd
import pytest

from hiaim_sc.storage import Recipe, Store, collect_garbage, stored_tables, trace


@pytest.fixture
def chain(tmp_path):
    """Two libraries, a cohort of both, and a value; keys by name."""
    store = Store(tmp_path / "store")
    keys = {"value": store.put_value("layout", pd.DataFrame({"library_id": ["L1", "L2"]}))}

    def put(name, inputs):
        recipe = Recipe(name, None, {n: keys.get(n, n) for n in inputs}, {}, "c0")
        keys[name] = store.put(recipe, {"report": {"n": 1}}).key

    put("ingest1", ["0123"])
    put("ingest2", ["4567"])
    put("old", ["ingest1"])
    put("cohort", ["ingest2", "value"])
    return store, keys


def test_what_is_needed_stays_with_its_inputs(chain):
    store, keys = chain
    (store.root / "artefacts" / "ab").mkdir(exist_ok=True)
    half = store.root / "artefacts" / "ab" / ".abc.1.2"
    half.mkdir()
    (half / "table.parquet").write_bytes(b"12345")
    counted = collect_garbage(store, [keys["cohort"], "f" * 64], remove=False)
    assert all(store.find(key) for key in keys.values())
    assert collect_garbage(store, [keys["cohort"], "f" * 64], remove=True) == counted
    assert {name for name, key in keys.items() if store.find(key)} == {"cohort", "ingest2", "value"}
    assert counted.n_artefacts == 3  # ingest1, old and the half one
    assert counted.n_bytes > 5
    assert collect_garbage(store, [keys["cohort"]], remove=True).n_artefacts == 0


def test_a_damaged_record_needs_nothing_and_a_missing_store_has_nothing(chain, tmp_path):
    store, keys = chain
    (store.folder(keys["cohort"]) / "artefact.json").write_text("{")
    collect_garbage(store, [keys["cohort"]], remove=True)
    assert [key for key in keys.values() if store.folder(key).exists()] == [keys["cohort"]]
    assert collect_garbage(Store(tmp_path / "none"), [], remove=True).n_artefacts == 0


def test_a_trace_follows_what_was_made_from_a_library(tmp_path):
    store = Store(tmp_path / "store")

    def put(name, library, inputs):
        return store.put(Recipe(name, library, inputs, {}, "c0"), {"report": {"n": 1}}).key

    first, second = put("ingest", "L1", {"gex": "01"}), put("ingest", "L2", {"gex": "02"})
    lost = put("clones", None, {"genes/L1": "f" * 64})  # of an artefact that is gone
    both = put("features", None, {"ingest/L1": first, "ingest/L2": second})
    below = put("selected", None, {"features": both})
    layout = store.put_value("layout", pd.DataFrame({"library_id": ["L9"]}))
    of_layout = put("cells", None, {"layout": layout})
    found = [folder.name for folder in trace(store, {"L1"}, set())]
    assert set(found) == {first, lost, both, below}
    assert found.index(first) < found.index(both) < found.index(below)
    assert {folder.name for folder in trace(store, set(), {layout})} == {layout, of_layout}
    (store.folder(second) / "artefact.json").write_text("{")
    assert {folder.name for folder in trace(store, set(), set())} == {second, both, below}


def test_stored_tables_are_read_and_damaged_ones_named(tmp_path):
    store = Store(tmp_path / "store")
    table = pd.DataFrame({"patient_id": ["P1"]})
    keys = {name: store.put_value(name, table) for name in ("hla", "layout")}
    (store.folder(keys["hla"]) / "hla.parquet").write_bytes(b"torn")
    found = {name: (key, content) for name, key, content in stored_tables(store)}
    assert found["hla"] == (keys["hla"], None)
    assert found["layout"][0] == keys["layout"]
    assert list(found["layout"][1]["patient_id"]) == ["P1"]
