"""The HDF5 matrices of Cell Ranger: v3 (one group ``matrix``) and v2 (a group per genome)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
from scipy import sparse

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest._packed import read_int32
from hiaim_sc.ingest.feature_matrix import GENE_EXPRESSION, FeatureMatrix, choose_genome
from hiaim_sc.study.hdf5_header import open_hdf5

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

_V2_DATASETS = {"barcodes", "data", "gene_names", "genes", "indices", "indptr", "shape"}


def read_tenx_hdf5(path: Path, genome: str | None) -> FeatureMatrix:
    """Cells x features of a Cell Ranger ``.h5``.

    The file stores features x cells by column, which is cells x features by row: no transposition.
    """
    with open_hdf5(path) as file:
        group, features = _find_matrix(file, genome, path.name)
        return _read_rows(group, features, 0, int(group["shape"][1]), path.name)


def read_tenx_blocks(path: Path, genome: str | None, n_cells: int) -> Iterator[FeatureMatrix]:
    """The same in blocks of at most `n_cells` cell barcodes, one in memory at a time."""
    with open_hdf5(path) as file:
        group, features = _find_matrix(file, genome, path.name)
        total = int(group["shape"][1])
        for first in range(0, total, n_cells):
            yield _read_rows(group, features, first, min(first + n_cells, total), path.name)


def _find_matrix(
    file: h5py.File, genome: str | None, source: str
) -> tuple[h5py.Group, dict[str, np.ndarray]]:
    """The group with the counts, and the feature fields of a `FeatureMatrix`."""
    if "matrix" in file:
        return file["matrix"], _features_v3(file["matrix"]["features"])
    available = sorted(
        name
        for name, group in file.items()
        if isinstance(group, h5py.Group) and set(group) >= _V2_DATASETS
    )
    if not available:
        reason = (
            f"{source} is HDF5 but no Cell Ranger matrix: it holds"
            f" {', '.join(sorted(file)) or 'nothing'}, a group 'matrix' was expected"
            " (molecule_info.h5 is not the matrix)"
        )
        raise LibraryFaultError(reason)
    chosen = choose_genome(available, genome, source)
    return file[chosen], _features_v2(file[chosen], chosen)


def _features_v3(features: h5py.Group) -> dict[str, np.ndarray]:
    ids = _strings(features["id"])
    return {
        "feature_ids": ids,
        "symbols": _strings(features["name"]),
        "feature_types": _strings(features["feature_type"]),
        "genomes": _strings(features["genome"])
        if "genome" in features
        else np.full(len(ids), "", dtype=object),
    }


def _features_v2(group: h5py.Group, genome: str) -> dict[str, np.ndarray]:
    ids = _strings(group["genes"])
    return {
        "feature_ids": ids,
        "symbols": _strings(group["gene_names"]),
        "feature_types": np.full(len(ids), GENE_EXPRESSION, dtype=object),
        "genomes": np.full(len(ids), genome, dtype=object),
    }


def _read_rows(
    group: h5py.Group, features: dict[str, np.ndarray], first: int, last: int, source: str
) -> FeatureMatrix:
    starts = group["indptr"][first : last + 1]
    data, indices = (
        read_int32(group[name], int(starts[0]), int(starts[-1])) for name in ("data", "indices")
    )
    arrays = (data, indices.astype(np.int32, copy=False), (starts - starts[0]).astype(np.int32))
    return FeatureMatrix(
        counts=sparse.csr_matrix(arrays, shape=(last - first, int(group["shape"][0]))),
        cell_barcodes=_strings(group["barcodes"], slice(first, last)),
        source=source,
        **features,
    )


def _strings(dataset: h5py.Dataset, part: slice = slice(None)) -> np.ndarray:
    return np.array([value.decode() for value in dataset[part].tolist()], dtype=object)
