"""Numbers of an HDF5 dataset as Cell Ranger packs them, inflated faster than HDF5 does.

Half of what reading a library costs is zlib, and a third of the rest the upper bytes of 64-bit
indices, which are all 0. Chunks packed by shuffle and gzip are therefore read as they lie in the
file, inflated by isal and put together from the bytes that matter.
"""

from __future__ import annotations

from typing import Any

import h5py
import numpy as np
from isal import isal_zlib

_DAMAGED: Any = isal_zlib.error  # an exception class, which its stubs have as an instance
_SHUFFLE_AND_GZIP = [h5py.h5z.FILTER_SHUFFLE, h5py.h5z.FILTER_DEFLATE]


def read_int32(dataset: h5py.Dataset, start: int, stop: int) -> np.ndarray:
    """Whole numbers from `start` to before `stop`, as int32 where they fit, else as they are.

    Returns
    -------
    (stop - start,); of the dataset's own dtype where it is no whole number or one does not fit.
    """
    if not _is_packed(dataset) or stop <= start:
        return _narrow(dataset[start:stop])
    size = dataset.chunks[0]
    first, last = start // size, (stop - 1) // size
    values = np.empty((last - first + 1, size), dtype=np.int32)
    for number in range(first, last + 1):
        skipped, packed = dataset.id.read_direct_chunk((number * size,))
        if skipped:  # a chunk that was written without one of the filters
            return _narrow(dataset[start:stop])
        if not _unpack(packed, values[number - first], dataset.dtype.itemsize):
            return dataset[start:stop]
    return values.reshape(-1)[start - first * size : stop - first * size]


def _is_packed(dataset: h5py.Dataset) -> bool:
    """Whether it is a row of little-endian whole numbers, shuffled and gzipped, in chunks."""
    if dataset.ndim != 1 or dataset.dtype.str not in {"<i4", "<u4", "<i8", "<u8"}:
        return False
    plan = dataset.id.get_create_plist()
    filters = [plan.get_filter(i)[0] for i in range(plan.get_nfilters())]
    return dataset.chunks is not None and filters == _SHUFFLE_AND_GZIP


def _unpack(packed: bytes, values: np.ndarray, width: int) -> bool:
    """Inflate a chunk into `values`; False where a number does not fit into 31 bits.

    After the shuffle the chunk is a row per byte of the numbers, the lowest first.

    Raises
    ------
    OSError
        When the chunk is damaged.
    """
    try:
        inflated = isal_zlib.decompress(packed)
    except _DAMAGED as error:
        raise OSError(str(error)) from error
    rows = np.frombuffer(inflated, dtype=np.uint8).reshape(width, len(values))
    if rows[4:].any() or (rows[3] & 0x80).any():
        return False
    values[:] = rows[0]
    for position in range(1, 4):
        if rows[position].any():
            values |= rows[position].astype(np.int32) << (8 * position)
    return True


def _narrow(values: np.ndarray) -> np.ndarray:
    if values.dtype.kind not in "iu" or values.dtype == np.int32:
        return values
    limits = np.iinfo(np.int32)
    fits = len(values) == 0 or (values.min() >= limits.min and values.max() <= limits.max)
    return values.astype(np.int32) if fits else values
