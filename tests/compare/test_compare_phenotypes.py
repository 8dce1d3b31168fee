"""States of clones, their modularity, and which of them are called putative tumour-reactive."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.compare import describe_clones
from hiaim_sc.compare.modularity import measure_modularity
from hiaim_sc.compare.reactivity import find_otsu_threshold
from hiaim_sc.config import PhenotypeOptions
from hiaim_sc.names import CLONE_LABELS, PUTATIVE, RELEASE_TABLES

OPTIONS = PhenotypeOptions(min_reference_cells=4)
N_SINGLE = 5


def make_cells(clones, patient="P1") -> pd.DataFrame:
    """Cells from ``clone: [(tissue, cell type), ...]``, and further ones with a clone each."""
    rows = [(key, *cell) for key, cells in clones.items() for cell in cells]
    rows += [(f"single {i}", "tumor", "CD8 T") for i in range(N_SINGLE)]
    cells = pd.DataFrame(rows, columns=["clone_key", "tissue", "cell_type"])
    return cells.assign(
        patient_id=patient,
        library_id="L1",
        cell_barcode=[f"{patient}C{i:03d}" for i in range(len(cells))],
        cell_type_lineage=cells["cell_type"].str.removesuffix(" T"),
        invariant="",
        receptor_subtype="TRA+TRB",
    )


def make_scores(cells, by_clone) -> pd.DataFrame:
    """``mana_proxy`` of CD8 cells by clone; of the single ones 0, 0.1, 0.2 ..."""
    table = cells[["library_id", "cell_barcode", "patient_id", "tissue", "cell_type_lineage"]]
    score = cells["clone_key"].map(by_clone).astype(float)
    is_single = cells["clone_key"].str.startswith("single")
    number = cells["clone_key"].str.extract(r"(\d+)$", expand=False).astype(float)
    table = table.assign(mana_proxy=score.mask(is_single, number / 10), hanada=1.0)
    return table[table["cell_type_lineage"] == "CD8"].reset_index(drop=True)


def make_embedding(cells, indices=None) -> anndata.AnnData:
    embedding = anndata.AnnData(obs=cells[["library_id", "cell_barcode"]].astype(object))
    rows = np.arange(len(cells))[:, None]
    embedding.uns["neighbours"] = {"indices": rows if indices is None else indices}
    return embedding


def describe(cells, by_clone, matches=None, options=OPTIONS, scores=None):
    scores = make_scores(cells, by_clone) if scores is None else scores
    table = describe_clones(cells, make_embedding(cells), scores, matches, options)
    return table.set_index("clone_key")


TUMOUR = ("tumor", "CD8 T")


@pytest.mark.parametrize("kind", ["no cells", "no clones", "small clones"])
def test_nothing_to_describe_gives_the_columns(kind):
    cells = make_cells({})
    if kind == "no clones":
        cells["clone_key"] = pd.Series([None] * len(cells), dtype="str")
    cells = cells.iloc[:0] if kind == "no cells" else cells
    embedding = make_embedding(cells, np.zeros((len(cells), 0), dtype=int))
    scores = make_scores(make_cells({}), {}).iloc[:0]
    found = describe_clones(cells, embedding, scores, None, OPTIONS)
    assert list(found) == list(RELEASE_TABLES["clone_phenotypes"])
    assert found.empty


def test_states_of_a_clone():
    cells = make_cells({"a": [TUMOUR, ("blood", "CD8 T"), ("blood", "proliferating T"), TUMOUR]})
    found = describe(cells, {}).loc["a"]
    assert found[["n_cells", "n_tumor", "n_blood", "n_cell_types"]].tolist() == [4, 2, 2, 2]
    assert found[["main_cell_type", "main_share"]].tolist() == ["CD8 T", 0.75]
    assert found["entropy"] == pytest.approx(-0.75 * np.log2(0.75) - 0.25 * np.log2(0.25))
    assert list(describe(cells, {}).index) == ["a"]


def test_a_clone_above_its_patients_threshold_is_putative():
    """Single cells score 0 to 0.4: the 95th percentile is 0.38."""
    cells = make_cells({"a": [TUMOUR] * 3, "b": [TUMOUR] * 3, "c": [TUMOUR] * 2 + [("blood",) * 2]})
    found = describe(cells, {"a": 0.39, "b": 0.37, "c": 9.0})
    assert found["threshold"].tolist() == pytest.approx([0.38] * 3)
    assert found["label"].tolist() == [PUTATIVE, "other", "untestable"]
    assert found["reason"].tolist() == ["", "", "too_few_tumor_cells"]
    assert found["score"].tolist() == pytest.approx([0.39, 0.37, np.nan], nan_ok=True)
    assert found["score_hanada"].tolist() == pytest.approx([1.0, 1.0, np.nan], nan_ok=True)
    assert set(found["label"]) <= set(CLONE_LABELS)
    assert {*found.reset_index()} >= {*RELEASE_TABLES["clone_phenotypes"]}


def test_only_cd8_cells_in_the_tumour_make_the_score():
    cells = make_cells({"a": [TUMOUR] * 3 + [("blood", "CD8 T")] * 3})
    scores = make_scores(cells, {"a": 0.1})
    scores.loc[scores["tissue"] == "blood", "mana_proxy"] = 100.0
    assert describe(cells, {}, scores=scores).loc["a", "score"] == pytest.approx(0.1)


@pytest.mark.parametrize("reason", ["MAIT", "iNKT", "gd", "bystander"])
def test_invariant_clones_and_bystanders_are_not_asked(reason):
    cells = make_cells({"a": [TUMOUR] * 3, "b": [TUMOUR] * 3})
    is_a = cells["clone_key"] == "a"
    matches = None
    if reason == "bystander":
        matches = pd.DataFrame({"clone_key": ["a"], "bystander": ["CMV"], "hla_match": ["unknown"]})
        matches["is_strong"] = True
    elif reason == "gd":
        cells.loc[is_a, "receptor_subtype"] = "TRG+TRD"
    else:
        cells.loc[is_a, "invariant"] = reason
    found = describe(cells, {"a": 5.0, "b": 5.0}, matches)
    assert found["label"].tolist() == ["excluded", PUTATIVE]
    assert found["reason"].tolist() == [reason, ""]


def test_a_lineage_of_markers_excludes_too():
    cells = make_cells({"a": [TUMOUR] * 3 + [("tumor", "gd T")] * 4})
    assert describe(cells, {"a": 5.0}).loc["a", "reason"] == "gd"


@pytest.mark.parametrize("weak", [{"is_strong": False}, {"hla_match": "no"}, {"bystander": ""}])
def test_a_weak_or_contradicted_match_excludes_nothing(weak):
    row = {"clone_key": "a", "bystander": "CMV", "hla_match": "yes", "is_strong": True} | weak
    cells = make_cells({"a": [TUMOUR] * 3})
    assert describe(cells, {"a": 5.0}, pd.DataFrame([row])).loc["a", "label"] == PUTATIVE


def test_why_nothing_is_called():
    cells = make_cells({"a": [TUMOUR] * 3})
    few = OPTIONS.model_copy(update={"min_reference_cells": N_SINGLE + 1})
    assert describe(cells, {"a": 5}, options=few)["reason"].tolist() == ["too_few_reference_cells"]
    nothing = make_scores(cells, {}).assign(mana_proxy=np.nan)
    assert describe(cells, {}, scores=nothing)["reason"].tolist() == ["genes_not_measured"]
    other = OPTIONS.model_copy(update={"score": "hanada"})
    assert describe(cells, {"a": 5}, options=other).loc["a", "score"] == 1


def test_thresholds_are_of_the_patient():
    """The same clone scores; the other patient's single cells lie 10 higher."""
    first = make_cells({"a": [TUMOUR] * 3})
    second = make_cells({"b": [TUMOUR] * 3}, "P2")
    second["clone_key"] = second["clone_key"].str.replace("single", "single of P2")
    cells = pd.concat([first, second], ignore_index=True)
    scores = make_scores(cells, {"a": 5.0, "b": 5.0})
    is_single = cells.merge(scores)["clone_key"].str.contains("P2").to_numpy()
    scores.loc[is_single, "mana_proxy"] += 10
    found = describe(cells, {}, scores=scores)
    assert found["label"].tolist() == [PUTATIVE, "other"]


