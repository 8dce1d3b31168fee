"""Receptors and clones beside scirpy's, on real libraries, and counts that were published."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from hiaim_sc.config import TcrOptions
from hiaim_sc.ingest import read_contigs
from hiaim_sc.tcr import build_airr, call_receptors, define_clones

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.data

_LIBRARIES = ("P17B", "P17L", "P18B", "P18L", "P19B", "P19L", "P20B", "P20L")
_SLOTS = ("VJ_1", "VJ_2", "VDJ_1", "VDJ_2")


def _read_ards(shared_data: Path, libraries: tuple[str, ...]) -> pd.DataFrame:
    folder = shared_data / "real_ards_blood_lung" / "libraries"
    tables = [
        read_contigs(folder / name / "filtered_contig_annotations.csv.gz").table.assign(
            library_id=name, patient_id=name[:3]
        )
        for name in libraries
    ]
    return pd.concat(tables, ignore_index=True)


def _read_pbmc(shared_data: Path) -> pd.DataFrame:
    name = "vdj_nextgem_hs_pbmc3_t_filtered_contig_annotations.csv.gz"
    contigs = read_contigs(shared_data / "receptor_formats" / "10x" / name).table
    return contigs.assign(library_id="pbmc", patient_id="donor")


def _call(contigs: pd.DataFrame) -> pd.DataFrame:
    tables = [
        call_receptors(table, TcrOptions()).assign(
            library_id=library, patient_id=patient, predicted_doublet=False
        )
        for (library, patient), table in contigs.groupby(["library_id", "patient_id"])
    ]
    return pd.concat(tables, ignore_index=True)


def test_pairing_of_the_pbmc_library(shared_data):
    receptors = _call(_read_pbmc(shared_data))
    assert receptors["chain_pairing"].value_counts().to_dict() == {
        "single pair": 1109,
        "orphan VDJ": 205,
        "extra VJ": 124,
        "extra VDJ": 53,
        "orphan VJ": 35,
        "two full chains": 30,
    }
    alpha_j = receptors["VJ_1_j_call"].isin(["TRAJ33", "TRAJ20", "TRAJ12"])
    has_genes = (receptors["VJ_1_v_call"] == "TRAV1-2") & alpha_j
    assert has_genes.sum() == 58
    assert (receptors.loc[has_genes, "VJ_1_junction_aa"].str.len() == 12).sum() == 55
    is_mait = receptors["invariant"] == "MAIT"
    assert (is_mait & (receptors["VJ_1_v_call"] == "TRAV1-2")).sum() == 55
    assert (receptors["invariant"] == "iNKT").sum() == 2


def _count_clones(shared_data: Path, options: TcrOptions) -> tuple[list[int], list[int]]:
    clones = define_clones(_call(_read_ards(shared_data, _LIBRARIES)), options)
    keys = clones.groupby("library_id")["clone_key"].agg(set)
    shared = [len(keys[f"P{n}B"] & keys[f"P{n}L"]) for n in (17, 18, 19, 20)]
    return [len(keys[library]) for library in _LIBRARIES], shared


def test_clones_of_blood_and_lung(shared_data):
    plain = TcrOptions(dual_ir="primary_only", same_v_gene=False, orphan_rescue=False)
    per_library, shared = _count_clones(shared_data, plain)
    assert per_library == [725, 2076, 1252, 1195, 5387, 1544, 5784, 192]
    assert shared == [92, 30, 274, 27]


def test_defaults_join_more_cells(shared_data):
    per_library, _ = _count_clones(shared_data, TcrOptions())
    assert (per_library[0], per_library[6]) == (668, 5331)


@pytest.fixture(scope="module")
def ours_and_scirpys(shared_data):
    """Receptors, and scirpy's object of the same contigs with its own chain indices and QC."""
    import scirpy as ir

    ards = _read_ards(shared_data, ("P17B", "P17L", "P18B", "P20L"))
    contigs = pd.concat([ards, _read_pbmc(shared_data)], ignore_index=True)
    receptors = _call(contigs)
    receptors.index = (receptors["library_id"] + "_" + receptors["cell_barcode"]).astype(object)
    obs = receptors[["library_id", "cell_barcode", "patient_id"]].astype(object)
    adata = build_airr(contigs, obs)
    ir.pp.index_chains(adata)
    ir.tl.chain_qc(adata)
    ir.pp.ir_dist(adata, sequence="nt", metric="identity", n_jobs=1)
    return receptors, adata


@pytest.mark.slow
def test_chains_and_pairing_are_scirpys_cell_by_cell(ours_and_scirpys):
    import scirpy as ir

    receptors, adata = ours_and_scirpys
    for column in ("receptor_type", "receptor_subtype", "chain_pairing"):
        assert (adata.obs[column].astype(str) == receptors[column]).all()
    fields = ["locus", "v_call", "j_call", "c_call", "junction", "junction_aa", "umi_count"]
    theirs = ir.get.airr(adata, fields, list(_SLOTS))
    for column in theirs.columns:
        default = 0 if column.endswith("count") else ""
        pd.testing.assert_series_equal(
            theirs[column].fillna(default).astype(str),
            receptors[column].fillna(default).astype(str),
            check_dtype=False,
        )


@pytest.mark.slow
@pytest.mark.parametrize("same_v_gene", [True, False])
@pytest.mark.parametrize("dual_ir", ["primary_only", "any", "all"])
def test_clones_are_scirpys(ours_and_scirpys, dual_ir, same_v_gene):
    import scirpy as ir

    receptors, adata = ours_and_scirpys
    options = TcrOptions(dual_ir=dual_ir, same_v_gene=same_v_gene, orphan_rescue=False)
    ours = define_clones(receptors, options)
    names = ours["library_id"] + "_" + ours["cell_barcode"]
    ir.tl.define_clonotypes(
        adata,
        receptor_arms="all",
        dual_ir=dual_ir,
        same_v_gene=same_v_gene,
        within_group=["receptor_type", "receptor_subtype", "patient_id"],
        n_jobs=1,
    )
    theirs = adata.obs["clone_id"].astype(str).loc[names].to_numpy()
    pairs = pd.DataFrame({"ours": ours["clone_key"], "theirs": theirs}).drop_duplicates()
    assert len(pairs) == pairs["ours"].nunique() == pairs["theirs"].nunique()
    assert len(ours) == (receptors["receptor_type"] == "TCR").sum()
