"""Ambient RNA: planted shares are recovered; what cannot be estimated is empty with a reason."""

from __future__ import annotations

import json
from functools import cache

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData

from hiaim_sc.config import QcOptions
from hiaim_sc.qc import assess_cells
from hiaim_sc.qc.ambient import estimate_ambient, read_ambient_markers
from hiaim_sc.qc.evidence import COMPARTMENT_MARKERS
from hiaim_sc.qc.marker_pairs import MarkerPairs
from hiaim_sc.simulate import SimulationSettings, simulate_library
from hiaim_sc.simulate.transcriptome import build_transcriptome

# Of the share. Markers that leak in the simulator's cells add up to 0.01, and one library's
# 95 % interval is about 0.015 on either side.
TOLERANCE = 0.03
SHARES = (0.0, 0.05, 0.1, 0.2)
LIBRARY = {"blood": "L001", "tumor": "L003"}


@cache
def library_of(tissue, share):
    """Counts, empty droplets and true ambient share of a library, and its cells' truth."""
    settings = SimulationSettings(
        out="unused",
        seed=5,
        n_patients=2,
        n_genes=1500,
        n_clone_ranks=2000,
        cells_per_library=900,
        empty_droplets=20_000,
        ambient_mean={"blood": share, "tumor": share},
    )
    made = simulate_library(settings, LIBRARY[tissue])
    genes = build_transcriptome(settings).genes.set_index("gene_id")
    counts = AnnData(made.counts, obs=pd.DataFrame(index=made.cell_barcodes), var=genes)
    soup = np.asarray(made.empty_counts.sum(axis=0)).ravel()
    return counts, pd.DataFrame({"gene_id": genes.index, "n_counts": soup}), made


def estimate(tissue, share, *, is_raw):
    counts, soup, made = library_of(tissue, share)
    usable = ~made.cells["is_dying"].to_numpy()
    return estimate_ambient(counts, usable, soup if is_raw else None), made.ambient_share


@pytest.mark.parametrize("is_raw", [True, False])
@pytest.mark.parametrize("tissue", ["blood", "tumor"])
@pytest.mark.parametrize("share", SHARES)
def test_planted_share_is_recovered(tissue, share, is_raw):
    found, truth = estimate(tissue, share, is_raw=is_raw)
    assert found.method == ("empty_droplets" if is_raw else "mean_profile")
    assert found.fraction == pytest.approx(truth, abs=TOLERANCE)
    assert found.low <= found.fraction <= found.high
    assert 0 < found.se < TOLERANCE
    assert found.n_cells >= 100
    assert found.reason == ""


def test_the_order_of_cells_and_genes_changes_nothing():
    counts, soup, made = library_of("blood", 0.1)
    usable = ~made.cells["is_dying"].to_numpy()
    rng = np.random.default_rng(0)
    cells, genes = rng.permutation(counts.n_obs), rng.permutation(counts.n_vars)
    shuffled = counts[cells][:, genes].copy()
    found = estimate_ambient(shuffled, usable[cells], soup.sample(frac=1, random_state=1))
    expected = estimate_ambient(counts, usable, soup)
    assert found.fraction == pytest.approx(expected.fraction, rel=1e-12)
    assert (found.n_cells, found.n_genes) == (expected.n_cells, expected.n_genes)


def test_the_estimate_is_the_ratio_of_the_formula(make_counts):
    """30 T cells that show LYZ and CD14 as ambient RNA alone, 12 monocytes that show CD3E so."""
    t_cell, monocyte = [20, 2, 77, 1], [1, 100, 79, 20]
    counts = make_counts([t_cell] * 30 + [monocyte] * 12, ["CD3E", "LYZ", "GENE1", "CD14"])
    soup = pd.DataFrame({"gene_id": counts.var_names, "n_counts": [100, 400, 400, 100]})
    found = estimate_ambient(counts, np.ones(42, dtype=bool), soup)
    observed, expected = 60 + 30 + 12, 3000 * 0.4 + 3000 * 0.1 + 2400 * 0.1
    assert found.fraction == pytest.approx(observed / expected)
    assert (found.n_cells, found.n_genes, found.method) == (42, 3, "empty_droplets")
    # a T cell that has what a monocyte has is a doublet, and not ambient RNA
    doublet = make_counts(
        [t_cell] * 30 + [monocyte] * 12 + [[20, 90, 80, 15]] * 3, counts.var["symbol"]
    )
    again = estimate_ambient(doublet, np.ones(45, dtype=bool), soup)
    assert again.fraction == pytest.approx(found.fraction, abs=0.01)


