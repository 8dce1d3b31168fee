"""scirpy itself, as pinned: the facts about it that this project's choices rest on.

A test that fails here after an upgrade says that a fact changed, not that this project is wrong:
see docs/decisions/0018-scirpy-facts.md.
"""

from __future__ import annotations

import anndata as ad
import awkward as ak
import numpy as np
import pandas as pd
import pytest
import scirpy as ir

from hiaim_sc.tcr import build_airr

# name -> locus, V gene, junction, junction_aa
CHAINS = {
    "A1": ("TRA", "TRAV1-1", "TGTGCTACA", "CAT"),
    "A2": ("TRA", "TRAV2", "TGTGGTTCA", "CGS"),
    "A3": ("TRA", "TRAV3", "TGTAAAACA", "CKT"),
    "B1": ("TRB", "TRBV5-1", "TGCGCCAGC", "CAS"),
    "B1other": ("TRB", "TRBV7-2", "TGCGCCAGC", "CAS"),
    "B2": ("TRB", "TRBV9", "TGCGGCAGC", "CGS"),
    "G1": ("TRG", "TRGV9", "TGTGCCTTG", "CAL"),
    "D1": ("TRD", "TRDV2", "TGTGCTTGT", "CAC"),
    "H1": ("IGH", "IGHV1-2", "TGTGCGAGA", "CAR"),
}
CELLS = {
    "c1": "A1 B1", "c2": "B1", "c3": "A1", "c4": "A1:5 A2:3 B1", "c5": "A2:9 A1:1 B1",
    "c6": "A2 B1", "c7": "A1 B1other", "c8": "A1 A2 A3 B1", "c9": "A1:5 A2:3 B1:5 B2:3", "c10": "",
    "c11": "!A1 !B1", "c12": "G1 D1", "c13": "A1 B1:5 D1:3", "c14": "A1 B1:5 H1:3",
}  # fmt: skip


def make_object(cells: dict[str, str], *, index: bool = True) -> ad.AnnData:
    """scirpy's object of cells; a chain is ``name`` or ``name:umis``, ``!``: not productive."""
    rows = []
    for cell, chains in cells.items():
        for number, chain in enumerate(chains.split()):
            name, _, umis = chain.lstrip("!").partition(":")
            locus, v_call, junction, junction_aa = CHAINS[name]
            rows.append(
                {
                    "library_id": "L", "cell_barcode": cell, "contig_id": f"{cell}_{number}",
                    "locus": locus, "v_call": v_call, "d_call": None, "j_call": f"{locus}J1",
                    "c_call": f"{locus}C", "junction": junction, "junction_aa": junction_aa,
                    "productive": "!" not in chain, "umi_count": int(umis or 5),
                    "consensus_count": 100,
                }
            )  # fmt: skip
    obs = pd.DataFrame({"cell": list(cells)}, index=[f"L_{cell}" for cell in cells], dtype=object)
    adata = build_airr(pd.DataFrame(rows), obs)
    return prepare(adata) if index else adata


def prepare(adata: ad.AnnData) -> ad.AnnData:
    ir.pp.index_chains(adata)
    ir.tl.chain_qc(adata)
    ir.pp.ir_dist(adata, sequence="nt", metric="identity", n_jobs=1)
    return adata


def clones(adata: ad.AnnData, **options: object) -> list[str]:
    ir.tl.define_clonotypes(adata, n_jobs=1, **options)
    return ["none" if pd.isna(name) else str(name) for name in adata.obs["clone_id"]]


@pytest.fixture(scope="module")
def adata():
    return make_object(CELLS)


