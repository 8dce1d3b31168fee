"""How one result is written to a file and read back: tables, matrices and plain values."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

import pandas as pd

from hiaim_sc.storage.counts import CellCounts, CountBlocks, blocks_of, is_counts
from hiaim_sc.storage.stored_counts import COUNTS_SUFFIX, StoredCounts, write_counts

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    type Payload = pd.DataFrame | AnnData | CellCounts | CountBlocks | dict[str, Any]
else:
    Payload = Any


def write_payload(folder: Path, name: str, payload: Payload) -> Path:
    """Write one result by its type: ``<name>.parquet``, ``.json``, ``.counts`` or ``.h5ad``.

    An AnnData that is counts with its cells and genes, and nothing more, is written as counts.

    Returns
    -------
    The file or folder written.
    """
    if isinstance(payload, pd.DataFrame):
        path = folder / f"{name}.parquet"
        payload.to_parquet(path, index=False)
    elif isinstance(payload, dict):
        path = folder / f"{name}.json"
        path.write_text(json.dumps(payload, indent=1, sort_keys=True), encoding="utf-8")
    elif isinstance(payload, CountBlocks):
        path = folder / f"{name}{COUNTS_SUFFIX}"
        write_counts(path, payload)
    elif isinstance(payload, CellCounts) or is_counts(payload):
        path = folder / f"{name}{COUNTS_SUFFIX}"
        write_counts(path, blocks_of(payload))
    else:
        path = folder / f"{name}.h5ad"
        payload.write_h5ad(path, compression="lzf")
    return path


def read_payload(path: Path) -> Payload:
    """Read back what `write_payload` wrote; the suffix says what it is."""
    if path.suffix == ".parquet":
        return pd.read_parquet(path)
    if path.suffix == ".json":
        return json.loads(path.read_text(encoding="utf-8"))
    if path.suffix == COUNTS_SUFFIX:
        return StoredCounts(path).load().to_anndata()
    # anndata is slow to import and most readers want tables only
    from anndata import read_h5ad

    return read_h5ad(path)
