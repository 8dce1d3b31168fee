"""Small files in the formats that cores deliver, written from scratch."""

from __future__ import annotations

import gzip
from dataclasses import dataclass
from typing import TYPE_CHECKING

import h5py
import numpy as np
import pandas as pd
import pytest
from scipy import io, sparse

if TYPE_CHECKING:
    from pathlib import Path

CELLS = ["TTTTACGTACGTACGT-1", "AAAAACGTACGTACGT-1", "CCCCACGTACGTACGT-1"]
# cells x features; the last two features are tags
COUNTS = np.array([[5, 0, 1, 0, 40], [0, 2, 0, 30, 0], [1, 1, 1, 0, 3]])
FEATURES = pd.DataFrame(
    {
        "id": ["ENSG00000000003", "ENSG00000000001", "ENSG00000000002", "PEP_1", "NEG-1"],
        "name": ["CD3D", "MS4A1", "MT-CO1", "PEP_1", "NEG-1"],
        "feature_type": ["Gene Expression"] * 3 + ["Antigen Capture"] * 2,
        "genome": ["GRCh38"] * 3 + ["", ""],
    }
)


@dataclass(frozen=True)
class Files:
    """What `read_library` needs to know of a library's files."""

    library_id: str = "L1"
    gex: Path | None = None
    gex_raw: Path | None = None
    vdj: Path | None = None
    dna_barcodes: Path | None = None


@pytest.fixture
def files():
    return Files


@pytest.fixture
def write_h5(tmp_path):
    def write(counts=COUNTS, features=FEATURES, cells=CELLS, name="filtered_feature_bc_matrix.h5"):
        matrix = sparse.csr_matrix(counts)
        with h5py.File(tmp_path / name, "w") as file:
            group = file.create_group("matrix")
            group["barcodes"] = np.array(cells, dtype="S")
            group["data"], group["indices"], group["indptr"] = (
                matrix.data,
                matrix.indices.astype(np.int64),
                matrix.indptr.astype(np.int64),
            )
            group["shape"] = np.array(matrix.shape[::-1], dtype=np.int32)
            for column in ("id", "name", "feature_type", "genome"):
                group[f"features/{column}"] = features[column].to_numpy().astype("S")
        return tmp_path / name

    return write


@pytest.fixture
def write_mtx(tmp_path):
    def write(*, version=3, counts=COUNTS, features=FEATURES):
        folder = tmp_path / f"mtx_v{version}"
        folder.mkdir()
        io.mmwrite(folder / "matrix.mtx", sparse.coo_matrix(counts.T))
        columns = ["id", "name", "feature_type"] if version == 3 else ["id", "name"]
        table = "features.tsv" if version == 3 else "genes.tsv"
        features[columns].to_csv(folder / table, sep="\t", header=False, index=False)
        (folder / "barcodes.tsv").write_text("\n".join(CELLS) + "\n")
        if version == 3:
            for path in list(folder.iterdir()):
                path.with_name(f"{path.name}.gz").write_bytes(gzip.compress(path.read_bytes()))
                path.unlink()
        return folder

    return write


def contig(cell=CELLS[0], number=1, chain="TRB", **changes):
    row = {
        "barcode": cell,
        "is_cell": "true",
        "contig_id": f"{cell}_contig_{number}",
        "high_confidence": "true",
        "length": "500",
        "chain": chain,
        "v_gene": {"TRA": "TRAV1-2", "TRB": "TRBV9", "Multi": "TRAV2"}.get(chain, f"{chain}V1-2"),
        "d_gene": "None",
        "j_gene": "TRBJ1-5",
        "c_gene": "TRBC1",
        "full_length": "true",
        "productive": "true",
        "cdr3": "CASSAWGGNQPQHF",
        "cdr3_nt": "TGTGCCAGC",
        "reads": "2094",
        "umis": "14",
        "raw_clonotype_id": "clonotype2",
    }
    return row | changes


@pytest.fixture
def write_contigs(tmp_path):
    def write(rows, name="filtered_contig_annotations.csv", **to_csv):
        pd.DataFrame(rows).to_csv(tmp_path / name, index=False, **to_csv)
        return tmp_path / name

    return write


@pytest.fixture
def make_contig():
    return contig
