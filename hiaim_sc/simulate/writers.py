"""Files of a library and tables, byte for byte the same for the same content."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Self

import h5py
import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

    from hiaim_sc.simulate.library import SimulatedLibrary

GENOME = "GRCh38"
_CHUNK = 80_000
_GZIP_LEVEL = 3


def write_matrix(
    path: Path,
    library: SimulatedLibrary,
    genes: pd.DataFrame,
    panel: pd.DataFrame,
    chemistry: str,
) -> None:
    """A ``.h5`` in the layout of Cell Ranger 3 and later, without time stamps.

    Parameters
    ----------
    path
        File to write.
    library
        Counts and antigen counts.
    genes
        `gene_id symbol` of the counts' columns.
    panel
        `dna_barcode` of the antigen counts' columns.
    chemistry
        As Cell Ranger names it.
    """
    blocks = [library.counts, library.antigen_counts]
    if library.hashtag_counts is not None:
        blocks.append(library.hashtag_counts)
    counts = sparse.hstack(blocks, format="csr")
    counts.sort_indices()
    tags = panel["dna_barcode"]
    features = {
        "id": [*genes["gene_id"], *tags, *library.hashtags],
        "name": [*genes["symbol"], *tags, *library.hashtags],
        "feature_type": [
            *["Gene Expression"] * len(genes),
            *["Antigen Capture"] * len(tags),
            *["Multiplexing Capture"] * len(library.hashtags),
        ],
        "genome": [GENOME] * len(genes) + [""] * (len(tags) + len(library.hashtags)),
    }
    with h5py.File(path, "w") as file:
        file.attrs["filetype"] = "matrix"
        file.attrs["version"] = 2
        file.attrs["chemistry_description"] = chemistry
        file.attrs["library_ids"] = np.array([library.library_id.encode()])
        file.attrs["original_gem_groups"] = np.array([1])
        matrix = file.create_group("matrix")
        _put(matrix, "barcodes", library.cell_barcodes.astype("S18"))
        _put(matrix, "data", counts.data.astype(np.int32))
        _put(matrix, "indices", counts.indices.astype(np.int64))
        _put(matrix, "indptr", counts.indptr.astype(np.int64))
        _put(matrix, "shape", np.array(counts.shape[::-1], dtype=np.int32))
        group = matrix.create_group("features")
        _put(group, "_all_tag_keys", np.array([b"genome"]))
        for name, values in features.items():
            _put(group, name, np.array(values, dtype=bytes))


def write_table(path: Path, table: pd.DataFrame) -> None:
    """A tab-separated table, UTF-8; empty where missing; booleans as true and false."""
    texts = table.copy()
    for name in texts.select_dtypes("bool"):
        texts[name] = np.where(texts[name], "true", "false")
    texts.to_csv(path, sep="\t", index=False, float_format="%.8g", lineterminator="\n")


class CloneWriter:
    """A parquet file written patient by patient; a context manager."""

    def __init__(self, path: Path) -> None:
        self._path = path
        self._writer: Any = None

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *exception: object) -> None:
        if self._writer is not None:
            self._writer.close()

    def write(self, table: pd.DataFrame) -> None:
        """Append rows of the same columns as before."""
        import pyarrow as pa
        from pyarrow import parquet

        rows = pa.Table.from_pandas(table, preserve_index=False)
        if self._writer is None:
            self._writer = parquet.ParquetWriter(self._path, rows.schema, compression="zstd")
        self._writer.write_table(rows)


def _put(group: h5py.Group, name: str, values: np.ndarray) -> None:
    # a chunk may not be larger than the data; data of size 0 cannot be compressed
    options = (
        {"chunks": (min(_CHUNK, len(values)),), "compression": "gzip", "shuffle": True}
        if len(values)
        else {}
    )
    if options:
        options["compression_opts"] = _GZIP_LEVEL
    group.create_dataset(name, data=values, track_times=False, **options)
