"""The verdict on cells: reasons, order, degenerate libraries, real data."""

from __future__ import annotations

import json
import time

import numpy as np
import pandas as pd
import pytest
from anndata.io import read_h5ad
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import sparse

from hiaim_sc.config import QcOptions
from hiaim_sc.names import QC_REASONS
from hiaim_sc.qc import assess_cells

COLUMNS = [
    "cell_barcode",
    "total_counts",
    "n_genes_by_counts",
    "pct_counts_mt",
    "pct_counts_hb",
    "dissociation_score",
    "s_score",
    "g2m_score",
    "phase",
    "scrublet_score",
    "receptor_evidence",
    "lineage_evidence",
    "doublet_score",
    "predicted_doublet",
    "doublet_evidence",
    "qc_pass",
    "qc_reason",
]


def assess(counts, receptors=None, **options):
    return assess_cells(counts, receptors, QcOptions(**options), rng=np.random.default_rng(0))


@pytest.fixture
def one_of_each(make_counts):
    """Good, few counts, few genes, dying, and few of all and dying."""
    return make_counts(
        [[100, 100, 100, 0], [2, 2, 2, 0], [300, 0, 0, 0], [50, 50, 50, 200], [0, 0, 0, 9]],
        ["A", "B", "C", "MT-CO1"],
    )


def test_reasons_are_joined_in_their_order(one_of_each):
    table = assess(one_of_each, min_counts=50, min_genes=3).table
    assert table["qc_reason"].tolist() == [
        "",
        "low_counts",
        "low_genes",
        "high_mt",
        "low_counts;low_genes;high_mt",
    ]
    assert table["qc_pass"].tolist() == [True, False, False, False, False]


def test_table_has_its_columns_and_every_cell(one_of_each):
    table = assess(one_of_each).table
    assert table.columns.tolist() == COLUMNS
    assert table["cell_barcode"].tolist() == one_of_each.obs_names.tolist()


def test_limits_say_what_was_applied(one_of_each):
    limits = assess(one_of_each, min_counts=50, min_genes=3).limits
    assert limits["total_counts"] == {"lower": 50, "upper": None, "rule": "fixed", "n_failed": 2}
    assert limits["pct_counts_mt"]["n_failed"] == 2
    assert limits["doublet_threshold"] == 0.15
    assert json.loads(json.dumps(limits)) == limits


def test_multichain_cells_are_doublets_even_in_a_small_library(one_of_each, make_receptors):
    receptors = make_receptors(one_of_each.obs_names[:2], [3, 2], [1, 2])
    table = assess(one_of_each, receptors, min_counts=0, min_genes=0).table
    assert table["predicted_doublet"].tolist() == [True, False, False, False, False]
    assert table["qc_reason"].iloc[0] == "doublet"
    assert table["doublet_evidence"].tolist() == ["receptor", "", "", "", ""]
    assert table["scrublet_score"].isna().all()


def test_doublets_can_be_switched_off(one_of_each, make_receptors):
    receptors = make_receptors(one_of_each.obs_names[:2], [3, 2], [3, 2])
    table = assess(one_of_each, receptors, doublets=False).table
    assert not table["predicted_doublet"].any()
    assert (table["doublet_score"] == 0).all()


def test_counts_have_no_upper_limit(make_counts):
    matrix = np.random.default_rng(0).poisson(20, (80, 150))
    matrix[0] *= 50
    assert assess(make_counts(matrix, [f"G{i}" for i in range(150)])).table["qc_pass"].all()


