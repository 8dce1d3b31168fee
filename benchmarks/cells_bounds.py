"""What no implementation can do without: inflating the input, and the products of the components.

Measured in one process with one thread, in the same run as the sides.
"""

from __future__ import annotations

import time
from typing import TYPE_CHECKING

import h5py
import numpy as np
from isal import isal_zlib
from scipy.linalg.blas import ssyrk
from threadpoolctl import threadpool_limits

from benchmarks.cell_libraries import CELLS_PER_LIBRARY

if TYPE_CHECKING:
    from pathlib import Path

_N_GENES, _CHUNK = 2000, 4000


def measure_bounds(library: Path, n_cells: int) -> list[str]:
    """CPU seconds that inflating all libraries and the gene x gene product take, as lines."""
    with threadpool_limits(limits=1):
        inflate = _inflate(library) * n_cells / CELLS_PER_LIBRARY
        product = _multiply() * n_cells / _CHUNK
    return [
        f"Bounds: inflating the input {inflate:.1f} CPU s (isal), the product of"
        f" {_N_GENES:,} genes {product:.1f} CPU s (float32)."
    ]


def _inflate(library: Path) -> float:
    with h5py.File(library) as file:
        packed = [
            found.id.read_direct_chunk((number * found.chunks[0],))[1]
            for found in (file["matrix/data"], file["matrix/indices"])
            for number in range(found.id.get_num_chunks())
        ]
    start = time.process_time()
    for chunk in packed:
        isal_zlib.decompress(chunk)
    return time.process_time() - start


def _multiply() -> float:
    dense = np.random.default_rng(1).normal(size=(_CHUNK, _N_GENES)).astype(np.float32)
    ssyrk(1.0, dense.T, lower=1)
    start = time.process_time()
    ssyrk(1.0, dense.T, lower=1)
    return time.process_time() - start