def test_otsu_cuts_between_two_groups():
    cells = make_cells({"a": [TUMOUR] * 3, "b": [TUMOUR] * 3})
    found = describe(
        cells, {"a": 5.0, "b": 0.3}, options=OPTIONS.model_copy(update={"threshold": "otsu"})
    )
    assert found["threshold"].tolist() == pytest.approx([2.7, 2.7])
    assert found["label"].tolist() == [PUTATIVE, "other"]


@given(st.lists(st.integers(-5, 5), min_size=2, max_size=12))
def test_otsu_is_the_cut_with_least_variance_within(values):
    x = np.array(values, dtype=float)
    cuts = np.unique(x)
    cuts = (cuts[1:] + cuts[:-1]) / 2
    found = find_otsu_threshold(x)
    if len(cuts) == 0:
        assert found == x[0]
        return

    def within(cut):
        return sum(((x[s] - x[s].mean()) ** 2).sum() for s in (x < cut, x >= cut))

    assert found in cuts
    assert within(found) == pytest.approx(min(within(cut) for cut in cuts))


def test_seven_edges_where_one_and_a_half_are_expected():
    """Worked by hand: log2((7 + 1) / (1.5 + 1)) = 1.6781."""
    # 5 of 25 cells: a share of 20/600; 45 edges in all, 7 of them within the clone
    pairs = [(0, 1), (0, 2), (0, 3), (0, 4), (1, 2), (1, 3), (1, 4)]
    pairs += [(5 + i, 5 + (i + s) % 20) for s in (1, 2) for i in range(20)][: 45 - 7]
    indices = np.tile(np.arange(25)[:, None], 12)
    filled = np.zeros(25, dtype=int)
    for start, end in pairs:
        indices[start, filled[start]] = end
        filled[start] += 1
    clone = np.where(np.arange(25) < 5, 0, np.arange(25))
    found = measure_modularity(indices, np.zeros(25, dtype=int), clone).loc[0]
    assert found.tolist() == pytest.approx([7, 1.5, 1.6780719])


