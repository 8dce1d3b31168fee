"""Cell types from markers, neighbours, clusters and receptors, on cells made by hand."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hiaim_sc.annotate import LYMPHOCYTES, annotate_cells, annotate_compartments, read_panel
from hiaim_sc.config import AnnotateOptions

# kind of cell: genes it expresses strongly
KINDS = {
    "cd8": "CD3D CD3E CD3G CD2 TRAC CD8A CD8B NKG7 GNLY",
    "cd4": "CD3D CD3E CD3G CD2 TRAC CD4",
    "treg": "CD3D CD3E CD2 TRAC CD4 FOXP3 IL2RA CTLA4 TNFRSF18 RTKN2",
    "dim": "KLRD1 NKG7 NCR1 FCGR3A GNLY KLRF1 FGFBP2 CX3CR1 PRF1 GZMB SPON2",
    "bright": "KLRD1 NKG7 NCR1 GNLY KLRF1 NCAM1 XCL1 XCL2 SELL GZMK KLRC1 IL7R",
    "b": "MS4A1 BANK1 PAX5 CD19 CD79A",
    "plasma": "JCHAIN MZB1 IGHG1 IGHA1 IGKC SDC1",
    "mono": "S100A8 S100A9 FCN1 VCAN CD14 LYZ",
    "epi": "EPCAM CLDN7 KRT8 KRT18 KRT19",
    "fib": "COL1A1 COL1A2 LUM DCN COL6A2 SPARC",
    "bare": "CD3D CD3E CD3G CD2 TRAC",
    "gd": "CD3D CD3E CD3G CD2 TRDC TRDV2 TRGV9 NKG7",
    "trdc t": "CD3D CD3E CD3G CD2 TRAC TRDC CD8A CD8B",
    "trdc nk": "KLRD1 NKG7 NCR1 FCGR3A GNLY KLRF1 FGFBP2 CX3CR1 PRF1 GZMB SPON2 TRDC",
    "red": "HBB HBA1 HBA2",
    "none": "",
}
COARSE = {
    "cd8": "T",
    "cd4": "T",
    "treg": "T",
    "dim": "NK",
    "bright": "NK",
    "b": "B",
    "plasma": "plasma",
    "mono": "myeloid",
    "epi": "epithelial",
    "fib": "stroma",
    "bare": "T",
    "gd": "T",
    "trdc t": "T",
    "trdc nk": "NK",
    "red": "other",
    "none": "unassigned",
}
OTHER = [f"GENE{i:03d}" for i in range(150)]
RECEPTOR = ["library_id", "cell_barcode", "chain_pairing", "receptor_subtype", "invariant"]


def nearest(points, k):
    """Each point's k nearest others, by comparing all with all."""
    distance = np.linalg.norm(points[:, None] - points[None], axis=2)
    np.fill_diagonal(distance, np.inf)
    return np.argsort(distance, axis=1)[:, : min(k, max(len(points) - 1, 0))]


def build(kinds, *, receptors=(), genes=None, seed=1, panel=None, low=0.02):
    """Cells of the given kinds and their annotation; kinds lie apart in the embedding."""
    panel = read_panel(None) if panel is None else panel
    names = [g for g in sorted(set(panel["gene"])) if genes is None or g in genes] + OTHER
    rng = np.random.default_rng(seed)
    mean = np.full((len(kinds), len(names)), low)
    mean[:, -len(OTHER) :] = 0.4
    for row, kind in enumerate(kinds):
        for gene in KINDS[kind].split():
            if gene in names:
                mean[row, names.index(gene)] = 3.0
    counts = rng.poisson(mean).astype(np.int32)
    obs = pd.DataFrame(
        {"library_id": "L1", "cell_barcode": [f"C{i:04d}" for i in range(len(kinds))]}
    ).astype(object)
    obs.index = obs["library_id"] + "_" + obs["cell_barcode"]
    obs["batch"], obs["total_counts"] = "run1", 3000
    var = pd.DataFrame({"symbol": np.array(names, dtype=object)}, index=names)
    selected = anndata.AnnData(X=sp.csr_matrix(counts), obs=obs, var=var)
    order = {kind: i for i, kind in enumerate(KINDS)}
    place = np.array([order[kind] for kind in kinds], dtype=float)
    points = np.column_stack([place * 50, rng.normal(size=len(kinds))])
    chains = pd.DataFrame(
        [("L1", f"C{i:04d}", pairing, subtype, name) for i, pairing, subtype, name in receptors],
        columns=RECEPTOR,
    )
    clone_cells = pd.DataFrame(
        {"library_id": "L1", "cell_barcode": chains["cell_barcode"], "clone_key": "one clone"}
    )
    options = AnnotateOptions(n_neighbors=5)
    first = annotate_compartments(selected, embed(obs, points, place), chains, panel, options)
    rows = np.flatnonzero(first["cell_type_coarse"].isin(LYMPHOCYTES))
    second = embed(obs.iloc[rows], points[rows], place[rows])
    found = annotate_cells(first, selected[rows], second, chains, clone_cells, panel, options)
    return found.assign(kind=list(kinds))


