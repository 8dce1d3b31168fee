"""How well batches mix: closed forms, Harmony's own index, planted clusters."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.config import IntegrateOptions
from hiaim_sc.integrate import describe_integration, mixing
from hiaim_sc.integrate.mixing import describe_clusters, local_diversity, measure_mixing


def make_ring(n):
    """Points on a circle: every cell sees the others at the same distances."""
    angle = 2 * np.pi * np.arange(n) / n
    return np.column_stack([np.cos(angle), np.sin(angle)])


@pytest.mark.parametrize("n_groups", [1, 2, 3, 6])
def test_neighbours_at_one_distance_count_the_groups_they_are_of(n_groups):
    """All other corners of a simplex are equally far: the weights are 1 / (n - 1)."""
    n = 60
    codes = np.arange(n) % n_groups
    found = local_diversity(np.eye(n), codes, np.arange(n), perplexity=(n - 1) / 3)
    others = np.array([np.bincount(np.delete(codes, i), minlength=n_groups) for i in range(n)])
    share = others / (n - 1)
    np.testing.assert_allclose(found, 1 / (share**2).sum(axis=1), rtol=1e-6)


def test_neighbours_of_one_group_give_1_and_those_that_alternate_2():
    points = make_ring(400)
    apart = np.repeat([0, 1], 200)
    middle = np.arange(80, 120)
    np.testing.assert_allclose(local_diversity(points, apart, middle), 1.0)
    mixed = local_diversity(points, np.arange(400) % 2, middle)
    np.testing.assert_allclose(mixed, 2.0, atol=0.02)


@pytest.mark.parametrize(("n_cells", "perplexity"), [(400, 30), (250, 10), (1200, 30)])
def test_the_index_is_harmonys(n_cells, perplexity):
    import harmonypy

    rng = np.random.default_rng(n_cells)
    codes = rng.integers(4, size=n_cells)
    points = rng.normal(size=(n_cells, 5)) + 0.7 * codes[:, None]
    theirs = harmonypy.compute_lisi(
        points, pd.DataFrame({"batch": codes.astype(str)}), ["batch"], perplexity
    )[:, 0]
    ours = local_diversity(points, codes, np.arange(n_cells), perplexity)
    assert np.corrcoef(ours, theirs)[0, 1] > 0.999
    np.testing.assert_allclose(ours, theirs, atol=0.05)


@settings(max_examples=30, deadline=None)
@given(st.lists(st.integers(0, 3), min_size=2, max_size=40), st.integers(0, 2**31))
def test_the_index_lies_between_1_and_the_number_of_groups(groups, seed):
    codes = pd.factorize(np.array(groups))[0]
    points = np.random.default_rng(seed).integers(0, 3, (len(codes), 2)).astype(float)
    found = local_diversity(points, codes, np.arange(len(codes)))
    assert (found >= 1 - 1e-9).all()
    assert (found <= codes.max() + 1 + 1e-9).all()


def make_embedding(n=300):
    """Batches apart before and mixed after; two cell types apart in both."""
    rng = np.random.default_rng(1)
    batch, kind = np.arange(n) % 2, np.arange(n) // 2 % 2
    after = rng.normal(size=(n, 4)) + 20.0 * kind[:, None]
    before = after + 40.0 * batch[:, None] * np.array([0, 0, 0, 1])
    obs = pd.DataFrame(
        {
            "library_id": "L1",
            "cell_barcode": [f"C{i:04d}" for i in range(n)],
            "batch": np.where(batch == 0, "run1", "run2"),
            "leiden": kind.astype(str),
        },
        index=[f"L1_C{i:04d}" for i in range(n)],
    )
    obsm = {"X_pca": before.astype("f4"), "X_pca_harmony": after.astype("f4")}
    return anndata.AnnData(obs=obs, obsm=obsm), kind


def test_integration_mixes_batches_and_leaves_cell_types_apart():
    embedding, kind = make_embedding()
    labels = pd.DataFrame(
        {"batch": embedding.obs["batch"], "cell_type": np.array(["T", "B"])[kind]}
    )
    found = measure_mixing(embedding, labels).set_index("level")
    assert found.loc["batch", "before"] == pytest.approx(1.0)
    assert found.loc["batch", "after"] > 1.8
    assert list(found.loc["cell_type", ["before", "after"]]) == pytest.approx([1.0, 1.0])
    assert list(found["n_groups"]) == [2, 2]


def test_cells_without_a_type_are_left_out_and_a_sample_of_many_is_measured(monkeypatch):
    embedding, _ = make_embedding()
    label = np.array(["T"] * 100 + ["ambiguous", "unassigned", "", None] * 50, dtype=object)
    found = measure_mixing(embedding, pd.DataFrame({"cell_type": label}))
    assert list(found[["n_cells", "n_groups"]].iloc[0]) == [100, 1]
    assert found["after"].iloc[0] == pytest.approx(1.0)
    monkeypatch.setattr(mixing, "_N_CELLS", 50)
    sampled = measure_mixing(embedding, pd.DataFrame({"batch": embedding.obs["batch"]}))
    assert sampled["n_cells"].iloc[0] == 50
    assert sampled["after"].iloc[0] > 1.8


@pytest.mark.parametrize("n_labelled", [0, 1])
def test_nothing_to_measure_is_said_with_missing_values(n_labelled):
    embedding, _ = make_embedding(30)
    label = ["T"] * n_labelled + [""] * (30 - n_labelled)
    row = measure_mixing(embedding, pd.DataFrame({"cell_type": label})).iloc[0]
    assert np.isnan(row["before"])
    assert np.isnan(row["after"])
    assert row["n_cells"] == n_labelled


def test_a_cluster_of_one_patient_is_dominated_and_that_of_the_main_patient_is_not():
    leiden = pd.Series(["0"] * 60 + ["1"] * 10 + ["10"] * 10)
    patient = ["P1"] * 30 + ["P2"] * 20 + ["P3"] * 10 + ["P2"] * 9 + ["P1"] + ["P1"] * 10
    labels = pd.DataFrame({"patient": patient})
    found = describe_clusters(leiden, labels, IntegrateOptions(dominated_share=0.9))
    assert list(found["leiden"]) == ["0", "1", "10"]
    assert list(found["largest"]) == ["P1", "P2", "P1"]
    np.testing.assert_allclose(found["share"], [0.5, 0.9, 1.0])
    np.testing.assert_allclose(found["share_of_all"], [41 / 80, 29 / 80, 41 / 80])
    # P1 has more than half of all cells: a cluster of P1 is no surprise
    assert list(found["is_dominated"]) == [False, True, False]


def test_the_whole_finds_each_cells_patient_and_type():
    embedding, kind = make_embedding()
    cells = pd.DataFrame(embedding.obs[["library_id", "cell_barcode"]])
    cells["patient_id"] = np.where(np.arange(len(cells)) < 30, "P1", "P2")
    cells["cell_type_lineage"] = np.array(["CD8", "B"])[kind]
    shuffled = cells.sample(frac=1, random_state=1)
    found = describe_integration(embedding, shuffled, IntegrateOptions(), reason="one batch")
    assert list(found.metrics["level"]) == ["batch", "patient", "cell_type"]
    assert set(found.metrics["reason_not_integrated"]) == {"one batch"}
    assert found.metrics.set_index("level").loc["cell_type", "after"] == pytest.approx(1.0)
    assert len(found.clusters) == 4


def test_no_cell_at_all():
    empty = anndata.AnnData(
        obs=pd.DataFrame(
            {n: pd.Series(dtype="str") for n in ("library_id", "cell_barcode", "batch", "leiden")}
        ),
        obsm={n: np.zeros((0, 2), "f4") for n in ("X_pca", "X_pca_harmony")},
    )
    cells = pd.DataFrame(
        {n: pd.Series(dtype="str") for n in ("library_id", "cell_barcode", "patient_id")}
    ).assign(cell_type_lineage="")
    found = describe_integration(empty, cells, IntegrateOptions(), reason="")
    assert list(found.metrics["n_cells"]) == [0, 0, 0]
    assert found.clusters.empty
