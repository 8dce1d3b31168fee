"""Real studies and real files."""

from __future__ import annotations

import pytest

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study import check_design, check_files, find_allocation_faults, read_study
from hiaim_sc.study.contig_header import check_contig_start
from hiaim_sc.study.file_checks import check_header, read_header

pytestmark = pytest.mark.data
TENX = "receptor_formats/10x"


@pytest.mark.parametrize(
    ("name", "n_libraries", "n_expected"),
    [("ards_blood_lung", 8, 4 * 2), ("nsclc_wu2020", 30, 14 * 3), ("dextramer", 1, 1)],
)
def test_real_study_has_no_fault(shared_data, name, n_libraries, n_expected):
    study = read_study(shared_data / f"real_{name}")
    assert [*check_files(study), *check_design(study), *find_allocation_faults(study)] == []
    assert len(study.layout()) == n_libraries
    assert len(study.expected_samples()) == n_expected


@pytest.mark.parametrize(
    ("name", "shape", "genomes"),
    [
        ("1.2.0/filtered_gene_bc_matrices_h5.h5", (12, 343), {"hg19_chr21": 343}),
        ("1.2.0/filtered_gene_bc_matrices", (12, 343), {"hg19_chr21": 343}),
        ("3.0.0/filtered_feature_bc_matrix.h5", (1107, 507), None),
        ("3.0.0/filtered_feature_bc_matrix", (1107, 507), {}),
    ],
)
def test_header_of_a_real_matrix(shared_data, name, shape, genomes):
    header = read_header(shared_data / "matrix_formats/10x_data" / name, None)
    assert (header.n_cells, header.n_features) == shape
    assert genomes is None or header.genomes == genomes
    check_header(header, name, "Gene Expression", None)


def test_real_matrix_of_two_genomes(shared_data):
    header = read_header(shared_data / "matrix_formats/10x_data/1.2.0/multiple_genomes.h5", None)
    with pytest.raises(LibraryFaultError, match="2 genomes"):
        check_header(header, "multiple_genomes.h5", "Gene Expression", None)


@pytest.mark.parametrize(
    ("name", "words"),
    [
        ("contigs_misc/GSE309696_mouse_aggr_filtered_contig_annotations.csv.gz", "mouse genes"),
        ("contigs_misc/immunarch_flu_bcr_multisample.csv.gz", "of B cells"),
        (f"{TENX}/sc5p_v2_hs_melanoma_10k_b_filtered_contig_annotations.csv.gz", "of B cells"),
        ("receptor_formats/airr/rearrangement_ig.tsv", "of B cells"),
        ("receptor_formats/bd/test_unfiltered_contigs.csv", "of B cells"),
        ("matrix_formats/pbmc68k_reduced.h5ad", "HDF5 file"),
    ],
)  # fmt: skip
def test_real_file_that_is_refused(shared_data, name, words):
    with pytest.raises(LibraryFaultError, match=words):
        check_contig_start(shared_data / name)


@pytest.mark.parametrize(
    "name",
    [
        f"{TENX}/vdj_nextgem_hs_pbmc3_t_filtered_contig_annotations.csv.gz",
        "receptor_formats/10x/filtered_contig_annotations.csv",
        "contigs_misc/tenextra_filtered_contig_annotations_CR5plus.csv",
        "receptor_formats/tutorial_example_data/immunesim_airr/immunesim_trb.tsv",
        "receptor_formats/bd/test_per_cell_chain.csv",
    ],
)
def test_real_contigs_of_t_cells(shared_data, name):
    check_contig_start(shared_data / name)