def embed(obs, points, place):
    embedding = anndata.AnnData(X=None, obs=obs[["library_id", "cell_barcode"]].copy())
    embedding.uns["neighbours"] = {"indices": nearest(points, 5)}
    embedding.obsm["X_pca_harmony"] = points.astype(np.float32)
    embedding.obs["leiden"] = [str(int(number)) for number in place]
    return embedding


def test_every_kind_is_recognised():
    found = build([kind for kind in KINDS for _ in range(30)])
    assert (found["cell_type_coarse"] == found["kind"].map(COARSE)).mean() > 0.97
    of = found.groupby("kind")["cell_type"].agg(lambda names: names.mode()[0])
    assert of["treg"] == "Treg"
    assert of["cd8"] == "CD8 T"
    assert of["cd4"] == "CD4 T"
    assert of["dim"] == "NK CD56dim"
    assert of["bright"] == "NK CD56bright"
    assert of["mono"] == "monocyte"


@pytest.mark.parametrize("kind", ["cd8", "dim", "b", "epi"])
def test_a_sample_of_one_kind_is_that_kind_throughout(kind):
    found = build([kind] * 60)
    assert (found["cell_type_coarse"] == COARSE[kind]).mean() > 0.97


def test_a_receptor_pair_makes_a_t_cell_of_an_nk_cell_and_an_ambiguous_one_of_a_b_cell():
    kinds = ["dim"] * 30 + ["b"] * 30 + ["none"] * 30
    pairs = [(i, "single pair", "TRA+TRB", "") for i in (0, 30, 60)]
    found = build(kinds, receptors=pairs)
    assert list(found["cell_type_coarse"].iloc[[0, 30, 60]]) == ["T", "ambiguous", "T"]
    assert found["cell_type_evidence"].iloc[60] == "receptor"
    assert (found["cell_type_coarse"].iloc[1:30] == "NK").all()


def test_one_chain_decides_where_markers_do_not_but_makes_no_t_cell_of_a_b_cell():
    found = build(
        ["b"] * 30 + ["none"] * 30,
        receptors=[(0, "orphan VJ", "TRA+TRB", ""), (30, "orphan VJ", "TRA+TRB", "")],
    )
    assert list(found["cell_type_coarse"].iloc[[0, 30]]) == ["B", "T"]


def test_one_chain_on_an_nk_cell_is_ambient_unless_cd3_may_be_there():
    chains = [(i, "orphan VDJ", "TRA+TRB", "") for i in range(30)]
    kinds = ["dim"] * 60
    clean = build(kinds, receptors=chains, low=0.0)["cell_type_coarse"]
    assert (clean == "NK").all()
    unmeasured = set(read_panel(None)["gene"]) - {"CD3D", "CD3E", "CD3G", "TRAC"}
    blind = build(kinds, receptors=chains, low=0.0, genes=unmeasured)["cell_type_coarse"]
    assert (blind.iloc[:30] == "T").all()
    assert (blind.iloc[30:] == "NK").all()


