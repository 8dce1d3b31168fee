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


def test_calls_are_published_or_their_clone_agrees(calls, published, dextramer_clones):
    clone_of = dextramer_clones.set_index("cell_barcode")["clone_key"]
    cells = calls.cells.assign(
        is_published=[pair in published for pair in pairs(calls.cells)],
        clone_key=calls.cells["cell_barcode"].map(clone_of),
    )
    n_alike = cells.groupby(["clone_key", "dna_barcode"])["cell_barcode"].transform("nunique")
    assert n_alike.fillna(0).tolist() == cells["n_clone_calls"].tolist()
    unsupported = cells[~cells["is_published"] & ~(n_alike >= 2)]
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
    n_called = found["dna_barcode"].value_counts()
    controls = antigens.loc[antigens["dna_barcode"].str.endswith("_NC"), "dna_barcode"]
    assert len(controls) == 6
    assert n_called.reindex(controls, fill_value=0).max() <= 0.01 * counts.n_obs
