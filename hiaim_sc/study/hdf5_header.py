"""Headers of HDF5 matrices: Cell Ranger's ``.h5`` and ``.h5ad``, without their values."""

from __future__ import annotations

import io
from contextlib import contextmanager
from typing import TYPE_CHECKING, BinaryIO

from hiaim_sc.errors import LibraryFaultError, find_system_error
from hiaim_sc.study.file_kinds import GZIP_MAGIC, HDF5_MAGIC, name_kind, read_start
from hiaim_sc.study.matrix_header import GENE_EXPRESSION, N_EXAMPLES, MatrixHeader

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import h5py
    import numpy as np

_V2_DATASETS = {"barcodes", "data", "gene_names", "genes", "indices", "indptr", "shape"}
_V3_DATASETS = ("barcodes", "data", "indices", "indptr", "shape")
_V3_FEATURES = ("id", "name", "feature_type")
# (matrix, its table of features), as they are looked for when the matrix is read
_PLACES = (("layers/counts", "var"), ("X", "var"), ("raw/X", "raw/var"))
_MAX_TEXTS = 100
_ID_COLUMNS = ("gene_ids", "gene_id", "ensembl_id", "ensembl", "feature_id")


@contextmanager
def open_hdf5(path: Path) -> Iterator[h5py.File]:
    """An HDF5 file open for reading; whatever fails inside is a fault of the file.

    HDF5 reads through Python's own file. What it reads by itself fails without the number of the
    error, and a storage that is away for a moment cannot be told from a damaged file.
    """
    import h5py

    size = 0
    try:
        with path.open("rb") as file:
            size = file.seek(0, io.SEEK_END)
            with h5py.File(_content(path, file), "r") as opened:
                yield opened
    except LibraryFaultError:
        raise
    except (OSError, LookupError, ValueError, RuntimeError, TypeError, AttributeError) as error:
        raise LibraryFaultError(_what_failed(path, size, error)) from error


def _content(path: Path, file: BinaryIO) -> BinaryIO:
    """The file itself, or in memory what is in it where it is gzipped."""
    file.seek(0)
    start = file.read(1000)
    if start.startswith(GZIP_MAGIC):
        if not read_start(path, 8).startswith(HDF5_MAGIC):
            reason = f"{path.name} is gzipped but holds no HDF5 file"
            raise LibraryFaultError(reason)
        return io.BytesIO(read_start(path, -1))
    if not start.startswith(HDF5_MAGIC):
        kind = name_kind(start) or "a text file"
        reason = f"{path.name} is {kind}, not HDF5: it is not the matrix it is named for"
        raise LibraryFaultError(reason)
    return file


def _what_failed(path: Path, size: int, error: Exception) -> str:
    if isinstance(error, FileNotFoundError):
        return f"{path.name} is not there ({path})"
    if find_system_error(error) is not None:
        return f"{path.name} cannot be read ({error})"
    return (
        f"{path.name} cannot be read as HDF5 ({size:,} bytes): cut short or damaged; copy it again"
        f" ({error})"
    )


def read_tenx_header(path: Path) -> MatrixHeader:
    """Header of a Cell Ranger ``.h5``, of version 3 and later or of version 2."""
    with open_hdf5(path) as file:
        if "matrix" in file:
            return _read_v3(file["matrix"], path.name)
        genomes = [name for name in sorted(file) if _is_v2_group(file[name])]
        if not genomes:
            reason = (
                f"{path.name} is HDF5 but no Cell Ranger matrix: it holds"
                f" {', '.join(sorted(file)) or 'nothing'}, a group 'matrix' is expected"
                " (molecule_info.h5 is not the matrix)"
            )
            raise LibraryFaultError(reason)
        groups = [file[name] for name in genomes]
        n_genes = [int(group["shape"][0]) for group in groups]
        return MatrixHeader(
            n_cells=max(int(group["shape"][1]) for group in groups),
            n_features=sum(n_genes),
            feature_types={GENE_EXPRESSION: sum(n_genes)},
            genomes=dict(zip(genomes, n_genes, strict=True)),
            gene_ids=_strings(groups[0]["genes"][:N_EXAMPLES]),
            symbols=_strings(groups[0]["gene_names"][:N_EXAMPLES]),
        )


def _is_v2_group(group: h5py.Group | h5py.Dataset) -> bool:
    return hasattr(group, "keys") and set(group) >= _V2_DATASETS


