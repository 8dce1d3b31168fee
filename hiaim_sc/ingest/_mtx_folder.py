"""The folder of text files that Cell Ranger writes: matrix, cell barcodes and features."""

from __future__ import annotations

import io
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.io import mmread

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest._files import read_text
from hiaim_sc.ingest.feature_matrix import GENE_EXPRESSION, FeatureMatrix, choose_genome
from hiaim_sc.study.file_kinds import read_all
from hiaim_sc.study.mtx_header import find_mtx_file, genome_folders

if TYPE_CHECKING:
    from pathlib import Path


def read_mtx_folder(folder: Path, genome: str | None) -> FeatureMatrix:
    """Cells x features of a Cell Ranger folder, v2 (``genes.tsv``) or v3 (``features.tsv``)."""
    inside = genome_folders(folder)
    folder = (
        inside[""] if "" in inside else inside[choose_genome(list(inside), genome, folder.name)]
    )
    features = _read_table(find_mtx_file(folder, "features.tsv", "genes.tsv"))
    barcodes = _read_table(find_mtx_file(folder, "barcodes.tsv"))
    counts = _read_counts(find_mtx_file(folder, "matrix.mtx"))
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
    content = read_all(path)
    try:
        return sparse.csr_matrix(mmread(io.BytesIO(content), spmatrix=False).T)
    except (ValueError, IndexError, TypeError, OverflowError) as error:
        reason = f"{path.name} is no complete Matrix Market file: copy it again ({error})"
        raise LibraryFaultError(reason) from error
