"""Headers of libraries' files: what validation sees without reading a matrix."""

from __future__ import annotations

import errno
import gzip
import os
from dataclasses import replace
from pathlib import Path

import h5py
import numpy as np
import pandas as pd
import pytest

from hiaim_sc.config import Options
from hiaim_sc.errors import LibraryFaultError, can_recover
from hiaim_sc.study import LibraryFiles, file_checks, inspect_library
from hiaim_sc.study.contig_header import check_contig_start
from hiaim_sc.study.file_checks import check_header, find_odd_annotations, read_header
from hiaim_sc.study.hdf5_header import open_hdf5

GENES = ("Gene Expression",) * 2


def _reason(files: LibraryFiles, column: str = "gex", options: Options | None = None) -> str:
    return inspect_library(files, options or Options())[1].get(column, "")


@pytest.fixture
def library(small_study):
    """One good library."""
    folder = small_study.path / "lib"
    return LibraryFiles("L1", folder / "L1.h5", None, folder / "L1.csv", folder / "L1.h5")


def test_good_library_has_no_fault(library):
    annotation, faults = inspect_library(library, Options())
    assert faults == {}
    assert (annotation.genome, annotation.n_genes, annotation.gene_id) == (
        "GRCh38",
        3,
        "Ensembl id",
    )


# matrices


def test_truncated_matrix(library):
    content = library.gex.read_bytes()
    library.gex.write_bytes(content[: len(content) // 2])
    assert "cut short or damaged" in _reason(library)
    assert "cut short or damaged" in _reason(library, "dna_barcodes")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"<html><body>Please log in</body></html>", "a web page"),
        (b"gene,count\n", "a text file"),
        (gzip.compress(b"text", mtime=0), "gzipped but holds no HDF5"),
    ],
)
def test_matrix_that_is_something_else(library, content, words):
    library.gex.write_bytes(content)
    assert words in _reason(library)


def test_gzipped_matrix_is_read(library):
    packed = library.gex.with_suffix(".h5.gz")
    packed.write_bytes(gzip.compress(library.gex.read_bytes()))
    assert _reason(replace(library, gex=packed)) == ""


@pytest.mark.parametrize(
    ("layout", "words"),
    [
        ({"n_cells": 0}, "0 cells"),
        ({"ids": ("A1", "A2"), "types": ("Antigen Capture",) * 2, "genomes": ("",) * 2},
         "no feature of type 'Gene Expression'; its types are: 'Antigen Capture' (2)"),
        ({"ids": ("ENSG01", "ENSMUSG02"), "types": GENES, "genomes": ("GRCh38", "mm10")},
         "2 genomes (GRCh38, mm10)"),
        ({"ids": ("g1", "g2"), "types": GENES, "genomes": ("GRCm39",) * 2}, "genome GRCm39"),
        ({"ids": ("ENSMUSG01", "ENSMUSG02"), "types": GENES, "genomes": ("",) * 2}, "not human"),
        ({"ids": ("Cd3e", "Cd8a"), "types": GENES, "genomes": ("",) * 2}, "not human"),
    ],
)  # fmt: skip
def test_matrix_without_what_is_needed(small_study, library, layout, words):
    small_study.write_matrix(library.gex, **layout)
    assert words in _reason(library)


def test_an_unfiltered_matrix_is_known_by_its_size(small_study, library):
    small_study.write_matrix(library.gex, n_cells=300_001)
    assert "300,001 cell barcodes, as an unfiltered (raw) matrix" in _reason(library)
    raw = replace(library, gex_raw=library.gex)
    assert _reason(raw, "gex_raw") == ""
    small_study.write_matrix(library.gex, n_cells=100_000)
    assert _reason(library) == ""


def test_genome_that_is_named_is_taken(small_study, library):
    layout = {"ids": ("ENSG01", "ENSMUSG02"), "types": GENES, "genomes": ("GRCh38", "mm10")}
    small_study.write_matrix(library.gex, **layout)
    human = Options.model_validate({"ingest": {"genome": "GRCh38"}})
    mouse = Options.model_validate({"ingest": {"genome": "mm10"}})
    other = Options.model_validate({"ingest": {"genome": "hg19"}})
    assert _reason(library, options=human) == ""
    assert "human genome is expected" in _reason(library, options=mouse)
    assert "2 genomes" in _reason(library, options=other)


def test_dna_barcodes_need_the_configured_feature_type(library):
    options = Options.model_validate({"dna_barcodes": {"feature_type": "Antibody Capture"}})
    annotation, faults = inspect_library(library, options)
    assert annotation is not None
    assert list(faults) == ["dna_barcodes"]
    assert "'Antigen Capture' (3), 'Gene Expression' (3)" in faults["dna_barcodes"]


@pytest.mark.parametrize(
    ("wrong", "words"),
    [("barcodes", "5 barcodes where 2"), ("indptr", "5 indptr where 3")],
)
def test_matrix_that_contradicts_itself(library, wrong, words):
    with h5py.File(library.gex, "a") as file:
        del file["matrix"][wrong]
        file["matrix"][wrong] = np.arange(5)
    assert words in _reason(library)