def test_the_standard_error_is_the_jackknife_over_genes():
    observed, expected = np.array([40.0, 60.0, 10.0]), np.array([200.0, 200.0, 100.0])
    without = [(110 - o) / (500 - e) for o, e in zip(observed, expected, strict=True)]
    jackknife = np.sqrt(2 / 3 * np.sum((np.array(without) - np.mean(without)) ** 2))
    found = MarkerPairs(observed, expected, 50).estimate("mean_profile")
    assert found.fraction == pytest.approx(110 / 500)
    assert found.se == pytest.approx(max(jackknife, np.sqrt(110) / 500))


def test_a_gene_that_is_expressed_after_all_is_left_out():
    pairs = MarkerPairs(np.array([10.0, 12.0, 300.0]), np.array([100.0, 120.0, 100.0]), 50)
    found = pairs.estimate("mean_profile")
    assert found.fraction == pytest.approx(22 / 220)
    assert found.n_genes == 2
    even = MarkerPairs(np.array([10.0, 12.0, 25.0]), np.array([100.0, 120.0, 100.0]), 50)
    assert even.estimate("mean_profile").n_genes == 3


def test_sorted_t_cells_without_empty_droplets_have_no_estimate():
    """No other cell brings a marker into the mean profile: what is there is ambient by itself."""
    counts, soup, made = library_of("blood", 0.1)
    is_t = made.cells["cell_type_coarse"].eq("T").to_numpy() & ~made.cells["is_doublet"].to_numpy()
    sorted_cells = counts[is_t].copy()
    usable = np.ones(sorted_cells.n_obs, dtype=bool)
    found = estimate_ambient(sorted_cells, usable)
    assert found.fraction is None
    assert found.reason
    assert json.loads(json.dumps(found.to_dict()))["fraction"] is None
    with_soup = estimate_ambient(sorted_cells, usable, soup)
    assert with_soup.fraction == pytest.approx(made.ambient_share, abs=TOLERANCE)


def test_few_cells_or_few_markers_have_no_estimate(make_counts):
    few = make_counts([[20, 2, 78]] * (19), ["CD3E", "LYZ", "GENE1"])
    soup = pd.DataFrame({"gene_id": few.var_names, "n_counts": [100, 400, 500]})
    found = estimate_ambient(few, np.ones(few.n_obs, dtype=bool), soup)
    assert found.reason.startswith("19 cells are surely of a compartment")
    many = make_counts([[20, 0, 78]] * 40, ["CD3E", "LYZ", "GENE1"])
    found = estimate_ambient(many, np.ones(40, dtype=bool), soup.assign(n_counts=[5, 10, 985]))
    assert "make up too little" in found.reason
    none = estimate_ambient(make_counts(np.ones((50, 2)), ["A", "B"]), np.ones(50, dtype=bool))
    assert "none of the marker genes" in none.reason


def test_empty_droplets_of_few_counts_are_not_used():
    counts, soup, made = library_of("blood", 0.1)
    usable = ~made.cells["is_dying"].to_numpy()
    thin = soup.assign(n_counts=soup["n_counts"] // (soup["n_counts"].sum() // 500))
    assert estimate_ambient(counts, usable, thin).method == "mean_profile"


def test_the_estimate_stands_beside_the_limits():
    counts, soup, made = library_of("blood", 0.1)
    options = QcOptions(doublets=False)
    found = assess_cells(counts, None, options, rng=np.random.default_rng(0), soup=soup)
    ambient = found.limits["ambient"]
    assert ambient["fraction"] == pytest.approx(made.ambient_share, abs=TOLERANCE)
    assert ambient["method"] == "empty_droplets"
    assert json.loads(json.dumps(found.limits)) == found.limits


def test_markers_name_compartments_that_are_known():
    table = read_ambient_markers()
    groups = {name for names in table["absent_in"] for name in names.split(",")}
    assert groups <= set(COMPARTMENT_MARKERS)
    assert not table["gene"].duplicated().any()
    for row in table.itertuples():
        assert row.expressed_by not in row.absent_in.split(",")
        assert row.source
