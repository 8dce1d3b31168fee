"""Matrices: each format against scanpy's reader, or against the table that was written."""

from __future__ import annotations

import gzip

import anndata as ad
import numpy as np
import pandas as pd
import pytest
import scanpy as sc
from scipy import sparse

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest import read_matrix

GENES = pd.DataFrame(index=["G1", "G2"])


def as_table(matrix):
    return pd.DataFrame(
        matrix.counts.toarray(), index=matrix.cell_barcodes, columns=matrix.feature_ids
    )


def write_h5ad(path, x, **parts):
    cells = [f"c{i}" for i in range(x.shape[0])]
    ad.AnnData(sparse.csr_matrix(x), obs=pd.DataFrame(index=cells), var=GENES, **parts).write_h5ad(
        path
    )
    return path


def test_h5_equals_scanpy(write_h5):
    path = write_h5()
    expected = sc.read_10x_h5(path, gex_only=False)
    found = read_matrix(path)
    assert as_table(found).to_numpy().tolist() == expected.X.toarray().tolist()
    assert found.cell_barcodes.tolist() == expected.obs_names.tolist()
    assert found.feature_ids.tolist() == expected.var["gene_ids"].tolist()
    assert found.symbols.tolist() == expected.var_names.tolist()
    assert found.feature_types.tolist() == expected.var["feature_types"].tolist()


def test_gzipped_h5_is_read_like_the_plain_one(write_h5, tmp_path):
    path = write_h5()
    packed = tmp_path / "packed.h5.gz"
    packed.write_bytes(gzip.compress(path.read_bytes()))
    pd.testing.assert_frame_equal(as_table(read_matrix(packed)), as_table(read_matrix(path)))


@pytest.mark.parametrize("version", [2, 3])
def test_mtx_equals_scanpy(write_mtx, version):
    folder = write_mtx(version=version)
    expected = sc.read_10x_mtx(folder, gex_only=False, var_names="gene_ids")
    found = as_table(read_matrix(folder))
    assert found.to_numpy().tolist() == expected.X.toarray().tolist()
    assert found.index.tolist() == expected.obs_names.tolist()
    assert found.columns.tolist() == expected.var_names.tolist()


def test_mtx_of_two_runs_is_refused(write_mtx):
    folder = write_mtx(version=2)
    (folder / "barcodes.tsv").write_text("only_one-1\n")
    with pytest.raises(LibraryFaultError, match=r"3 cells x 5 features.*have 1 and 5"):
        read_matrix(folder)


def test_mtx_cut_short_is_refused(write_mtx):
    folder = write_mtx(version=2)
    text = (folder / "matrix.mtx").read_text().splitlines()
    (folder / "matrix.mtx").write_text("\n".join(text[:-2]))
    with pytest.raises(LibraryFaultError, match="copy it again"):
        read_matrix(folder)


@pytest.mark.parametrize("place", ["X", "layers", "raw"])
def test_h5ad_counts_are_found_where_they_are(tmp_path, place):
    counts = np.array([[3, 0], [1, 2]])
    normalised = np.log1p(counts / counts.sum(axis=1, keepdims=True))
    path = tmp_path / "a.h5ad"
    if place == "X":
        write_h5ad(path, counts.astype(float))
    elif place == "layers":
        write_h5ad(path, normalised, layers={"counts": sparse.csr_matrix(counts)})
    else:
        write_h5ad(path, normalised, raw={"X": sparse.csr_matrix(counts), "var": GENES})
    assert read_matrix(path).counts.toarray().tolist() == counts.tolist()


def test_h5ad_of_normalised_values_is_refused(tmp_path):
    path = write_h5ad(tmp_path / "a.h5ad", np.array([[0.5, 0], [1, 2]]))
    with pytest.raises(LibraryFaultError, match="already normalised values"):
        read_matrix(path)


def test_h5ad_takes_ensembl_ids_and_keeps_symbols(tmp_path):
    var = pd.DataFrame({"gene_ids": ["ENSG01", "ENSG02"]}, index=["CD3D", "LYZ"])
    ad.AnnData(sparse.csr_matrix(np.eye(2)), var=var).write_h5ad(tmp_path / "a.h5ad")
    found = read_matrix(tmp_path / "a.h5ad")
    assert found.feature_ids.tolist() == ["ENSG01", "ENSG02"]
    assert found.symbols.tolist() == ["CD3D", "LYZ"]


