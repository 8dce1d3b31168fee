"""The HDF5 matrices of Cell Ranger: v3 (one group ``matrix``) and v2 (a group per genome)."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
from scipy import sparse

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest._files import open_hdf5
from hiaim_sc.ingest.feature_matrix import GENE_EXPRESSION, FeatureMatrix, choose_genome

if TYPE_CHECKING:
    from pathlib import Path

_V2_DATASETS = {"barcodes", "data", "gene_names", "genes", "indices", "indptr", "shape"}


def read_tenx_hdf5(path: Path, genome: str | None) -> FeatureMatrix:
    """Cells x features of a Cell Ranger ``.h5``.

    The file stores features x cells by column, which is cells x features by row: no transposition.
    """
    with open_hdf5(path) as file:
        if "matrix" in file:
            return _read_v3(file["matrix"], path.name)
        available = sorted(
            name
            for name, group in file.items()
            if isinstance(group, h5py.Group) and set(group) >= _V2_DATASETS
        )
        if not available:
            reason = (
                f"{path.name} is HDF5 but no Cell Ranger matrix: it holds"
                f" {', '.join(sorted(file)) or 'nothing'}, a group 'matrix' was expected"
                " (molecule_info.h5 is not the matrix)"
            )
            raise LibraryFaultError(reason)
        return _read_v2(file, choose_genome(available, genome, path.name), path.name)


def _read_v3(group: h5py.Group, source: str) -> FeatureMatrix:
    features = group["features"]
    ids = _strings(features["id"])
    return FeatureMatrix(
        counts=_read_sparse(group),
        cell_barcodes=_strings(group["barcodes"]),
        feature_ids=ids,
        symbols=_strings(features["name"]),
        feature_types=_strings(features["feature_type"]),
        genomes=_strings(features["genome"])
        if "genome" in features
        else np.full(len(ids), "", dtype=object),
        source=source,
    )


def _read_v2(file: h5py.File, genome: str, source: str) -> FeatureMatrix:
    group = file[genome]
    ids = _strings(group["genes"])
    return FeatureMatrix(
        counts=_read_sparse(group),
        cell_barcodes=_strings(group["barcodes"]),
        feature_ids=ids,
        symbols=_strings(group["gene_names"]),
        feature_types=np.full(len(ids), GENE_EXPRESSION, dtype=object),
        genomes=np.full(len(ids), genome, dtype=object),
        source=source,
    )


def _read_sparse(group: h5py.Group) -> sparse.csr_matrix:
    n_features, n_cells = (int(n) for n in group["shape"][:])
    arrays = (group["data"][:], group["indices"][:].astype(np.int32), group["indptr"][:])
    return sparse.csr_matrix(arrays, shape=(n_cells, n_features))


def _strings(dataset: h5py.Dataset) -> np.ndarray:
    return np.array([value.decode() for value in dataset[:].tolist()], dtype=object)