def test_cells_without_a_clone_and_edges_between_patients_do_not_count():
    indices = np.array([[1], [0], [3], [2], [0]])
    group, clone = np.array([0, 0, 1, -1, 1]), np.array([0, 0, 1, -1, 1])
    found = measure_modularity(indices, group, clone)
    assert found["n_edges"].tolist() == [1, 0]
    assert found["expected"].tolist() == [1, 0]


def test_scirpy_has_the_same_modularity_up_to_its_sampling():
    import scipy.sparse as sp
    import scirpy as ir

    rng = np.random.default_rng(0)
    points = rng.normal(size=(60, 3))
    clone = np.repeat(np.arange(20), 3)
    points[clone < 4] += clone[clone < 4][:, None] * 3.0
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    indices = np.argsort(distance, axis=1)[:, :6]
    found = measure_modularity(indices, np.zeros(60, dtype=int), clone)
    graph = sp.lil_matrix((60, 60))
    for start, ends in enumerate(indices):
        graph[start, ends] = 1.0
    adata = anndata.AnnData(obs=pd.DataFrame({"clone_id": clone.astype(str)}))
    adata.obsp["connectivities"] = sp.csr_matrix(graph.maximum(graph.T))
    adata.obsm["airr"] = np.zeros((60, 1))
    theirs, _ = ir.tl.clonotype_modularity(
        adata, connectivity_key="connectivities", n_permutations=2000, inplace=False
    )
    expected = np.array([theirs[str(c)] for c in found.index])
    # its expectation is a mean of 2,000 draws of about 0.2 edges: 0.01 of 1.2
    np.testing.assert_allclose(found["modularity"], expected, atol=0.03)