def _read_v3(group: h5py.Group, source: str) -> MatrixHeader:
    needed = [*_V3_DATASETS, *(f"features/{name}" for name in _V3_FEATURES)]
    if absent := [name for name in needed if name not in group]:
        reason = f"{source} is no complete Cell Ranger matrix: it lacks {', '.join(absent)}"
        raise LibraryFaultError(reason)
    n_features, n_cells = (int(n) for n in group["shape"][:])
    _check_lengths(group, n_features, n_cells, source)
    features = group["features"]
    types = features["feature_type"][:]
    is_gene = types == GENE_EXPRESSION.encode()
    first = is_gene[:N_EXAMPLES]
    return MatrixHeader(
        n_cells=n_cells,
        n_features=n_features,
        feature_types=_count(types),
        genomes=_count(features["genome"][:][is_gene]) if "genome" in features else {},
        gene_ids=_strings(features["id"][:N_EXAMPLES][first]),
        symbols=_strings(features["name"][:N_EXAMPLES][first]),
    )


def _check_lengths(group: h5py.Group, n_features: int, n_cells: int, source: str) -> None:
    lengths = {
        "barcodes": (len(group["barcodes"]), n_cells),
        "features": (len(group["features/id"]), n_features),
        "indptr": (len(group["indptr"]), n_cells + 1),
        "indices": (len(group["indices"]), len(group["data"])),
    }
    for name, (found, expected) in lengths.items():
        if found != expected:
            reason = f"{source} contradicts itself: {found:,} {name} where {expected:,} should be"
            raise LibraryFaultError(reason)


def read_h5ad_header(path: Path) -> MatrixHeader:
    """Header of an ``.h5ad``: shape, and of its table of features what names genome and type."""
    with open_hdf5(path) as file:
        place = next((place for place in _PLACES if place[0] in file), None)
        if place is None or "obs" not in file or place[1] not in file:
            reason = (
                f"{path.name} is HDF5 but no AnnData: it holds"
                f" {', '.join(sorted(file)) or 'nothing'}; X, obs and var are expected"
            )
            raise LibraryFaultError(reason)
        refuse_old_tables(file, path.name)
        matrix, var = file[place[0]], file[place[1]]
        shape = matrix.shape if hasattr(matrix, "shape") else matrix.attrs["shape"]
        n_cells, n_features = (int(n) for n in shape)
        index = str(var.attrs.get("_index", "_index"))
        types = next((name for name in ("feature_types", "feature_type") if name in var), None)
        ids = next((name for name in _ID_COLUMNS if name in var), index)
        return MatrixHeader(
            n_cells=n_cells,
            n_features=n_features,
            feature_types=_count_column(var[types]) if types else {GENE_EXPRESSION: n_features},
            genomes=_count_column(var["genome"]) if "genome" in var else {},
            gene_ids=_first_texts(var[ids]),
            symbols=_first_texts(var[index]),
            has_all_genes=False,
        )


def refuse_old_tables(file: h5py.File, source: str) -> None:
    """Refuse an ``.h5ad`` whose tables have a form that AnnData gave up in 0.7 or 0.8."""
    for name in ("obs", "var"):
        table = file.get(name)
        if table is not None and ("__categories" in table if hasattr(table, "keys") else True):
            reason = (
                f"{source} was written by an AnnData before 0.8 (see its {name}), in a form given"
                " up: read it with that version and write it anew with a current one"
            )
            raise LibraryFaultError(reason)


def _count_column(column: h5py.Group | h5py.Dataset) -> dict[str, int]:
    """How often each value of a column of text occurs, whichever way AnnData stored it."""
    if hasattr(column, "keys") and "codes" in column:
        categories, codes = _strings(column["categories"][:]), column["codes"][:]
        found = {name: int((codes == code).sum()) for code, name in enumerate(categories)}
        return {name: n for name, n in found.items() if n and name}
    return _count((column["values"] if hasattr(column, "keys") else column)[:])


def _first_texts(column: h5py.Group | h5py.Dataset) -> tuple[str, ...]:
    if not hasattr(column, "keys"):
        return _strings(column[:N_EXAMPLES])
    if "codes" in column:
        categories = _strings(column["categories"][:])
        return tuple(categories[code] for code in column["codes"][:N_EXAMPLES] if code >= 0)
    return _strings(column["values"][:N_EXAMPLES])


def _count(values: np.ndarray) -> dict[str, int]:
    """How often each text but the empty one occurs; one pass per distinct text, which are few."""
    if values.dtype.kind not in "OSU":
        msg = f"text is expected where {values.dtype} stands"
        raise TypeError(msg)
    counts: dict[str, int] = {}
    while values.size:
        if len(counts) == _MAX_TEXTS:
            msg = f"more than {_MAX_TEXTS} genomes or feature types"
            raise ValueError(msg)
        is_first = values == values[0]
        counts[_strings(values[:1])[0]] = int(is_first.sum())
        values = values[~is_first]
    return {name: n for name, n in counts.items() if name}


def _strings(values: np.ndarray) -> tuple[str, ...]:
    return tuple(v.decode(errors="replace") if isinstance(v, bytes) else str(v) for v in values)
