"""A whole library: what comes out, what the report counts, and every fault that quarantines it."""

from __future__ import annotations

import dataclasses
import json

import numpy as np
import pandas as pd
import pytest
from scipy import sparse

from hiaim_sc.config import IngestOptions
from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest import library, read_library
from hiaim_sc.ingest.feature_matrix import FeatureMatrix

from .conftest import CELLS, COUNTS, FEATURES

ANTIGENS = pd.DataFrame({"dna_barcode": ["NEG-1", "PEP_1"]})
TAGS = "Antigen Capture"


def read(files, *, options=None, require_gex=True, feature_type=TAGS, antigens=ANTIGENS):
    return read_library(
        files,
        options or IngestOptions(),
        require_gex=require_gex,
        feature_type=feature_type,
        antigens=antigens,
    )


@pytest.fixture
def complete(files, write_h5, write_contigs, make_contig):
    path = write_h5()
    rows = [make_contig(CELLS[0], 1), make_contig(CELLS[0], 2, "TRA"), make_contig(CELLS[1])]
    return files(gex=path, vdj=write_contigs(rows), dna_barcodes=path)


def test_counts_are_sorted_genes_of_sorted_cells(complete):
    counts = read(complete).counts
    expected = pd.DataFrame(COUNTS, index=CELLS, columns=FEATURES["id"]).sort_index()
    expected = expected.iloc[:, :3].sort_index(axis=1)
    pd.testing.assert_frame_equal(
        counts.to_anndata().to_df(), expected, check_names=False, check_dtype=False
    )
    assert (counts.X.dtype, counts.X.format) == (np.int32, "csr")
    assert counts.var["symbol"].tolist() == ["MS4A1", "MT-CO1", "CD3D"]


def test_antigens_are_those_of_the_table_controls_among_them(complete):
    found = read(complete).antigen_counts
    expected = pd.DataFrame(COUNTS[:, [4, 3]], index=CELLS, columns=["NEG-1", "PEP_1"]).sort_index()
    pd.testing.assert_frame_equal(found.to_anndata().to_df(), expected, check_dtype=False)


def test_report_counts_what_was_read(complete):
    report = read(complete).report
    assert report["n_cells_gex"] == 3
    assert report["n_cells_vdj"] == 2
    assert report["n_contigs"] == 3
    assert report["join_rate"] == 1.0
    assert report["genome"] == "GRCh38"
    assert json.loads(json.dumps(report)) == report


def test_results_can_be_written_and_read_again(complete, tmp_path):
    import anndata as ad

    counts = read(complete).counts
    counts = counts.to_anndata()
    counts.write_h5ad(tmp_path / "counts.h5ad")
    again = ad.read_h5ad(tmp_path / "counts.h5ad")
    pd.testing.assert_frame_equal(again.to_df(), counts.to_df())
    assert again.var["symbol"].tolist() == counts.var["symbol"].tolist()


@pytest.mark.parametrize("absent", ["gex", "vdj", "dna_barcodes"])
def test_what_was_not_delivered_is_none(complete, absent):
    data = read(dataclasses.replace(complete, **{absent: None}))
    found = {"gex": data.counts, "vdj": data.contigs, "dna_barcodes": data.antigen_counts}
    assert [name for name, value in found.items() if value is None] == [absent]
    flags = {"gex": "has_gex", "vdj": "has_vdj", "dna_barcodes": "has_dna"}
    assert [name for name, flag in flags.items() if not data.report[flag]] == [absent]
    assert (data.report["join_rate"] is None) == (absent in ("gex", "vdj"))


def refuse(files, message, **options):
    with pytest.raises(LibraryFaultError, match=message) as caught:
        read(files, **options)
    assert caught.value.reason.count("\n") == 0


@pytest.mark.parametrize(
    ("rename", "hint"),
    [
        (lambda cell: cell.removesuffix("-1"), r"without suffix \('-1'\).*100% would match"),
        (lambda cell: f"S1_{cell}", r"without suffix .* and prefix .*100% would match"),
        (lambda cell: cell[::-1].replace("1-", "") + "-1", "are both files of the same library"),
    ],
)
def test_receptors_of_other_cells_are_refused(complete, write_contigs, make_contig, rename, hint):
    rows = [make_contig(rename(cell)) for cell in CELLS]
    files = dataclasses.replace(complete, vdj=write_contigs(rows, "other.csv"))
    refuse(files, rf"other.csv: 0\.0% of its 3 cell barcodes.*at least 50%.*{hint}")
    assert read(files, require_gex=False).report["join_rate"] == 0.0


