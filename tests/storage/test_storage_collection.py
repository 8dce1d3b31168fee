"""What nothing needs is removed; what something needs stays, with all it was made from."""

from __future__ import annotations

import pandas as pd
import pytest

from hiaim_sc.storage import Recipe, Store, collect_garbage


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
