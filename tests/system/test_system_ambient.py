"""A study with ambient RNA, as delivered and with it taken off: what changes, and what does not."""

from __future__ import annotations

import json
from datetime import UTC, datetime

import mudata
import numpy as np
import pandas as pd
import pytest

from flows._opening import Opening
from flows._order import run_stages
from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from flows.build_cohort import build_cohort
from flows.process_library import process_libraries
from flows.publish_release import publish_release
from hiaim_sc.storage import Store
from hiaim_sc.study import read_study

pytestmark = pytest.mark.long
SHARE = {"blood": 0.2, "tumor": 0.2}


class Ran:
    """A study that ran in this process: artefacts, records of its stages, release."""

    def __init__(self, folder, options):
        config = folder / "study" / "study.yaml"
        text = "\n".join(config.read_text().split("options:")[:1])
        config.write_text(f"{text}options: {options}\n")
        self.run = StudyRun(
            read_study(folder / "study"), Store(folder / "store"), NoProgress(), compute_here
        )
        self.libraries = process_libraries(self.run)
        self.keys = build_cohort(self.run, self.libraries)

    def read(self, stage, name):
        return self.run.store.get(self.keys[stage]).read(name)

    def made_of(self, stage):
        folder = self.run.store.folder(self.keys[stage])
        return json.loads((folder / "artefact.json").read_text())["recipe"]["inputs"]

    def recomputed(self):
        return {r.name for r in self.run.records if r.status == "recomputed"}


@pytest.fixture(scope="module")
def folder(simulate):
    """Blood and tumours of two patients at one visit."""
    return simulate(
        n_patients=2,
        visits={"baseline": 0},
        cells_per_library=260,
        n_genes=900,
        seed=3,
        ambient_mean=SHARE,
        empty_droplets=2000,
    )


@pytest.fixture(scope="module")
def delivered(folder):
    return Ran(folder, "{integrate: {umap: false}}")


@pytest.fixture(scope="module")
def corrected(folder, delivered):
    return Ran(folder, "{integrate: {umap: false}, ambient: {correct: true}}")


@pytest.fixture(scope="module")
def release(corrected, tmp_path_factory):
    libraries, keys = run_stages(corrected.run, blinded=True)
    return publish_release(
        corrected.run,
        libraries,
        keys,
        results=tmp_path_factory.mktemp("results"),
        started=datetime.now(UTC),
        opening=Opening(blinded=True),
    )


def test_what_ingest_and_qc_say_does_not_depend_on_it(delivered, corrected):
    of = ("ingest", "qc", "receptors")
    assert corrected.libraries.inputs(*of) == delivered.libraries.inputs(*of)
    assert not {"ingest", "qc", "receptors", "clones"} & corrected.recomputed()
    assert {"corrected", "genes", "selected_corrected", "embedding"} <= corrected.recomputed()
    assert "selected_corrected" not in delivered.keys
    assert not delivered.libraries.inputs("corrected")


def test_without_the_option_nothing_is_computed_anew(folder, delivered, corrected):
    again = Ran(folder, "{integrate: {umap: false}, ambient: {correct: false}}")
    assert again.recomputed() == set()
    assert again.keys == delivered.keys


def test_delivered_counts_are_the_same_in_both(delivered, corrected):
    before, after = (ran.read("selected", "selected") for ran in (delivered, corrected))
    genes = before.var_names.intersection(after.var_names)
    assert len(genes) > 500
    assert list(before.obs_names) == list(after.obs_names)
    assert (before[:, genes].X != after[:, genes].X).nnz == 0
    assert (before.obs["total_counts"] == after.obs["total_counts"]).all()


def test_all_cells_are_told_by_what_is_left_and_t_and_nk_cells_by_what_was_delivered(corrected):
    left, raw = corrected.keys["selected_corrected"], corrected.keys["selected"]
    for name in ("embedding", "cluster_genes", "compartments", "cell_types"):
        assert corrected.made_of(name)["selected"] == left
    assert corrected.made_of("cell_scores")["selected"] == raw
    lymphocytes = corrected.read("lymphocytes", "lymphocytes")
    selected = corrected.read("selected", "selected")
    genes = lymphocytes.var_names.intersection(selected.var_names)
    assert (lymphocytes[:, genes].X != selected[lymphocytes.obs_names, genes].X).nnz == 0


def test_sums_by_sample_and_cell_type_are_of_delivered_counts(corrected):
    sums = corrected.read("pseudobulk", "pseudobulk")
    raw = corrected.read("selected", "selected")
    cells = corrected.read("cells", "cells").query("qc_pass")
    names = cells["library_id"] + "_" + cells["cell_barcode"]
    cells = cells.set_index(names).loc[raw.obs_names]
    assert sums.n_obs > 10
    for row in sums.obs.itertuples():
        own = (cells["sample_id"] == row.sample_id) & (cells["cell_type_lineage"] == row.cell_type)
        found = sums[row.Index, raw.var_names].X.toarray().ravel()
        assert (found == raw.X[own.to_numpy()].sum(axis=0).A1).all()


def test_what_was_taken_off_is_the_estimate_of_each_library(corrected):
    table = corrected.read("accounting", "libraries_qc").set_index("library_id")
    is_corrected = table["ambient_uncorrected"] == ""
    assert is_corrected.any()
    np.testing.assert_allclose(
        table.loc[is_corrected, "ambient_removed"],
        table.loc[is_corrected, "ambient_fraction"],
        atol=0.005,
    )
    assert (table.loc[~is_corrected, "ambient_removed"] == 0).all()
    raw = corrected.read("selected", "selected").obs
    left = corrected.read("selected_corrected", "selected").obs
    share = (
        1
        - left.groupby("library_id")["total_counts"].sum()
        / raw.groupby("library_id")["total_counts"].sum()
    )
    np.testing.assert_allclose(share, table.loc[share.index, "ambient_removed"], atol=1e-12)


def test_markers_of_other_cells_are_gone_from_t_cells(corrected, folder):
    raw = corrected.read("selected", "selected")
    left = corrected.read("selected_corrected", "selected")
    truth = pd.read_csv(folder / "truth" / "cells.tsv", sep="\t", low_memory=False)
    names = truth["library_id"] + "_" + truth["cell_barcode"]
    is_t = truth["cell_type_coarse"].eq("T") & ~truth["is_doublet"]
    cells = raw.obs_names.isin(set(names[is_t]))
    genes = raw.var["symbol"].isin(["LYZ", "S100A8", "S100A9", "CD14", "EPCAM", "KRT8"]).to_numpy()
    before, after = raw.X[cells][:, genes].sum(), left.X[cells][:, genes].sum()
    assert before > 100
    assert after < 0.25 * before


def test_the_release_has_both_and_says_so(delivered, corrected, release):
    gex = mudata.read_h5mu(release / "cohort.h5mu")["gex"]
    raw = corrected.read("selected", "selected")
    left = corrected.read("selected_corrected", "selected")
    assert list(gex.obs_names) == list(raw.obs_names)
    assert (gex.layers["counts"] != raw.X).nnz == 0
    assert (gex.layers["counts_corrected"] != left.X).nnz == 0
    assert (gex.layers["counts_corrected"] > gex.layers["counts"]).nnz == 0
    totals = gex.obs["total_counts_corrected"].to_numpy()
    assert totals.tolist() == left.obs["total_counts"].tolist()
    normalised = np.log1p(left.X.toarray() / totals[:, None] * 1e4)
    np.testing.assert_allclose(gex.X.toarray(), normalised, rtol=1e-5)
    report = (release / "report.html").read_text()
    assert "rest on counts less ambient RNA in" in report