def test_join_rate_is_of_vdj_cells_and_the_limit_is_inclusive(complete, write_contigs, make_contig):
    rows = [make_contig(cell) for cell in (CELLS[0], "GGGGACGTACGTACGT-1")]
    files = dataclasses.replace(complete, vdj=write_contigs(rows))
    assert read(files).report["join_rate"] == 0.5
    refuse(files, "50.0% of its 2", options=IngestOptions(min_join_rate=0.51))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"chain": "IGH"}, r"0% of its contigs are of T-cell receptors, 100% are of B cells"),
        ({"v_gene": "TRBV13-2"}, "mouse genes, such as TRBV13-2"),
        ({"v_gene": "Trbv5", "chain": "Trb"}, "mouse genes, such as Trbv5"),
        ({"is_cell": "false"}, "none of its 3 contigs is of a cell"),
        ({"contig_id": "same", "barcode": "same"}, "2 contigs stand in it twice, such as same"),
    ],
)
def test_wrong_contigs_are_refused(complete, write_contigs, make_contig, changes, message):
    rows = [make_contig(cell) | changes for cell in CELLS]
    refuse(dataclasses.replace(complete, vdj=write_contigs(rows)), message)


def test_empty_contig_table_is_refused(complete, write_contigs, make_contig):
    path = write_contigs([make_contig()])
    path.write_text(path.read_text().splitlines()[0] + "\n")
    refuse(dataclasses.replace(complete, vdj=path), "holds no contig")


def changed_features(**columns):
    return FEATURES.assign(**columns)


@pytest.mark.parametrize(
    ("written", "message"),
    [
        ({"counts": COUNTS - 1}, "are negative"),
        ({"counts": COUNTS + 0.5}, "already normalised values"),
        ({"counts": np.where(COUNTS == 5, np.nan, COUNTS)}, r"1 of .* stored counts are missing"),
        ({"cells": ["A-1", "B-1", "A-1"]}, "1 cell barcodes stand in it twice, such as A-1"),
        ({"counts": COUNTS[:0], "cells": []}, "holds 0 cells"),
        (
            {"features": changed_features(id=["E1", "E1", "E2", "PEP_1", "NEG-1"])},
            "1 feature ids stand in it twice, such as E1",
        ),
        (
            {"features": changed_features(id=["ENSMUSG01", "ENSMUSG02", "ENSMUSG03", "P", "N"])},
            "100% of the genes are not human .* such as ENSMUSG01 CD3D",
        ),
        (
            {
                "features": changed_features(
                    name=["Cd3d", "Ms4a1", "Lyz2", "P", "N"], id=list("abcde")
                )
            },
            "100% of the genes are not human",
        ),
        ({"features": changed_features(feature_type="CRISPR")}, r"'CRISPR' \(5\)"),
    ],
)
def test_wrong_matrices_are_refused(files, write_h5, written, message):
    refuse(files(gex=write_h5(**written)), message)


def test_repeated_symbols_are_fine(files, write_h5):
    features = changed_features(name=["TBCE", "TBCE", "LYZ", "PEP_1", "NEG-1"])
    counts = read(files(gex=write_h5(features=features))).counts
    assert counts.var["symbol"].tolist() == ["TBCE", "LYZ", "TBCE"]


def test_absent_feature_type_names_those_that_are_there(complete):
    refuse(
        complete,
        r"no feature of type 'Antibody Capture'; .*'Antigen Capture' \(2\), 'Gene Expression'",
        feature_type="Antibody Capture",
    )


def test_absent_antigens_are_named(complete):
    antigens = pd.DataFrame({"dna_barcode": ["PEP_1", "PEP_2"]})
    refuse(complete, r"lacks 1 of the 2 dna_barcodes .*: PEP_2; it has PEP_1", antigens=antigens)


@pytest.mark.data
def test_dextramer_study_has_its_published_numbers(shared_data, files):
    folder = shared_data / "real_dextramer"
    path = folder / "libraries/donor_v/filtered_feature_bc_matrix.h5"
    vdj = folder / "libraries/donor_v/filtered_contig_annotations.csv"
    antigens = pd.read_csv(folder / "antigens.tsv", sep="\t")
    data = read(
        files(gex=path, vdj=vdj, dna_barcodes=path),
        feature_type="Antibody Capture",
        antigens=antigens,
    )
    everything = read(files(dna_barcodes=path), feature_type="Antibody Capture", antigens=None)
    assert data.counts.X.sum() + everything.antigen_counts.X.sum() == 9_205_274
    assert data.antigen_counts.var_names.tolist() == antigens["dna_barcode"].tolist()
    assert data.counts.shape == (1000, 33538)
    assert (data.report["n_contigs"], data.report["n_cells_vdj"]) == (1587, 735)
    assert data.report["n_contigs_dropped"] == {
        "not_cell": 17,
        "low_confidence": 69,
        "bcr_locus": 0,
    }


