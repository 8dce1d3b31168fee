"""Counts on disk: what is written block by block is what is read, whole or by rows."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hiaim_sc.storage import (
    CountBlocks,
    Recipe,
    Store,
    StoredCounts,
    read_payload,
    stored_counts,
    sum_rows,
)
from hiaim_sc.storage.payloads import write_payload

GENES = pd.DataFrame({"symbol": ["A", "B", "C", "D"]}, index=["E1", "E2", "E3", "E4"])


def make_block(n_cells, seed, *, high=7):
    rng = np.random.default_rng(seed)
    x = sp.random_array((n_cells, 4), density=0.5, format="csr", rng=rng)
    x.data = rng.integers(1, high, x.nnz).astype(np.int32)
    names = [f"L{seed}_C{i}" for i in range(n_cells)]
    return sp.csr_matrix(x), pd.DataFrame({"library_id": f"L{seed}"}, index=names)


def blocks(sizes):
    made = [make_block(n, seed) for seed, n in enumerate(sizes)]
    return CountBlocks(iter(made), GENES, make_block(0, 0)[1]), made


@pytest.mark.parametrize("shard", [4, 8, 1 << 23])
@pytest.mark.parametrize("sizes", [[3], [5, 4, 6], [0, 3], [2, 0, 0, 1], []])
def test_blocks_of_any_size_come_back_whole_and_by_rows(tmp_path, monkeypatch, sizes, shard):
    monkeypatch.setattr(stored_counts, "_SHARD", shard)
    monkeypatch.setattr(stored_counts, "_CHUNK", 4)
    given, made = blocks(sizes)
    path = write_payload(tmp_path, "selected", given)
    found = read_payload(path)
    expected = np.vstack([np.zeros((0, 4), np.int32), *(x.toarray() for x, _ in made)])
    np.testing.assert_array_equal(found.X.toarray(), expected)
    assert found.X.dtype == np.int32
    assert list(found.obs_names) == [name for _, obs in made for name in obs.index]
    assert list(found.obs["library_id"]) == [v for _, obs in made for v in obs["library_id"]]
    pd.testing.assert_frame_equal(found.var, GENES, check_dtype=False)
    stored = StoredCounts(path)
    assert stored.shape == expected.shape
    for start in range(0, sum(sizes), 2):
        np.testing.assert_array_equal(
            stored.rows(start, start + 2).toarray(), expected[start : start + 2]
        )


def test_stored_blocks_are_what_they_are_in_memory(tmp_path):
    together = blocks([3, 4])[0].to_anndata()
    found = read_payload(write_payload(tmp_path, "selected", blocks([3, 4])[0]))
    np.testing.assert_array_equal(found.X.toarray(), together.X.toarray())
    assert list(found.obs_names) == list(together.obs_names)


def test_large_and_wide_counts_keep_their_values_and_their_type(tmp_path):
    x = sp.csr_matrix(np.array([[2**40, 0], [1, 3]], dtype=np.int64))
    path = write_payload(tmp_path, "sums", anndata.AnnData(X=x))
    assert path.name == "sums.counts"
    found = read_payload(path)
    assert found.X.dtype == np.int64
    np.testing.assert_array_equal(found.X.toarray(), x.toarray())


@pytest.mark.parametrize("shard", [4, 1 << 23])
def test_a_count_too_large_for_its_place_widens_what_lies_there(tmp_path, monkeypatch, shard):
    monkeypatch.setattr(stored_counts, "_SHARD", shard)
    monkeypatch.setattr(stored_counts, "_CHUNK", 4)
    given, made = blocks([5, 4, 6])
    made[1][0].data[2] = 70_000
    made[2][0].data[0] = -1
    found = StoredCounts(write_payload(tmp_path, "selected", given))
    expected = np.vstack([x.toarray() for x, _ in made])
    np.testing.assert_array_equal(found.rows(0, 15).toarray(), expected)
    assert found.rows(0, 15).dtype == np.int32
    small = StoredCounts(write_payload(tmp_path, "small", blocks([5, 4])[0]))
    assert [array.dtype for array in small._arrays] == [np.uint16, np.uint16]
    assert [array.dtype for array in found._arrays] == [np.int32, np.uint16]


def test_an_object_that_holds_more_than_counts_is_kept_whole(tmp_path):
    x, obs = make_block(5, 1)
    whole = anndata.AnnData(X=x, obs=obs, obsm={"X_pca": np.ones((5, 2))})
    normalised = anndata.AnnData(X=x.astype(np.float32), obs=obs)
    for name, given in (("whole", whole), ("normalised", normalised)):
        path = write_payload(tmp_path, name, given)
        assert path.suffix == ".h5ad"
        assert read_payload(path).X.dtype == given.X.dtype


def test_a_changed_or_missing_file_of_the_counts_is_damage(tmp_path):
    store = Store(tmp_path)
    recipe = Recipe("gather", None, {}, {}, "")
    artefact = store.put(recipe, {"selected": blocks([3, 4])[0]})
    assert store.damage(recipe.key) is None
    np.testing.assert_array_equal(
        artefact.open("selected").rows(0, 7).toarray(), artefact.read("selected").X.toarray()
    )
    values = next(path for path in artefact.folder.rglob("c/0"))
    content = values.read_bytes()
    values.write_bytes(content[:-1] + bytes([content[-1] ^ 1]))
    assert Store(tmp_path, verify=True).damage(recipe.key) == "selected.counts"
    values.unlink()
    assert Store(tmp_path).damage(recipe.key) == "selected.counts"


@pytest.mark.parametrize("dtype", [np.uint8, np.int16, np.int32, np.int64, np.float32])
def test_rows_of_small_numbers_add_up_beyond_their_type(dtype):
    matrix = sp.csr_matrix(np.full((2, 1000), 100, dtype=dtype))
    assert sum_rows(matrix).tolist() == [100_000, 100_000]