def test_pairing_and_what_index_chains_keeps(adata):
    pairing = adata.obs.set_index("cell")["chain_pairing"].astype(str)
    assert pairing[["c10", "c11", "c8", "c13", "c14", "c9"]].tolist() == [
        "no IR", "no IR", "multichain", "ambiguous", "ambiguous", "two full chains",
    ]  # fmt: skip
    kind = adata.obs.set_index("cell")["receptor_type"].astype(str)
    assert kind[["c13", "c14"]].tolist() == ["TCR", "ambiguous"]
    # the ranked chains are an index: the chains themselves stay, non-productive ones too
    assert len(adata.obsm["airr"]["locus"][list(CELLS).index("c11")]) == 2
    primary = ir.get.airr(adata, "v_call", "VJ_1")
    assert (primary["L_c4"], primary["L_c5"]) == ("TRAV1-1", "TRAV2")


def test_stored_distance_is_the_distance_and_one(adata):
    distances = adata.uns["ir_dist_nt_identity"]["VJ"]["distances"]
    assert set(distances.data) == {1}


FULL = "c1 c2 c3 c4 c5 c6 c7 c9 c13"
TRUTH_TABLE = [
    # arms, dual_ir, same V: groups of two and more, cells without a clone
    ("all", "primary_only", False, ["c1 c4 c7 c9 c13", "c5 c6"], "c10 c11"),
    ("all", "primary_only", True, ["c1 c4 c9 c13", "c5 c6"], "c10 c11"),
    ("all", "any", False, ["c1 c4 c5 c6 c7 c9 c13"], "c10 c11"),
    ("all", "any", True, ["c1 c4 c5 c6 c9 c13"], "c10 c11"),
    ("all", "all", False, ["c1 c7", "c4 c5"], "c10 c11"),
    ("all", "all", True, ["c4 c5"], "c10 c11"),
    ("VJ", "primary_only", False, ["c1 c3 c4 c7 c9 c13", "c5 c6"], "c2 c10 c11"),
    ("VJ", "any", False, ["c1 c3 c4 c5 c6 c7 c9 c13"], "c2 c10 c11"),
    ("VJ", "all", False, ["c1 c3 c7 c13", "c4 c5 c9"], "c2 c10 c11"),
    ("VDJ", "primary_only", False, ["c1 c2 c4 c5 c6 c7 c9 c13"], "c3 c10 c11"),
    ("VDJ", "any", False, ["c1 c2 c4 c5 c6 c7 c9 c12 c13"], "c3 c10 c11"),  # gd joins ab
    ("VDJ", "any", True, ["c1 c2 c4 c5 c6 c9 c12 c13"], "c3 c10 c11"),
    ("VDJ", "all", False, ["c1 c2 c4 c5 c6 c7"], "c3 c10 c11"),
    ("any", "primary_only", False, [FULL], "c10 c11"),
    ("any", "any", False, ["c1 c2 c3 c4 c5 c6 c7 c9 c12 c13"], "c10 c11"),
    ("any", "all", False, [FULL], "c10 c11"),
]


@pytest.mark.parametrize(("arms", "dual_ir", "same_v", "groups", "without"), TRUTH_TABLE)
def test_truth_table_of_clones(adata, arms, dual_ir, same_v, groups, without):
    clone = clones(adata, receptor_arms=arms, dual_ir=dual_ir, same_v_gene=same_v)
    cells: dict[str, list[str]] = {}
    for cell, name in zip(CELLS, clone, strict=True):
        cells.setdefault(name, []).append(cell)
    assert " ".join(cells.pop("none")) == without
    assert [" ".join(group) for group in cells.values() if len(group) > 1] == groups


def test_clones_cross_patients_unless_grouped_and_a_missing_patient_is_one():
    adata = make_object({"p1": "A1 B1", "p2": "A1 B1", "p3": "A1 B1"})
    adata.obs["patient"] = ["P1", None, None]
    assert clones(adata) == ["0", "0", "0"]
    within = {"within_group": ["receptor_type", "patient"]}
    assert clones(adata, **within) == ["0", "1", "1"]


