"""Raw counts out of an ``.h5ad``, wherever its maker kept them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import h5py
import numpy as np
from scipy import sparse

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest.feature_matrix import GENE_EXPRESSION, FeatureMatrix
from hiaim_sc.study.hdf5_header import open_hdf5, refuse_old_tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    import pandas as pd

# (matrix, its table of features), the likeliest place of raw counts first
_PLACES = (("layers/counts", "var"), ("X", "var"), ("raw/X", "raw/var"))
_ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl", "feature_id")
_SYMBOL_COLUMNS = (
    "symbol",
    "gene_symbols",
    "gene_symbol",
    "feature_name",
    "gene_name",
    "gene_names",
)


def read_h5ad(path: Path) -> FeatureMatrix:
    """Cells x features of the first of ``layers["counts"]``, ``X``, ``raw`` that holds raw counts.

    Raises
    ------
    LibraryFaultError
        When none of them does: from normalised values counts cannot be had. When the tables have a
        form of AnnData before 0.8.
    """
    from anndata.io import read_elem

    with open_hdf5(path) as file:
        refuse_old_tables(file, path.name)
        present = [place for place in _PLACES if place[0] in file]
        for matrix, table in present:
            if _are_counts(file[matrix]):
                counts = sparse.csr_matrix(read_elem(file[matrix]))
                return _assemble(counts, read_elem(file["obs"]), read_elem(file[table]), path.name)
    looked = ", ".join(matrix for matrix, _ in present) or "nothing"
    reason = (
        f"{path.name} has no raw counts: {looked} hold(s) already normalised values (not whole"
        " numbers >= 0); whole counts are expected in X, layers/counts or raw/X"
    )
    raise LibraryFaultError(reason)


def _are_counts(stored: h5py.Group | h5py.Dataset) -> bool:
    values = np.asarray(stored["data"][:] if isinstance(stored, h5py.Group) else stored[:])
    # NaN and negative whole numbers pass here, to be named for what they are by the checks
    fractional = np.isfinite(values) & (values != np.rint(values))
    return not fractional.any()


def _assemble(
    counts: sparse.csr_matrix, obs: pd.DataFrame, var: pd.DataFrame, source: str
) -> FeatureMatrix:
    names = var.index.to_numpy(dtype=object)
    ids, symbols = names, names
    if (column := _first_column(var, _ID_COLUMNS)) is not None:
        ids = np.where(column == "", names, column).astype(object)
    if (column := _first_column(var, _SYMBOL_COLUMNS)) is not None:
        symbols = np.where(column == "", names, column).astype(object)
    types = _first_column(var, ("feature_types", "feature_type"))
    genomes = _first_column(var, ("genome",))
    return FeatureMatrix(
        counts=counts,
        cell_barcodes=obs.index.to_numpy(dtype=object),
        feature_ids=ids,
        symbols=symbols,
        feature_types=np.full(len(names), GENE_EXPRESSION, dtype=object)
        if types is None
        else types,
        genomes=np.full(len(names), "", dtype=object) if genomes is None else genomes,
        source=source,
    )


def _first_column(var: pd.DataFrame, names: Sequence[str]) -> np.ndarray | None:
    for name in names:
        if name in var:
            values = var[name].astype(object)
            return values.where(values.notna(), "").astype(str).to_numpy(dtype=object)
    return None
