"""Unusable libraries are quarantined with a reason, the others go on; wrong tables stop the run."""

from __future__ import annotations

import json
import shutil

import h5py
import pandas as pd
import pytest

pytestmark = pytest.mark.slow


def truncate_matrix(library):
    path = library / "filtered_feature_bc_matrix.h5"
    path.write_bytes(path.read_bytes()[:4000])


def write_html(library):
    page = "<!DOCTYPE html><html><body>Please log in</body></html>"
    (library / "filtered_contig_annotations.csv").write_text(page)


def make_b_cells(library):
    path = library / "filtered_contig_annotations.csv"
    contigs = pd.read_csv(path)
    contigs["chain"] = contigs["chain"].map({"TRA": "IGK", "TRB": "IGH"})
    for gene in ("v_gene", "d_gene", "j_gene", "c_gene"):
        contigs[gene] = (
            contigs[gene].astype("str").str.replace("TRA", "IGK").str.replace("TRB", "IGH")
        )
    contigs.to_csv(path, index=False)


def rename_cells(library):
    path = library / "filtered_contig_annotations.csv"
    contigs = pd.read_csv(path)
    contigs["barcode"] = contigs["barcode"].str.replace("-1", "-7")
    contigs.to_csv(path, index=False)


def drop_all_cells(library):
    with h5py.File(library / "filtered_feature_bc_matrix.h5", "r+") as file:
        matrix = file["matrix"]
        shape = [int(matrix["shape"][0]), 0]
        for name in ("barcodes", "data", "indices", "indptr", "shape"):
            del matrix[name]
        matrix["shape"] = shape
        matrix["indptr"] = [0]
        matrix["data"] = []
        matrix["indices"] = []
        matrix.create_dataset("barcodes", shape=(0,), dtype="S18")


FAULTS = {
    truncate_matrix: "h5",
    write_html: "web page",
    make_b_cells: "IG",
    rename_cells: "cells of the gene expression",
    drop_all_cells: "0 cells",
}


def test_unusable_libraries_are_quarantined_and_the_rest_is_released(finished, hiaim, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(finished.study, study, symlinks=True)
    broken = dict(zip(FAULTS, sorted((study / "libraries").iterdir()), strict=False))
    for damage, library in broken.items():
        damage(library)
    assert hiaim("validate", study).code == 2
    done = hiaim("run", study)
    assert done.code == 0, done.err
    assert "Traceback" not in done.out + done.err
    libraries = pd.read_csv(study / "results/latest/tables/libraries_qc.tsv", sep="\t")
    libraries = libraries.set_index("library_id")
    for damage, library in broken.items():
        row = libraries.loc[library.name]
        assert row["verdict"] == "quarantined"
        assert FAULTS[damage].lower() in row["reason"].lower()
        assert library.name in done.out
    assert (libraries["verdict"] != "quarantined").sum() == len(libraries) - len(FAULTS)
    endpoints = pd.read_csv(study / "results/latest/tables/endpoints.tsv", sep="\t")
    assert (endpoints["reason_missing"] == "failed_qc").any()
    states = hiaim("status", study).out
    assert states.count("quarantined") == len(FAULTS)


def test_wrong_tables_stop_everything_before_anything_is_written(simulated, hiaim, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(simulated / "study", study)
    samples = pd.read_csv(study / "samples.tsv", sep="\t", dtype=str)
    samples.loc[0, "visit"] = "week8"
    samples.loc[1, "patient_id"] = "nobody"
    samples.to_csv(study / "samples.tsv", sep="\t", index=False)
    for command in ("validate", "plan", "run", "status"):
        done = hiaim(command, study)
        assert done.code == 2
        assert "samples.tsv line 2, visit: 'week8'" in done.err
        assert "samples.tsv line 3, patient_id: 'nobody'" in done.err
        assert "Traceback" not in done.out + done.err
    assert not (study / "results").exists()
    assert not (study / ".hiaim").exists()


def test_a_faulty_allocation_stops_a_run_but_not_a_blinded_one(finished, hiaim, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(finished.study, study, symlinks=True)
    (study / "libraries.tsv").write_text(finished.first_libraries)
    allocation = study / "allocation.tsv"
    allocation.write_text(allocation.read_text().replace("control", "placebo"))
    done = hiaim("run", study)
    assert done.code == 2
    assert "placebo" in done.err
    release = hiaim.release(study, "--blinded")
    comparisons = pd.read_csv(release / "tables/comparisons.tsv", sep="\t")
    assert comparisons["blinded"].all()
    assert "BLINDED" in (release / "report.html").read_text()
    manifest = json.loads((release / "manifest.json").read_text())
    assert manifest["blinded"]
    assert "samples.tsv" in manifest["inputs"]
    assert "allocation.tsv" not in manifest["inputs"]