def test_clone_ids_are_positions():
    cells = {"a": "A1 B1", "b": "A1 B1", "c": "A2 B2"}
    there, back = make_object(cells), make_object(dict(reversed(cells.items())))
    assert clones(there) == ["0", "0", "1"]
    assert clones(back) == ["0", "1", "1"]


def test_alleles_are_compared_as_text():
    adata = make_object({"a": "A1 B1", "b": "A1 B1"}, index=False)
    v_call = ak.Array([["TRAV1-1*01", "TRBV5-1"], ["TRAV1-1*02", "TRBV5-1"]])
    adata.obsm["airr"] = ak.with_field(adata.obsm["airr"], v_call, "v_call")
    assert clones(prepare(adata), same_v_gene=True) == ["0", "1"]


def test_repeated_names_of_cells_fail():
    adata = make_object({"a": "A1 B1", "b": "A2 B2"}, index=False)
    adata.obs_names = ["x", "x"]
    with pytest.raises(pd.errors.InvalidIndexError):
        prepare(adata)


def test_objects_of_other_fields_cannot_be_joined_by_outer():
    one, two = (make_object({name: "A1 B1"}, index=False) for name in "ab")
    airr = two.obsm["airr"]
    two.obsm["airr"] = ak.with_field(airr, airr["locus"], "extra")
    with pytest.raises(IndexError, match="union"):
        prepare(ad.concat([one, two], join="outer"))
    assert (
        prepare(ad.concat([one, two], join="inner")).obs["chain_pairing"].tolist()
        == ["single pair"] * 2
    )
    together = ir.io.from_airr_cells([*ir.io.to_airr_cells(one), *ir.io.to_airr_cells(two)])
    assert prepare(together).n_obs == 2


def test_missing_rows_of_receptors_are_called_ambiguous():
    source = make_object({"a": "A1 B1"}, index=False)
    adata = ad.AnnData(obs=pd.DataFrame(index=["L_a", "expression only"]))
    adata.obsm["airr"] = source.obsm["airr"][[0, None]]
    ir.pp.index_chains(adata)
    ir.tl.chain_qc(adata)
    assert adata.obs["chain_pairing"].tolist() == ["single pair", "ambiguous"]


def test_overlap_works_with_pandas_3_and_diversity_of_one_clone_is_zero():
    adata = make_object({"a": "A1 B1", "b": "A1 B1", "c": "A2 B2"})
    clones(adata)
    adata.obs["sample"] = ["s1", "s2", "s2"]
    table, *_ = ir.tl.repertoire_overlap(adata, groupby="sample", inplace=False)
    assert table.shape == (2, 2)
    measure = {"groupby": "sample", "target_col": "clone_id", "inplace": False}
    assert ir.tl.alpha_diversity(adata, **measure)[0].to_dict() == {"s1": 0.0, "s2": 1.0}
    adata.obs["sample"] = "all"
    assert ir.tl.alpha_diversity(adata, metric="D50", **measure).to_numpy().item() == 50.0


def test_expansion_is_over_the_whole_object_unless_told():
    adata = make_object({"a": "A1 B1", "b": "A1 B1"})
    clones(adata)
    adata.obs["sample"] = ["s1", "s2"]
    ir.tl.clonal_expansion(adata)
    assert adata.obs["clonal_expansion"].tolist() == ["<= 2"] * 2
    ir.tl.clonal_expansion(adata, expanded_in="sample")
    assert adata.obs["clonal_expansion"].tolist() == ["<= 1"] * 2


@pytest.mark.slow
def test_tcrdist_trims_the_ends_and_does_not_count_unknown_residues():
    from scirpy.ir_dist.metrics import TCRdistDistanceCalculator

    texts = np.array(["CASSLGQETQYF", "CASSLGQETQFF", "CASSLAQETQYF", "CASSL*QETQYF"])
    stored = TCRdistDistanceCalculator(cutoff=50, n_jobs=1).calc_dist_mat(texts, texts)
    assert (stored.toarray()[0] - 1).tolist() == [0, 0, 12, 0]