def test_a_cell_type_of_which_one_gene_was_measured_is_not_called():
    genes = set(read_panel(None)["gene"]) - {"HBA1", "HBA2"}
    found = build(["red"] * 40, genes=genes)
    assert set(found["cell_type_coarse"]) == {"unassigned"}
    assert set(build(["red"] * 40)["cell_type"]) == {"erythrocyte"}


def test_a_receptor_that_contradicts_the_markers_is_not_outvoted_by_the_cluster():
    found = build(["epi"] * 40, receptors=[(3, "single pair", "TRA+TRB", "")])
    assert found["cell_type_coarse"].iloc[3] == "ambiguous"
    assert (found["cell_type_coarse"].drop(3) == "epithelial").all()


def test_an_orphan_gamma_or_delta_chain_does_not_name_the_lineage():
    found = build(["cd8"] * 40, receptors=[(0, "orphan VJ", "TRG+TRD", "")])
    assert found["cell_type_lineage"].iloc[0] == "CD8"


def test_t_cells_without_cd4_and_cd8_are_just_t_cells():
    found = build(["bare"] * 40, low=0.0)
    assert set(found["cell_type_lineage"]) == {"T"}
    assert set(found["cell_type"]) == {"T"}


def test_a_small_panel_of_ones_own_is_enough():
    panel = read_panel(None).query("cell_type in ('T', 'B')")
    found = build(["cd8"] * 20 + ["b"] * 20, panel=panel)
    assert (found["cell_type_coarse"] == found["kind"].map(COARSE)).all()


@pytest.mark.parametrize("n_cells", [0, 1, 3])
def test_few_cells_have_a_row_each(n_cells):
    found = build(["b"] * n_cells)
    assert list(found["cell_barcode"]) == [f"C{i:04d}" for i in range(n_cells)]
    assert (found["cell_type_coarse"] == "B").all()


def test_another_order_of_the_tables_changes_no_label():
    kinds = ["cd8"] * 15 + ["dim"] * 15
    chains = [(i, "single pair", "TRA+TRB", "") for i in (0, 1, 17)]
    pd.testing.assert_frame_equal(
        build(kinds, receptors=chains), build(kinds, receptors=chains[::-1])
    )


def test_invariant_and_gamma_delta_receptors_name_the_lineage():
    receptors = [
        (0, "single pair", "TRA+TRB", "MAIT"),
        (1, "single pair", "TRA+TRB", "iNKT"),
        (2, "single pair", "TRG+TRD", ""),
    ]
    found = build(["cd8"] * 40, receptors=receptors)
    assert list(found["cell_type_lineage"].iloc[:3]) == ["MAIT", "iNKT", "gd"]
    assert (found["cell_type_lineage"].iloc[3:] == "CD8").all()


def test_gamma_delta_by_genes_needs_cd3_a_v_gene_and_no_alpha_beta_receptor():
    """NK cells express TRDC, and some alpha-beta T cells keep it."""
    found = build(
        ["gd"] * 30 + ["trdc t"] * 30 + ["trdc nk"] * 30,
        receptors=[(0, "single pair", "TRA+TRB", ""), (1, "orphan VDJ", "TRA+TRB", "")],
        low=0.0,
    )
    lineage = found["cell_type_lineage"]
    assert not set(lineage.iloc[:2]) & {"gd"}
    assert set(lineage.iloc[2:30]) == {"gd"}
    assert set(lineage.iloc[30:60]) == {"CD8"}
    assert set(lineage.iloc[60:]) == {"NK"}


def test_a_clone_is_one_lineage():
    kinds = ["cd8"] * 20 + ["cd4"] * 20
    clone = [(i, "single pair", "TRA+TRB", "") for i in (0, 1, 2, 3, 20)]
    found = build(kinds, receptors=clone)
    assert set(found["cell_type_lineage"].iloc[[0, 1, 2, 3, 20]]) == {"CD8"}
    assert (found["cell_type_lineage"].iloc[21:] == "CD4").all()


def test_a_panel_without_cd3_still_tells_t_from_nk():
    known = set(read_panel(None)["gene"]) - {"CD3D", "CD3E", "TRAC"}
    found = build(["cd8"] * 30 + ["dim"] * 30, genes=known)
    assert (found["cell_type_coarse"] == found["kind"].map(COARSE)).mean() > 0.95
