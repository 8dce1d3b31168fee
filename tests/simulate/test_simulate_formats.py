"""What is written can be read by the field's own readers, and holds what was simulated."""

from __future__ import annotations

import h5py
import numpy as np
import pandas as pd
import pytest

from hiaim_sc.ingest import read_matrix
from hiaim_sc.simulate import simulate_cohort, simulate_library
from hiaim_sc.study import read_study

from .conftest import small_settings


@pytest.fixture(scope="module")
def library(small_cohort):
    return simulate_library(small_cohort, "L001")


@pytest.fixture(scope="module")
def folder(small_cohort):
    return small_cohort.out / "libraries" / "L001"


def test_matrix_has_the_layout_of_cell_ranger(folder):
    with h5py.File(folder / "filtered_feature_bc_matrix.h5") as file:
        matrix = file["matrix"]
        assert set(matrix) == {"barcodes", "data", "features", "indices", "indptr", "shape"}
        assert set(matrix["features"]) == {
            "_all_tag_keys",
            "feature_type",
            "genome",
            "id",
            "name",
        }
        assert matrix["data"].dtype == np.int32
        assert matrix["data"].compression == "gzip"
        assert matrix["barcodes"][0].endswith(b"-1")
        assert file.attrs["filetype"] == "matrix"


def test_scanpy_reads_genes_and_antigens(folder, library):
    scanpy = pytest.importorskip("scanpy")
    adata = scanpy.read_10x_h5(folder / "filtered_feature_bc_matrix.h5", gex_only=False)
    assert list(adata.obs_names) == list(library.cell_barcodes)
    is_gene = (adata.var["feature_types"] == "Gene Expression").to_numpy()
    assert set(adata.var["feature_types"]) == {"Gene Expression", "Antigen Capture"}
    assert (library.counts != adata[:, is_gene].X).nnz == 0
    assert (library.antigen_counts != adata[:, ~is_gene].X).nnz == 0
    assert adata.var.loc[is_gene, "gene_ids"].str.fullmatch(r"ENSG\d{11}").all()
    assert adata.var_names.is_unique


def test_scirpy_reads_the_receptors(folder, library):
    scirpy = pytest.importorskip("scirpy")
    airr = scirpy.io.read_10x_vdj(folder / "filtered_contig_annotations.csv")
    scirpy.pp.index_chains(airr)
    scirpy.tl.chain_qc(airr)
    truth = library.cells.query("not is_doublet and receptor == 'TRA+TRB'")
    found = airr.obs["chain_pairing"].astype(str)
    assert set(found[truth["cell_barcode"]]) <= {"single pair", "extra VJ"}
    assert set(airr.obs_names) == set(library.contigs["barcode"])


def test_our_own_reader_finds_every_feature(folder):
    from hiaim_sc.config import IngestOptions
    from hiaim_sc.ingest import read_library
    from hiaim_sc.study import LibraryFiles

    matrix = folder / "filtered_feature_bc_matrix.h5"
    files = LibraryFiles(
        library_id="L001",
        gex=matrix,
        gex_raw=None,
        vdj=folder / "filtered_contig_annotations.csv",
        dna_barcodes=matrix,
    )
    data = read_library(
        files,
        IngestOptions(),
        require_gex=True,
        feature_type="Antigen Capture",
        antigens=None,
    )
    assert data.report["join_rate"] == 1.0
    assert data.report["genome"] == "GRCh38"
    assert data.counts.n_vars == 800
    assert data.antigen_counts.n_vars == 16


def test_an_unfiltered_matrix_holds_the_cells_and_the_soup(tmp_path):
    settings = small_settings(
        tmp_path / "study",
        n_patients=2,
        cells_per_library=60,
        empty_droplets=500,
        tissues=["blood"],
    )
    simulate_cohort(settings)
    study = read_study(tmp_path / "study")
    files = study.library_files("L001")
    cells, droplets = read_matrix(files.gex), read_matrix(files.gex_raw)
    place = pd.Index(droplets.cell_barcodes).get_indexer(cells.cell_barcodes)
    assert (place >= 0).all()
    assert len(droplets.cell_barcodes) == len(cells.cell_barcodes) + 500
    assert droplets.cell_barcodes.tolist() == sorted(droplets.cell_barcodes)
    assert (droplets.counts[place] != cells.counts).nnz == 0
    empty = np.delete(np.arange(len(droplets.cell_barcodes)), place)
    is_gene = droplets.feature_types == "Gene Expression"
    soup = np.asarray(droplets.counts[empty][:, is_gene].sum(axis=0)).ravel()
    mean = np.asarray(cells.counts[:, is_gene].sum(axis=0)).ravel()
    assert np.corrcoef(np.sqrt(soup), np.sqrt(mean))[0, 1] > 0.95
    assert droplets.counts[empty][:, ~is_gene].nnz == 0


def test_no_unfiltered_matrix_is_written_unless_asked_for(folder):
    assert not list(folder.rglob("raw_feature_bc_matrix.h5"))