@pytest.mark.parametrize(
    ("genome", "words"),
    [(np.full(6, np.nan), "text is expected where float64"), (None, "more than 100 genomes")],
)
def test_genomes_that_are_none(small_study, library, genome, words):
    n = 150
    if genome is None:
        names = tuple(f"g{i}" for i in range(n))
        small_study.write_matrix(library.gex, ids=names, types=GENES[:1] * n, genomes=names)
    else:
        with h5py.File(library.gex, "a") as file:
            del file["matrix/features/genome"]
            file["matrix/features/genome"] = genome
    assert words in _reason(library)


def test_other_hdf5_is_no_matrix(library):
    with h5py.File(library.gex, "w") as file:
        file["molecule_info"] = 1
    assert "no Cell Ranger matrix: it holds molecule_info" in _reason(library)


def test_h5ad_without_a_matrix(library):
    path = library.gex.with_suffix(".h5ad")
    library.gex.rename(path)
    assert "no AnnData: it holds matrix" in _reason(replace(library, gex=path))


def test_h5ad_header_agrees_with_anndata(tmp_path):
    from anndata import AnnData

    types, genomes = ["Gene Expression"] * 3 + ["Antigen Capture"], ["hg38"] * 3 + [""]
    var = pd.DataFrame(
        {"feature_types": types, "genome": pd.Categorical(genomes)},
        index=["ENSG1", "ENSG2", "ENSG3", "A1"],
    )
    AnnData(np.ones((2, 4)), var=var).write_h5ad(tmp_path / "x.h5ad")
    header = read_header(tmp_path / "x.h5ad", None)
    assert (header.n_cells, header.n_features) == (2, 4)
    assert header.feature_types == {"Gene Expression": 3, "Antigen Capture": 1}
    assert header.genomes == {"hg38": 3}
    assert header.gene_ids[:2] == ("ENSG1", "ENSG2")


def _write_mtx(folder: Path, features: str, size: str) -> Path:
    folder.mkdir(parents=True)
    (folder / "matrix.mtx").write_text(
        f"%%MatrixMarket matrix coordinate integer general\n{size}\n"
    )
    (folder / "barcodes.tsv.gz").write_bytes(gzip.compress(b"AAAC-1\nAAAG-1\n"))
    (folder / "features.tsv.gz").write_bytes(gzip.compress(features.encode()))
    return folder


FEATURES = "ENSG1\tA\tGene Expression\nENSG2\tB\tGene Expression\nT1\tT1\tAntigen Capture\n"


@pytest.mark.parametrize("inside", ["", "matrix.mtx"])
def test_mtx_folder(tmp_path, inside):
    folder = _write_mtx(tmp_path / "m", FEATURES, "3 2 0")
    header = read_header(folder / inside, None)
    assert (header.n_cells, header.n_features) == (2, 3)
    assert header.feature_types == {"Gene Expression": 2, "Antigen Capture": 1}
    check_header(header, "m", "Antigen Capture", None)


@pytest.mark.parametrize(
    ("features", "size", "removed", "words"),
    [
        (FEATURES, "4 2 0", None, "has 4 features, features.tsv.gz 3"),
        (FEATURES, "three", None, "does not begin as a Matrix Market file"),
        (FEATURES, "3 2 0", "barcodes.tsv.gz", "no barcodes.tsv"),
        (FEATURES, "3 2 0", "features.tsv.gz", "no features.tsv or genes.tsv"),
        (FEATURES, "3 2 0", "matrix.mtx", "without matrix.mtx"),
    ],
)
def test_mtx_folder_that_is_not_whole(tmp_path, features, size, removed, words):
    folder = _write_mtx(tmp_path / "m", features, size)
    if removed:
        (folder / removed).unlink()
    with pytest.raises(LibraryFaultError, match=words):
        read_header(folder, None)


def test_mtx_folder_of_two_genomes(tmp_path):
    for genome in ("hg19", "mm10"):
        _write_mtx(tmp_path / "m" / genome, "ENSG1\tA\n", "1 2 0")
    header = read_header(tmp_path / "m", None)
    with pytest.raises(LibraryFaultError, match="2 genomes"):
        check_header(header, "m", "Gene Expression", None)
    check_header(read_header(tmp_path / "m", "hg19"), "m", "Gene Expression", "hg19")


def test_matrix_of_an_unknown_kind(library):
    path = library.gex.rename(library.gex.with_suffix(".loom"))
    assert "no kind of matrix known here" in _reason(replace(library, gex=path))


# contigs


@pytest.mark.parametrize(
    ("content", "words"),
    [
        (b"", "an empty file"),
        (b"<!doctype html>", "a web page"),
        (b"PK\x03\x04", "a spreadsheet"),
        (b"\x1f\x8b\x08cut", "cannot be read"),
        (b"barcode,chain\nA,TRB\n", "columns contig_id, v_gene, j_gene, cdr3_nt, productive not"),
        (b"cell_id\tlocus\nA\tTRB\n", "columns sequence_id, v_call"),
        (b"barcode,contig_id,v_gene,j_gene,cdr3_nt,productive\n", "no contig"),
    ],
)  # fmt: skip
def test_what_is_no_contig_table(library, content, words):
    library.vdj.write_bytes(content)
    assert words in _reason(library, "vdj")


