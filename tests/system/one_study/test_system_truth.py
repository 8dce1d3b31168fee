"""A simulated study's release beside what was planted."""

from __future__ import annotations

import pandas as pd
import pytest

pytestmark = pytest.mark.slow

COMPARTMENTS = ["T", "NK", "B", "myeloid", "epithelial", "stroma"]


@pytest.fixture(scope="module")
def both(finished, simulated):
    """Every cell barcode: what the release says, and the truth."""
    cells = pd.read_csv(finished.release / "tables/cells.tsv", sep="\t", low_memory=False)
    truth = pd.read_csv(simulated / "truth/cells.tsv", sep="\t", low_memory=False)
    return cells.merge(truth, on=["library_id", "cell_barcode"], suffixes=("", "_true"))


@pytest.fixture(scope="module")
def singlets(both):
    known = both["cell_type_coarse_true"].isin(COMPARTMENTS)
    return both[known & both["qc_pass"] & ~both["is_doublet"].astype(bool)]


def test_every_cell_of_the_truth_is_in_the_release(both, simulated, finished):
    truth = pd.read_csv(simulated / "truth/cells.tsv", sep="\t", low_memory=False)
    assert len(both) == (truth["library_id"] != finished.left_out).sum()


def test_compartments_are_right(singlets):
    right = singlets["cell_type_coarse"] == singlets["cell_type_coarse_true"]
    assert right.mean() >= 0.95
    nk = singlets[singlets["cell_type_coarse_true"] == "NK"]
    assert (nk["cell_type_coarse"] == "NK").mean() >= 0.9
    called = singlets[singlets["cell_type_coarse"] == "NK"]
    assert (called["cell_type_coarse_true"] == "NK").mean() >= 0.9


def test_cd8_cells_are_found(singlets):
    truth = singlets["cell_type_true"] == "CD8 T"
    called = singlets["cell_type_lineage"] == "CD8"
    assert called[truth].mean() >= 0.9


def test_clones_are_the_planted_ones(both):
    paired = both[(both["chain_pairing"] == "single pair") & ~both["is_doublet"].astype(bool)]
    assert len(paired) > 300
    assert (paired["clone_key"] == paired["clone_key_true"]).mean() >= 0.99


def test_dying_cells_are_left_out_and_most_others_are_kept(both):
    dying = both["is_dying"].astype(bool)
    assert both.loc[dying, "qc_pass"].mean() < 0.2
    assert both.loc[~dying, "qc_pass"].mean() > 0.9


def test_no_sample_is_taken_for_another_patients(finished):
    checks = pd.read_csv(finished.release / "tables/identity_checks.tsv", sep="\t")
    assert len(checks) > 0
    assert (checks["verdict"] != "fail").all()


def test_the_release_holds_no_arm_but_in_its_comparison(finished):
    import mudata

    mdata = mudata.read_h5mu(finished.release / "cohort.h5mu")
    assert set(mdata.mod) == {"gex", "airr", "dna"}
    for modality in mdata.mod.values():
        assert not {"arm", "allocation"} & set(modality.obs.columns)
        texts = modality.obs.select_dtypes(exclude="number").astype(str)
        assert not texts.isin(["control", "exercise"]).any(axis=None)
    tables = sorted((finished.release / "tables").glob("*.tsv"))
    naming = {p.stem for p in tables if "exercise" in p.read_text()}
    # of both arms together: nothing in them is of one patient
    assert naming == {"comparisons", "sensitivity", "missing_data"}
    patients = set(pd.read_csv(finished.release / "tables/cells.tsv", sep="\t")["patient_id"])
    for name in naming:
        table = pd.read_csv(finished.release / "tables" / f"{name}.tsv", sep="\t", dtype=str)
        assert not patients & set(table.to_numpy().ravel()), name