@pytest.mark.data
def test_ards_study_has_its_published_numbers(shared_data, files):
    folder = shared_data / "real_ards_blood_lung/libraries"
    found = {
        path.name: read(
            files(gex=path / "gex.h5ad", vdj=path / "filtered_contig_annotations.csv.gz"),
            require_gex=False,
        )
        for path in sorted(folder.iterdir())
    }
    n_contigs = [data.report["n_contigs"] for data in found.values()]
    n_cells = [data.report["n_cells_vdj"] for data in found.values()]
    assert n_contigs == [5504, 5304, 3005, 2467, 15003, 5011, 18513, 347]
    assert n_cells == [2805, 2893, 1328, 1278, 6943, 2747, 8991, 201]
    assert sum(data.counts.n_obs for data in found.values()) == 500
    joined = sum(
        data.counts.obs_names.isin(data.contigs["cell_barcode"]).sum() for data in found.values()
    )
    assert joined == 365


@pytest.mark.data
def test_incomplete_gene_expression_is_refused_when_it_is_required(shared_data, files):
    folder = shared_data / "real_ards_blood_lung/libraries/P17B"
    library = files(gex=folder / "gex.h5ad", vdj=folder / "filtered_contig_annotations.csv.gz")
    refuse(library, r"1\.5% of its 2,805 cell barcodes")


@pytest.mark.data
@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("contigs_misc/GSE309696_mouse_aggr_filtered_contig_annotations.csv.gz", "mouse genes"),
        ("contigs_misc/immunarch_flu_bcr_multisample.csv.gz", "100% are of B cells"),
        (
            "receptor_formats/10x/sc5p_v2_hs_melanoma_10k_b_filtered_contig_annotations.csv.gz",
            "100% are of B cells",
        ),
    ],
)
def test_foreign_contig_tables_are_refused(shared_data, files, name, message):
    refuse(files(vdj=shared_data / name), message)


@pytest.mark.data
def test_mouse_matrix_is_refused(shared_data, files):
    refuse(
        files(gex=shared_data / "matrix_formats/10x_data/int-ids"),
        "100% of the genes are not human",
    )


def test_hashtags_of_a_pooled_library_are_no_antigens(complete):
    data = read_library(
        complete,
        IngestOptions(),
        require_gex=True,
        feature_type=TAGS,
        antigens=None,
        hashtags=["NEG-1"],
    )
    column = COUNTS[:, [4]]
    expected = pd.DataFrame(column, index=CELLS, columns=["NEG-1"]).sort_index()
    found = data.hashtag_counts.to_anndata().to_df()
    pd.testing.assert_frame_equal(found, expected, check_dtype=False)
    assert data.antigen_counts.var_names.tolist() == ["PEP_1"]
    assert read(complete).hashtag_counts is None


@pytest.mark.parametrize(
    ("hashtags", "hashtag_type", "reason"),
    [
        (["NEG-1", "HT9"], None, r"lacks 1 of the 2 hashtags of hashtags.tsv: HT9"),
        (["NEG-1"], "Multiplexing Capture", "no feature of type 'Multiplexing Capture'"),
        (["CD3D"], None, "lacks 1 of the 1 hashtags"),  # a gene is no hashtag
    ],
)
def test_absent_hashtags_are_named(complete, hashtags, hashtag_type, reason):
    with pytest.raises(LibraryFaultError, match=reason):
        read_library(
            complete,
            IngestOptions(),
            require_gex=True,
            feature_type=TAGS,
            antigens=None,
            hashtags=hashtags,
            hashtag_type=hashtag_type,
        )


def test_the_order_of_cells_and_genes_in_the_file_is_no_part_of_the_library():
    rng = np.random.default_rng(5)
    counts = sparse.csr_matrix(rng.poisson(0.7, (30, 20)).astype(np.int32))
    cells = np.array([f"{name}-1" for name in sorted(rng.choice(4**6, 30, replace=False))], object)
    genes = np.array([f"ENSG{i:011d}" for i in range(20)], dtype=object)

    def read(cell_order, gene_order):
        matrix = FeatureMatrix(
            counts=sparse.csr_matrix(counts[cell_order][:, gene_order]),
            cell_barcodes=cells[cell_order],
            feature_ids=genes[gene_order],
            symbols=genes[gene_order],
            feature_types=np.full(20, "Gene Expression", dtype=object),
            genomes=np.full(20, "", dtype=object),
            source="made.h5",
        )
        return library._to_counts(matrix, sort_features=True)

    first = read(np.arange(30), np.arange(20))
    second = read(rng.permutation(30), rng.permutation(20))
    assert list(first.obs_names) == list(second.obs_names) == sorted(cells)
    assert list(first.var_names) == list(second.var["symbol"]) == list(genes)
    for name in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(getattr(first.X, name), getattr(second.X, name))