@pytest.mark.parametrize(
    ("chain", "v_gene", "words"),
    [
        ("IGH", "IGHV1-2", "of B cells"),
        ("TRB", "TRBV13-2", "mouse genes"),
        ("TRB", "Trbv1", "mouse genes"),
        ("TRA", "TRAV6D-3", "mouse genes"),
        ("TRA", "TRAV29/DV5", ""),
        ("TRB", "TRBV29-1", ""),
        ("Multi", "", ""),
    ],
)
def test_first_contigs_tell_cell_and_species(small_study, library, chain, v_gene, words):
    small_study.write_contigs(library.vdj, chain, v_gene)
    reason = _reason(library, "vdj")
    assert words in reason
    assert bool(reason) == bool(words)


def test_gzipped_contigs_are_known_by_their_bytes(library):
    library.vdj.write_bytes(gzip.compress(library.vdj.read_bytes()))
    assert _reason(library, "vdj") == ""


def test_row_that_the_start_cuts_is_left_out(library):
    header = "barcode,contig_id,j_gene,cdr3_nt,productive,v_gene\n"
    rows = "A,c1,TRBJ1-1,TGT,true,TRBV29-1\nA,{},TRBJ1-1,TGT,true,TRBV29-1\n"
    n_before = len(header) + len(rows) - len("{}") - len("-1\n")
    library.vdj.write_text(header + rows.format("c" * (65_536 - n_before)))
    assert library.vdj.read_bytes()[:65_536].endswith(b"TRBV29")
    check_contig_start(library.vdj)


def test_long_table_is_judged_by_its_start(library):
    header, row = library.vdj.read_text().splitlines()
    rows = [row.replace("contig_1", f"contig_{number}") for number in range(2001)]
    rows[-1] = rows[-1].replace("TRB", "IGH")
    library.vdj.write_text("\n".join([header, *rows]))
    check_contig_start(library.vdj)


# libraries among each other, and the faults of a study


def _annotations(small_study, layouts):
    for number, layout in layouts.items():
        small_study.write_matrix(small_study / f"lib/L{number}.h5", **layout)
    return small_study.file_faults()


OTHERS = {
    "genome": ({"ids": ("ENSG1",) * 3, "types": GENES[:1] * 3, "genomes": ("hg19",) * 3}, "hg19"),
    "genes": ({"ids": ("ENSG1",) * 9, "types": GENES[:1] * 9, "genomes": ("GRCh38",) * 9}, "9"),
    "names": ({"ids": ("CD3E",) * 3, "types": GENES[:1] * 3, "genomes": ("GRCh38",) * 3}, "symbol"),
}


@pytest.mark.parametrize(("layout", "value"), OTHERS.values(), ids=OTHERS.keys())
def test_library_of_another_annotation(small_study, layout, value):
    (fault,) = _annotations(small_study, {4: layout})
    assert (fault.table, fault.row, fault.column) == ("libraries.tsv", 5, "gex")
    assert fault.value == "lib/L4.h5"
    assert f": {value}) than 4 of the 5 libraries" in fault.allowed


def test_annotations_that_agree_are_no_fault():
    assert find_odd_annotations({}) == []


def test_all_files_are_checked_at_once(small_study):
    (small_study / "lib/L3.h5").write_text("text")
    (small_study / "lib/L1.csv").write_text("<html>")
    small_study.write_matrix(small_study / "lib/L6.h5", n_cells=0)
    found = [(fault.row, fault.column, fault.value) for fault in small_study.file_faults()]
    assert found == [(2, "vdj", "lib/L1.csv"), (4, "gex", "lib/L3.h5"), (6, "gex", "lib/L6.h5")]


def fail_from_now_on(path):
    """Whatever is read of an open file ends in EIO: nothing lies at the start of a memory."""
    opened = [fd for fd in Path("/proc/self/fd").iterdir() if fd.resolve() == path]
    memory = os.open("/proc/self/mem", os.O_RDONLY)
    os.dup2(memory, int(opened[0].name))
    os.close(memory)


def read_while_storage_fails(path):
    with open_hdf5(path) as file:
        fail_from_now_on(path)
        file["values"][:]


def test_a_storage_that_fails_is_told_from_a_damaged_file(tmp_path):
    path = tmp_path / "large.h5"
    with h5py.File(path, "w") as file:
        file["values"] = np.arange(100_000)
    with pytest.raises(LibraryFaultError) as caught:
        read_while_storage_fails(path)
    assert can_recover(caught.value)


def test_a_storage_that_fails_is_no_fault_of_the_library(library, monkeypatch):
    def fail(*_):
        reason = "gex.h5 cannot be read"
        raise LibraryFaultError(reason) from OSError(errno.ESTALE, "stale")

    monkeypatch.setattr(file_checks, "read_header", fail)
    with pytest.raises(LibraryFaultError):
        inspect_library(library, Options())
