"""Public dextramer data: one donor, 166 published binders. The list is ICON's, and no truth."""

from __future__ import annotations

import pandas as pd
import pytest

from .conftest import call, pairs

pytestmark = pytest.mark.data


@pytest.fixture(scope="module")
def published(shared_data):
    table = pd.read_csv(shared_data / "real_dextramer" / "published_binders.tsv", sep="\t")
    return set(zip(table["cell_barcode"], table["pMHC"], strict=True))


@pytest.fixture(scope="module")
def calls(dextramers, dextramer_clones):
    counts, antigens, receptors = dextramers
    return call(counts, antigens=antigens, receptors=receptors, clones=dextramer_clones)


def test_published_binders_are_found(calls, published):
    assert len(published) == 166
    assert len(set(pairs(calls.cells)) & published) >= 0.97 * 166


def test_calls_are_published_or_their_clone_agrees(calls, published):
    cells = calls.cells.assign(is_published=[pair in published for pair in pairs(calls.cells)])
    unsupported = cells[~cells["is_published"] & (cells["n_clone_calls"] < 2)]
    assert len(unsupported) <= 0.05 * len(cells)
    # every call outside the list stands with its evidence
    others = cells[~cells["is_published"]]
    assert (others["dna_barcode"] == "AVFDRKSDAK_EBNA-3B_EBV").sum() >= 32
    known = ["n_umi", "p_value", "q_value", "dominance", "evidence", "n_held", "n_clone_cells"]
    assert others[known].notna().all(axis=None)
    assert (others["q_value"] <= 0.05).all()


def test_the_large_clones_are_labelled(calls):
    labels = calls.clones[calls.clones["label"] == "specific"]
    largest = labels.sort_values("n_cells", ascending=False).head(2)
    assert largest["peptide"].tolist() == ["IVTDFSVIK", "AVFDRKSDAK"]
    assert (largest["concordance"] > 0.98).all()


def test_controls_hardly_ever_look_like_antigens(dextramers, dextramer_clones):
    counts, antigens, receptors = dextramers
    unmarked = antigens.assign(is_control=False)
    found = call(counts, antigens=unmarked, receptors=receptors, clones=dextramer_clones).cells
    of_controls = found[found["dna_barcode"].str.endswith("_NC")]
    assert (
        of_controls.groupby("dna_barcode").size().max() <= 0.01 * counts.n_obs or of_controls.empty
    )
