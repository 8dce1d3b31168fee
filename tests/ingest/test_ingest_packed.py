"""Packed numbers of HDF5: whatever the packing, what h5py reads is what we read."""

from __future__ import annotations

import h5py
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.ingest import _packed
from hiaim_sc.ingest._packed import read_int32


def write(folder, values, **packing):
    path = folder / "packed.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("values", data=values, **packing)
    return h5py.File(path)


PACKINGS = {
    "as Cell Ranger": {"chunks": (64,), "compression": "gzip", "shuffle": True},
    "gzip alone": {"chunks": (64,), "compression": "gzip"},
    "lzf": {"chunks": (64,), "compression": "lzf", "shuffle": True},
    "plain": {},
    "chunks alone": {"chunks": (64,)},
    "with checksums": {
        "chunks": (64,),
        "compression": "gzip",
        "shuffle": True,
        "fletcher32": True,
    },
}


@pytest.mark.parametrize("packing", PACKINGS.values(), ids=PACKINGS.keys())
@pytest.mark.parametrize("dtype", ["i4", "i8", "u4", "u8", "u2", "i1", ">i4", "f4", "f8"])
def test_every_packing_and_type_gives_the_numbers_that_h5py_gives(tmp_path, packing, dtype):
    values = np.random.default_rng(1).integers(0, 120, 500).astype(dtype)
    with write(tmp_path, values, **packing) as file:
        for start, stop in ((0, 500), (0, 0), (63, 65), (64, 128), (130, 131), (499, 500)):
            found = read_int32(file["values"], start, stop)
            np.testing.assert_array_equal(found, values[start:stop])
            assert found.dtype == (np.int32 if values.dtype.kind in "iu" else values.dtype)


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.integers(0, 2**31 - 1), min_size=1, max_size=300),
    st.sampled_from(["i4", "i8", "u8"]),
    st.data(),
)
def test_any_part_of_any_numbers(tmp_path_factory, numbers, dtype, data):
    start = data.draw(st.integers(0, len(numbers)))
    stop = data.draw(st.integers(start, len(numbers)))
    values = np.array(numbers, dtype=dtype)
    packing = PACKINGS["as Cell Ranger"] | {"chunks": (min(64, len(values)),)}
    with write(tmp_path_factory.mktemp("packed"), values, **packing) as file:
        np.testing.assert_array_equal(read_int32(file["values"], start, stop), values[start:stop])


@pytest.mark.parametrize("value", [2**31, 2**40, -1, -(2**40)])
def test_a_number_that_does_not_fit_stays_what_it_is(tmp_path, value):
    values = np.array([5, value, 7] + [0] * 100, dtype=np.int64)
    with write(tmp_path, values, **PACKINGS["as Cell Ranger"]) as file:
        np.testing.assert_array_equal(read_int32(file["values"], 0, 103), values)


def test_packed_chunks_are_not_read_through_hdf5(tmp_path, monkeypatch):
    """Otherwise the tests above would hold without the fast way."""
    values = np.arange(200, dtype=np.int64)
    unpacked = []
    found = _packed._unpack
    monkeypatch.setattr(_packed, "_unpack", lambda *a: unpacked.append(1) or found(*a))
    with write(tmp_path, values, **PACKINGS["as Cell Ranger"]) as file:
        read_int32(file["values"], 70, 130)
    assert len(unpacked) == 2


def test_a_damaged_chunk_is_an_error_not_numbers(tmp_path):
    values = np.arange(200, dtype=np.int64)
    with write(tmp_path, values, **PACKINGS["as Cell Ranger"]) as file:
        packed = file["values"].id.read_direct_chunk((0,))[1]
    with pytest.raises(OSError, match=r"decompress|stream|incomplete"):
        _packed._unpack(packed[: len(packed) // 2], np.empty(64, np.int32), 8)
