"""A model that CellTypist trained on one cohort's truth names the cells of another cohort."""

from __future__ import annotations

import celltypist_models
import mudata
import pandas as pd
import pytest
from anndata import concat

from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from flows.process_library import process_libraries
from hiaim_sc.storage import Store
from hiaim_sc.study import read_study

pytestmark = pytest.mark.long

SETTINGS = {"n_patients": 4, "visits": {"baseline": 0}, "cells_per_library": 250}
CELL = ["library_id", "cell_barcode"]


def read_truth(folder):
    table = pd.read_csv(folder / "truth" / "cells.tsv", sep="\t", low_memory=False)
    return table[~table["is_doublet"].astype(bool)]


@pytest.fixture(scope="module")
def model(simulate, tmp_path_factory):
    """The file of CellTypist's model of the true cell types of other patients, and its digest."""
    theirs = simulate(**SETTINGS, seed=5)
    store = Store(tmp_path_factory.mktemp("theirs"))
    run = StudyRun(read_study(theirs / "study"), store, NoProgress(), compute_here)
    ingested = process_libraries(run).inputs("ingest")
    counts = {name.split("/")[1]: store.get(key).read("counts") for name, key in ingested.items()}
    pooled = concat(counts, label="library_id", index_unique="_", merge="same")
    pooled.obs["cell_barcode"] = pooled.obs_names.str.split("_").str[0]
    known = pooled.obs[CELL].astype(str).merge(read_truth(theirs), on=CELL, how="left")
    is_known = known["cell_type"].notna().to_numpy()
    trained = celltypist_models.train(
        pooled[is_known].copy(),
        pd.Index(pooled.var["symbol"]),
        known.loc[is_known, "cell_type"],
        feature_selection=True,
        top_genes=10,
        alpha=0.1,
    )
    file = tmp_path_factory.mktemp("model") / "mine.pkl"
    return file, celltypist_models.write(trained, file)


@pytest.fixture(scope="module")
def ours(simulate, model, hiaim):
    """The truth of a cohort, and the folder of its release."""
    file, digest = model
    folder = simulate(**SETTINGS, seed=6)
    (folder / "study" / "mine.pkl").write_bytes(file.read_bytes())
    config = folder / "study" / "study.yaml"
    options = f"options: {{reference: {{model: mine.pkl, sha256: '{digest}'}}}}"
    config.write_text(config.read_text().replace("options: {}", options))
    assert hiaim("validate", folder / "study").code == 0
    return read_truth(folder), hiaim.release(folder / "study", "--workers", 2)


@pytest.fixture(scope="module")
def judged(ours):
    truth, release = ours
    labels = pd.read_parquet(release / "tables" / "reference_labels.parquet")
    return labels.merge(truth, on=CELL, suffixes=("", "_true"))


def test_the_labels_are_the_truth_for_most_cells_and_surer_where_they_are(judged):
    is_right = judged["reference_label"] == judged["cell_type_true"]
    is_sure = judged["reference_score"] >= 0.5
    assert len(judged) > 1800
    assert is_right.mean() > 0.85
    assert is_right[is_sure].mean() > 0.95
    assert is_right[~is_sure].mean() < is_right[is_sure].mean() - 0.05
    assert 0.4 < is_sure.mean() < 0.9


def test_a_population_that_the_two_name_alike_is_a_diagonal(ours):
    table = pd.read_parquet(ours[1] / "tables" / "reference_agreement.parquet")
    pairs = table[table["level"] == "cell_type"].set_index(["label", "reference_label"])
    for name in ("B", "monocyte", "epithelial", "NK CD56dim", "CD4 T", "CD8 T"):
        assert pairs.loc[(name, name), "share"] > 0.8, name
        assert pairs.loc[(name, name), "share_of_reference"] > 0.8, name


def test_the_release_shows_them_side_by_side(ours):
    release = ours[1]
    quality = pd.read_csv(release / "tables" / "reference_qc.tsv", sep="\t")
    assert len(quality) == 8
    assert (quality["n_genes_used"] == quality["n_genes_model"]).all()
    for name in ("reference_cell_type", "reference_cell_state"):
        assert (release / "figures" / f"{name}.png").stat().st_size > 10_000
    report = (release / "report.html").read_text()
    assert "A model that the study brought along names each of" in report
    gex = mudata.read_h5mu(release / "cohort.h5mu")["gex"]
    cells = pd.read_parquet(release / "tables" / "reference_labels.parquet")
    assert list(gex.obs["reference_label"].astype(str)) == list(cells["reference_label"])
