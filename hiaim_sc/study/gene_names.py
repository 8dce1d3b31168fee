"""Ids and symbols of all genes of a delivered matrix, without its values."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hiaim_sc.study.file_kinds import read_start
from hiaim_sc.study.hdf5_header import open_hdf5
from hiaim_sc.study.mtx_header import find_mtx_file, genome_folders

if TYPE_CHECKING:
    from collections.abc import Iterable
    from pathlib import Path

# where an .h5ad may keep them, beside its index
_COLUMNS = {
    *("gene_ids", "gene_id", "ensembl_id", "ensembl", "feature_id"),
    *("symbol", "gene_symbols", "gene_symbol", "feature_name", "gene_name", "gene_names"),
}


def read_gene_names(path: Path) -> frozenset[str]:
    """Every id and every symbol of the features of a ``.h5``, ``.h5ad`` or folder of ``mtx``.

    Raises
    ------
    LibraryFaultError
        When the file cannot be read.
    """
    name = path.name.removesuffix(".gz")
    if path.is_dir() or name.endswith(".mtx"):
        names = _of_folder(path if path.is_dir() else path.parent)
    else:
        with open_hdf5(path) as file:
            names = list(_of_tables(file) if name.endswith(".h5ad") else _of_matrix(file))
    return frozenset(name for found in names for name in (found, _without_genome(found)))


def _without_genome(name: str) -> str:
    """Mixed references write the genome before each id and symbol."""
    return name.rpartition("_")[2]


def _of_folder(folder: Path) -> list[str]:
    files = [
        find_mtx_file(inside, "features.tsv", "genes.tsv")
        for inside in genome_folders(folder).values()
    ]
    texts = [read_start(file, -1).decode(errors="replace") for file in files]
    return [name for text in texts for row in text.splitlines() for name in row.split("\t")[:2]]


def _of_matrix(file: Any) -> Iterable[str]:
    places = [(file["matrix/features"], "id", "name")] if "matrix" in file else []
    places = places or [(file[genome], "genes", "gene_names") for genome in file]
    for group, *columns in places:
        for column in columns:
            yield from _texts(group[column][:])


def _of_tables(file: Any) -> Iterable[str]:
    for var in (file[place] for place in ("var", "raw/var") if place in file):
        for column in {str(var.attrs.get("_index", "_index")), *_COLUMNS} & set(var):
            values = var[column]
            for part in ("categories", "values"):
                values = values[part] if hasattr(values, "keys") and part in values else values
            yield from _texts(values[:])


def _texts(values: Iterable[Any]) -> Iterable[str]:
    return (v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values)