@pytest.fixture
def mixed_species(write_h5):
    features = pd.DataFrame(
        {
            "id": ["GRCh38_ENSG1", "mm10___ENSMUSG1", "PEP"],
            "name": ["GRCh38_CD3D", "mm10___Cd3d", "PEP"],
            "feature_type": ["Gene Expression", "Gene Expression", "Antigen Capture"],
            "genome": ["GRCh38", "mm10", ""],
        }
    )
    return write_h5(counts=np.array([[1, 2, 3]] * 3), features=features)


def test_two_genomes_are_refused_unless_one_is_named(mixed_species):
    with pytest.raises(LibraryFaultError, match=r"2 genomes \(GRCh38, mm10\)"):
        read_matrix(mixed_species)
    with pytest.raises(LibraryFaultError, match="'hg19' is named"):
        read_matrix(mixed_species, "hg19")


def test_named_genome_is_taken_with_the_tags(mixed_species):
    found = read_matrix(mixed_species, "GRCh38")
    assert found.feature_ids.tolist() == ["ENSG1", "PEP"]
    assert found.symbols.tolist() == ["CD3D", "PEP"]
    assert found.counts.toarray().tolist() == [[1, 3]] * 3


@pytest.mark.parametrize("keep", [0.02, 0.5, 0.9])
def test_truncated_h5_is_refused(write_h5, keep):
    path = write_h5()
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * keep)])
    with pytest.raises(LibraryFaultError, match="cannot be read as HDF5"):
        read_matrix(path)


def test_other_hdf5_and_unknown_kinds_are_refused(tmp_path, write_h5):
    import h5py

    with h5py.File(tmp_path / "molecule_info.h5", "w") as file:
        file["barcode_idx"] = [1]
    with pytest.raises(LibraryFaultError, match="no Cell Ranger matrix"):
        read_matrix(tmp_path / "molecule_info.h5")
    with pytest.raises(LibraryFaultError, match="no kind of matrix"):
        read_matrix(tmp_path / "counts.xlsx")
    with pytest.raises(LibraryFaultError, match="is not there"):
        read_matrix(tmp_path / "absent.h5")
    with pytest.raises(LibraryFaultError, match=r"without matrix\.mtx"):
        read_matrix(tmp_path)


@pytest.mark.data
@pytest.mark.parametrize(
    ("path", "shape"),
    [
        ("1.2.0/filtered_gene_bc_matrices_h5.h5", (12, 343)),
        ("1.2.0/filtered_gene_bc_matrices", (12, 343)),
        ("3.0.0/filtered_feature_bc_matrix.h5", (1107, 507)),
        ("3.0.0/filtered_feature_bc_matrix", (1107, 507)),
    ],
)
def test_cell_ranger_files_have_their_published_shape(shared_data, path, shape):
    found = read_matrix(shared_data / "matrix_formats/10x_data" / path)
    assert found.counts.shape == shape
    assert found.counts.sum() > 0


@pytest.mark.data
def test_cell_ranger_versions_equal_scanpy(shared_data):
    folder = shared_data / "matrix_formats/10x_data"
    for path in ("1.2.0/filtered_gene_bc_matrices_h5.h5", "3.0.0/filtered_feature_bc_matrix.h5"):
        expected = sc.read_10x_h5(folder / path)
        found = read_matrix(folder / path)
        assert (found.counts != expected.X).nnz == 0
        assert found.symbols.tolist() == expected.var_names.tolist()


@pytest.mark.data
def test_two_genome_file_needs_the_genome(shared_data):
    path = shared_data / "matrix_formats/10x_data/1.2.0/multiple_genomes.h5"
    with pytest.raises(LibraryFaultError, match="another_genome, hg19_chr21"):
        read_matrix(path)
    assert read_matrix(path, "hg19_chr21").counts.shape == (12, 343)


@pytest.mark.data
def test_normalised_pbmc_is_refused(shared_data):
    with pytest.raises(LibraryFaultError, match="already normalised values"):
        read_matrix(shared_data / "matrix_formats/pbmc68k_reduced.h5ad")
