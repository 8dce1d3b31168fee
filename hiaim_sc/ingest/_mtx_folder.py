"""The folder of text files that Cell Ranger writes: matrix, cell barcodes and features."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.io import mmread

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest._files import read_bytes, read_text
from hiaim_sc.ingest.feature_matrix import GENE_EXPRESSION, FeatureMatrix, choose_genome

if TYPE_CHECKING:
    from pathlib import Path


def read_mtx_folder(folder: Path, genome: str | None) -> FeatureMatrix:
    """Cells x features of a Cell Ranger folder, v2 (``genes.tsv``) or v3 (``features.tsv``)."""
    folder = _genome_folder(folder, genome)
    features = _read_table(_find(folder, "features.tsv", "genes.tsv"))
    barcodes = _read_table(_find(folder, "barcodes.tsv"))
    counts = _read_counts(_find(folder, "matrix.mtx"))
    if counts.shape != (len(barcodes), len(features)):
        reason = (
            f"{folder.name}: matrix.mtx holds {counts.shape[0]:,} cells x {counts.shape[1]:,}"
            f" features, barcodes.tsv and the feature table have {len(barcodes):,} and"
            f" {len(features):,}: the files belong to different runs or one is cut short"
        )
        raise LibraryFaultError(reason)
    ids = features[0].to_numpy(dtype=object)
    types = features[2] if 2 in features else pd.Series(GENE_EXPRESSION, index=features.index)
    return FeatureMatrix(
        counts=counts,
        cell_barcodes=barcodes[0].to_numpy(dtype=object),
        feature_ids=ids,
        symbols=(features[1] if 1 in features else features[0]).to_numpy(dtype=object),
        feature_types=types.to_numpy(dtype=object),
        genomes=np.full(len(ids), "", dtype=object),
        source=folder.name,
    )


def _genome_folder(folder: Path, genome: str | None) -> Path:
    """Cell Ranger 2 puts the files into a folder per genome."""
    if any((folder / name).is_file() for name in ("matrix.mtx", "matrix.mtx.gz")):
        return folder
    available = sorted(path.parent.name for path in folder.glob("*/matrix.mtx*"))
    if not available:
        reason = f"{folder.name} holds no matrix.mtx or matrix.mtx.gz"
        raise LibraryFaultError(reason)
    return folder / choose_genome(available, genome, folder.name)


def _find(folder: Path, *names: str) -> Path:
    for name in names:
        for path in (folder / f"{name}.gz", folder / name):
            if path.is_file():
                return path
    reason = f"{folder.name} holds no {' or '.join(names)} (.gz or plain)"
    raise LibraryFaultError(reason)


def _read_table(path: Path) -> pd.DataFrame:
    text = read_text(path)
    if not text.strip():
        reason = f"{path.name} is empty"
        raise LibraryFaultError(reason)
    # quoting off: gene names hold quote characters
    return pd.read_csv(
        io.StringIO(text), sep="\t", header=None, dtype=str, keep_default_na=False, quoting=3
    )


def _read_counts(path: Path) -> sparse.csr_matrix:
    content = read_bytes(path)
    try:
        return sparse.csr_matrix(mmread(io.BytesIO(content), spmatrix=False).T)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        reason = f"{path.name} is no complete Matrix Market file: copy it again ({error})"
        raise LibraryFaultError(reason) from error
