"""Pseudobulks: plain sums, whatever the order in which libraries, cells and genes come."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.compare import sum_pseudobulks
from hiaim_sc.storage import read_payload
from hiaim_sc.storage.payloads import write_payload

GENES = [f"ENSG{i:02d}" for i in range(7)]
SAMPLE = ["sample_id", "patient_id", "tissue", "visit", "session_phase"]
TYPES = ["CD8", "CD4", "NK", "T", "ambiguous", "unassigned", "other", ""]


def build_library(library_id, samples, *, n_cells=40, genes=GENES, seed=0):
    """Counts of a library and the table of its cells, which are of these samples in turn."""
    rng = np.random.default_rng([seed, len(library_id), *map(ord, library_id)])
    barcodes = [f"{library_id}{i:03d}" for i in range(n_cells)]
    x = sp.csr_matrix(rng.poisson(1.0, (n_cells, len(genes))).astype(np.int32))
    var = pd.DataFrame({"symbol": [f"S{name[4:]}" for name in genes]}, index=list(genes))
    counts = AnnData(X=x, obs=pd.DataFrame(index=barcodes), var=var)
    sample = [samples[i % len(samples)] for i in range(n_cells)]
    cells = pd.DataFrame(
        {
            "library_id": library_id,
            "cell_barcode": barcodes,
            "sample_id": sample,
            "patient_id": [name[:2] for name in sample],
            "tissue": "blood",
            "visit": "baseline",
            "session_phase": "rest",
            "total_counts": pd.array(np.asarray(x.sum(axis=1)).ravel(), dtype="Int64"),
            "qc_pass": rng.random(n_cells) < 0.8,
            "cell_type_lineage": rng.choice(TYPES, n_cells),
        }
    )
    cells.loc[~cells["qc_pass"], "cell_type_lineage"] = None
    return counts, cells


@pytest.fixture(scope="module")
def cohort():
    """S1 in two libraries, S2 and S3 together in one, S4 in one without a cell that passes."""
    parts = {
        "L2": build_library("L2", ["S1"]),
        "L1": build_library("L1", ["S1"]),
        "L3": build_library("L3", ["S2", "S3"]),
        "L4": build_library("L4", ["S4"]),
    }
    parts["L4"][1]["qc_pass"] = False
    cells = pd.concat([found for _, found in parts.values()], ignore_index=True)
    return {name: counts for name, (counts, _) in parts.items()}, cells


def expected_sums(libraries, cells):
    """By a plain groupby on dense counts."""
    dense = pd.concat([counts.to_df().astype(int) for counts in libraries.values()])
    kept = cells[cells["qc_pass"] & cells["cell_type_lineage"].isin(["CD8", "CD4", "NK"])]
    keys = kept.set_index("cell_barcode")[["sample_id", "cell_type_lineage"]]
    joined = dense.join(keys, how="inner")
    return joined.groupby(["sample_id", "cell_type_lineage"])


def test_sums_are_those_of_a_groupby(cohort):
    libraries, cells = cohort
    found = sum_pseudobulks(libraries.items(), cells)
    expected = expected_sums(libraries, cells)
    names = [f"{sample}|{kind}" for sample, kind in expected.groups]
    assert list(found.obs_names) == names == sorted(names)
    assert {name[:2] for name in names} == {"S1", "S2", "S3"}
    np.testing.assert_array_equal(found.X.toarray(), expected.sum().to_numpy())
    assert found.obs["n_cells"].tolist() == expected.size().tolist()
    assert found.X.dtype == np.int64
    assert list(found.obs.columns) == [*SAMPLE, "cell_type", "n_cells"]
    assert found.var["symbol"].tolist() == [f"S{i:02d}" for i in range(7)]


@settings(max_examples=20, deadline=None)
@given(st.randoms(use_true_random=False))
def test_the_order_of_libraries_cells_and_genes_does_not_matter(cohort, random):
    libraries, cells = cohort
    expected = sum_pseudobulks(libraries.items(), cells)
    names = random.sample(list(libraries), len(libraries))
    shuffled = {}
    for name in names:
        counts = libraries[name]
        rows = random.sample(range(counts.n_obs), counts.n_obs)
        columns = random.sample(range(counts.n_vars), counts.n_vars)
        shuffled[name] = counts[rows, columns].copy()
    order = random.sample(range(len(cells)), len(cells))
    found = sum_pseudobulks(shuffled.items(), cells.iloc[order])
    pd.testing.assert_frame_equal(found.obs, expected.obs)
    pd.testing.assert_frame_equal(found.var, expected.var)
    np.testing.assert_array_equal(found.X.toarray(), expected.X.toarray())


def test_counts_of_large_pseudobulks_do_not_overflow():
    counts, cells = build_library("L1", ["S1"], n_cells=4)
    counts.X = sp.csr_matrix(np.full((4, len(GENES)), 2**30, dtype=np.int32))
    cells = cells.assign(qc_pass=True, cell_type_lineage="NK")
    assert (sum_pseudobulks([("L1", counts)], cells).X.toarray() == 2**32).all()


def test_genes_are_those_that_every_library_has():
    first, cells = build_library("L1", ["S1"])
    second, more = build_library("L2", ["S2"], genes=[*GENES[3:], "ENSG99"])
    found = sum_pseudobulks([("L1", first), ("L2", second)], pd.concat([cells, more]))
    assert list(found.var_names) == GENES[3:]
    expected = expected_sums({"L1": first}, cells).sum()[GENES[3:]]
    rows = found.obs["sample_id"] == "S1"
    np.testing.assert_array_equal(found.X.toarray()[rows], expected.to_numpy())


def test_symbols_are_those_of_the_first_library_whatever_comes_first():
    first, cells = build_library("L1", ["S1"])
    second, more = build_library("L2", ["S2"])
    second.var["symbol"] = "renamed"
    found = sum_pseudobulks([("L2", second), ("L1", first)], pd.concat([cells, more]))
    assert found.var["symbol"].tolist() == first.var["symbol"].tolist()


def test_cells_without_expression_do_not_count():
    counts, cells = build_library("L1", ["S1"])
    alone = cells.head(1).assign(
        cell_barcode="VDJ-only", qc_pass=True, cell_type_lineage="CD8", total_counts=pd.NA
    )
    both = pd.concat([cells, alone])
    found = sum_pseudobulks([("L1", counts)], both)
    assert found.obs["n_cells"].sum() == expected_sums({"L1": counts}, cells).size().sum()


def test_what_does_not_belong_together_is_refused(cohort):
    libraries, cells = cohort
    with pytest.raises(ValueError, match="library L1 comes twice"):
        sum_pseudobulks([("L1", libraries["L1"])] * 2, cells)
    with pytest.raises(ValueError, match="without counts: L2, L3"):
        sum_pseudobulks([("L1", libraries["L1"])], cells)
    with pytest.raises(ValueError, match=r"library L1: .* not in the matrix"):
        sum_pseudobulks([("L1", libraries["L2"])], cells[cells["library_id"] == "L1"])


def test_the_store_keeps_them_with_and_without_cells(cohort, tmp_path):
    libraries, cells = cohort
    for name, chosen in (("some", cells), ("none", cells.iloc[:0])):
        made = sum_pseudobulks(libraries.items() if len(chosen) else [], chosen)
        read = read_payload(write_payload(tmp_path, name, made))
        np.testing.assert_array_equal(read.X.toarray(), made.X.toarray())
        assert list(read.obs.columns) == list(made.obs.columns)
        assert read.obs_names.tolist() == made.obs_names.tolist()
