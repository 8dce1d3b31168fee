from __future__ import annotations

import airr
import pandas as pd
import pytest

from hiaim_sc.config import TcrOptions
from hiaim_sc.ingest import read_contigs
from hiaim_sc.report.airr_files import write_airr
from hiaim_sc.tcr import build_airr, call_receptors, define_clones, rearrangements

CELL = ["library_id", "cell_barcode"]


@pytest.fixture
def contigs(make_contigs, truth_table):
    return pd.concat(
        [
            make_contigs(truth_table).assign(library_id="L1"),
            make_contigs({"c1": ["A2", "B2"]}).assign(library_id="L2"),
        ],
        ignore_index=True,
    )


@pytest.fixture
def obs(contigs):
    names = (contigs["library_id"] + "_" + contigs["cell_barcode"]).unique()
    return pd.DataFrame({"library_id": [n[:2] for n in names]}, index=list(names), dtype=object)


def test_records_stand_with_their_cells(contigs, obs):
    order = obs.index[::-1]
    adata = build_airr(contigs.sample(frac=1, random_state=3), obs.loc[order])
    for name, chains in zip(order, adata.obsm["airr"].to_list(), strict=True):
        own = contigs[contigs["library_id"] + "_" + contigs["cell_barcode"] == name]
        assert [chain["junction"] for chain in chains] == own["junction"].tolist()
        assert [chain["umi_count"] for chain in chains] == own["umi_count"].tolist()
        assert [chain["productive"] for chain in chains] == own["productive"].tolist()


def test_missing_values_are_none(contigs, obs):
    contigs.loc[0, "c_call"] = None
    assert build_airr(contigs, obs).obsm["airr"]["c_call"][0].to_list()[0] is None


def test_cells_without_contigs_have_no_chains_and_others_are_left_out(contigs, obs):
    obs = pd.concat([obs.iloc[:2], pd.DataFrame({"library_id": ["L9"]}, index=["L9_x"])])
    chains = build_airr(contigs, obs).obsm["airr"].to_list()
    assert [len(cell) for cell in chains] == [2, 1, 0]


def test_cell_twice_in_obs_is_an_error(contigs, obs):
    with pytest.raises(ValueError, match="1 cells stand twice in obs"):
        build_airr(contigs, pd.concat([obs, obs.iloc[:1]]))


def test_object_survives_writing(contigs, obs, tmp_path):
    import anndata

    adata = build_airr(contigs, obs)
    adata.write_h5ad(tmp_path / "airr.h5ad")
    again = anndata.read_h5ad(tmp_path / "airr.h5ad")
    assert again.obsm["airr"].to_list() == adata.obsm["airr"].to_list()


def test_object_can_be_written_by_scirpy(contigs, obs, tmp_path):
    from scirpy.io import write_airr

    write_airr(build_airr(contigs, obs), tmp_path / "scirpy.tsv")
    assert airr.validate_rearrangement(str(tmp_path / "scirpy.tsv"))
    table = pd.read_csv(tmp_path / "scirpy.tsv", sep="\t")
    assert sorted(table["sequence_id"]) == sorted(contigs["contig_id"])


@pytest.fixture
def cells(contigs):
    """Every cell of two libraries, which are two samples of one patient, with its clone."""
    receptors = pool(contigs, patient_id="P1")
    clones = define_clones(receptors, TcrOptions())[[*CELL, "clone_key"]]
    samples = {"L1": ("S1", "blood"), "L2": ("S2", "tumor")}
    known = receptors[CELL].merge(clones, on=CELL, how="left")
    return known.assign(
        sample_id=known["library_id"].map(lambda name: samples[name][0]),
        tissue=known["library_id"].map(lambda name: samples[name][1]),
        patient_id="P1",
        visit="baseline",
        session_phase="rest",
    )


def pool(contigs, **columns):
    """Receptors of all libraries, in a table that clones can be made of."""
    tables = [
        call_receptors(table, TcrOptions()).assign(library_id=name)
        for name, table in contigs.groupby("library_id")
    ]
    return pd.concat(tables, ignore_index=True).assign(predicted_doublet=False, **columns)


@pytest.fixture
def exported(contigs, cells, tmp_path):
    chains = rearrangements(contigs, cells)
    write_airr({str(name): table for name, table in chains.groupby("sample_id")}, tmp_path)
    return sorted(tmp_path.glob("*.tsv"))


def test_exported_files_are_valid_airr(exported, contigs):
    assert [path.name for path in exported] == ["S1.tsv", "S2.tsv"]
    assert all(airr.validate_rearrangement(str(path)) for path in exported)
    tables = pd.concat([pd.read_csv(path, sep="\t") for path in exported])
    assert len(tables) == len(contigs)
    assert tables["sequence_id"].is_unique
    first = tables.set_index("sequence_id").loc["L1_c4_contig_1"]
    found = first[["cell_id", "sample_id", "subject_id", "tissue", "visit", "sample_processing_id"]]
    assert found.tolist() == ["L1_c4", "S1", "P1", "blood", "baseline", "L1"]
    assert first["clone_id"].startswith("P1|TRA:TRAV1-1:TGTGCTACA|TRB:TRBV5-1:TGCGCCAGC")


def test_contigs_of_one_name_in_two_cells_stay_apart(contigs, cells):
    table = rearrangements(contigs.assign(contig_id=contigs["contig_id"].str[-8:]), cells)
    assert table["sequence_id"].is_unique
    assert "L1_c4_contig_1" in set(table["sequence_id"])


def test_every_contig_is_exported_with_what_it_is(exported):
    table = pd.read_csv(exported[0], sep="\t").set_index("cell_id")
    no_chain = table.loc["L1_c11"]
    assert no_chain["productive"].tolist() == ["F", "F"]
    assert no_chain["clone_id"].isna().all()
    assert table.loc["L1_c8", "clone_id"].isna().all()  # more than two chains of an arm: no clone
    assert table.loc["L1_c3", "clone_id"].endswith("|")  # an orphan alpha is a clone of its own


def test_exported_files_give_the_same_receptors_and_clones_again(exported, contigs, cells):
    again = pd.concat([read_contigs(path).table for path in exported], ignore_index=True)
    receptors = pool(again.assign(library_id="all"), patient_id="P1")
    expected = pool(contigs, patient_id="P1")
    expected["cell_barcode"] = expected["library_id"] + "_" + expected["cell_barcode"]
    drop = ["library_id"]
    pd.testing.assert_frame_equal(
        receptors.drop(columns=drop), expected.drop(columns=drop), check_dtype=False
    )
    clones = define_clones(receptors, TcrOptions()).set_index("cell_barcode")["clone_key"]
    keys = cells.assign(cell=cells["library_id"] + "_" + cells["cell_barcode"])
    assert clones.to_dict() == keys.set_index("cell")["clone_key"].dropna().to_dict()


def test_scirpy_reads_the_exported_files(exported, contigs):
    import scirpy as ir

    adata = ir.io.read_airr([str(path) for path in exported])
    ir.pp.index_chains(adata)
    ir.tl.chain_qc(adata)
    receptors = pool(contigs)
    receptors.index = receptors["library_id"] + "_" + receptors["cell_barcode"]
    for column in ("receptor_type", "receptor_subtype", "chain_pairing"):
        found = adata.obs[column].astype(str).to_dict()
        assert found == receptors[column].to_dict()