def test_large_tumour_cells_pass(make_planted):
    """Forty times as many counts as the other cells, 60,000 and more: an epithelial cell is large.

    Its counts are no reason, and its markers are of one compartment.
    """
    library = make_planted(n_cells=400, rate=0.0)
    matrix = library.counts.X.toarray()
    epithelial = library.counts.var["symbol"].isin(["EPCAM", "KRT8", "KRT18", "KRT19"]).to_numpy()
    has_receptor = library.counts.obs_names.isin(library.receptors["cell_barcode"])
    of_tumour = np.flatnonzero((matrix[:, epithelial].sum(axis=1) > 5) & ~has_receptor)
    others = np.isin(library.counts.var["symbol"], ["LYZ", "CD79A", "CD3E"])
    large = of_tumour[matrix[of_tumour][:, others].sum(axis=1) == 0][:15]
    matrix[large] *= 40
    counts = library.counts.copy()
    counts.X = sparse.csr_matrix(matrix)
    table = assess(counts, library.receptors).table.iloc[large]
    assert len(large) >= 10
    assert table["total_counts"].median() > 60_000 * 0.5
    assert (table["total_counts"] > 60_000).any()
    assert table["qc_pass"].all()


@settings(max_examples=20, deadline=None)
@given(
    st.integers(0, 2**32 - 1),
    st.integers(30, 120),
    st.fractions(0, 1),
    st.fractions(0, 1),
    st.booleans(),
)
def test_every_cell_is_kept_or_counted_under_its_reasons(seed, n_cells, dying, small, doublets):
    """Of each library, cells read = cells kept + cells lost by reason, and no upper count limit."""
    from .conftest import to_counts, to_receptors

    rng = np.random.default_rng(seed)
    matrix = rng.poisson(3.0, (n_cells, 60))
    matrix[rng.random(n_cells) < small] //= 5
    matrix[rng.random(n_cells) < dying, 0] += 150
    matrix[rng.random(n_cells) < 0.1] *= 100
    counts = to_counts(matrix, ["MT-CO1", *(f"G{i}" for i in range(59))])
    receptors = to_receptors(counts.obs_names, *rng.integers(0, 4, (2, n_cells)))
    options = {"min_counts": 50, "min_genes": 30, "min_cells_doublets": 30, "doublets": doublets}
    table = assess(counts, receptors, **options).table
    lost = table.loc[~table["qc_pass"], "qc_reason"].value_counts()
    assert len(table) == n_cells == table["qc_pass"].sum() + lost.sum()
    assert set(";".join(lost.index).split(";")) <= {"", *QC_REASONS}
    assert "" not in lost.index
    assert (table.loc[table["qc_pass"], "qc_reason"] == "").all()
    reasons = table["qc_reason"].str.split(";")
    is_doublet = reasons.map(lambda found: "doublet" in found)
    assert (is_doublet == table["predicted_doublet"]).all()
    assert (is_doublet == (table["doublet_evidence"] != "")).all()


@settings(max_examples=25, deadline=None)
@given(st.integers(1, 12), st.integers(1, 6), st.integers(0, 2**32 - 1))
def test_tiny_libraries_pass_through(n_cells, n_genes, seed):
    from .conftest import to_counts

    counts = to_counts(
        np.random.default_rng(seed).poisson(1.0, (n_cells, n_genes)), ["MT-1", *"ABCDE"][:n_genes]
    )
    table = assess(counts, min_counts=2, min_cells_mad=3, min_cells_doublets=10).table
    assert len(table) == n_cells
    assert table["doublet_score"].between(0, 1).all()
    assert (table["qc_pass"] == (table["qc_reason"] == "")).all()
    assert set(";".join(table["qc_reason"]).split(";")) <= {"", *QC_REASONS}


def test_a_library_is_assessed_quickly(make_planted):
    library = make_planted(n_cells=1500)
    assess(library.counts, library.receptors)
    start = time.process_time()
    assess(library.counts, library.receptors)
    assert time.process_time() - start < 3


@pytest.mark.data
def test_real_tiny_libraries_pass_through(shared_data):
    paths = sorted((shared_data / "real_nsclc_wu2020/libraries").glob("*/gex.h5ad"))
    tables = []
    for path in paths:
        counts = read_h5ad(path)
        counts.var["symbol"] = counts.var_names
        tables.append(assess(counts).table)
    cells = pd.concat(tables)
    assert (len(tables), len(cells)) == (30, 200)
    assert cells["total_counts"].median() == 706.5
    assert cells["qc_pass"].sum() > 100
