from __future__ import annotations

import airr
import pandas as pd
import pytest

from hiaim_sc.config import TcrOptions
from hiaim_sc.tcr import build_airr, define_clones, rearrangements


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


def test_rearrangements_are_valid_airr(contigs, make_receptors, truth_table, tmp_path):
    clone_cells = define_clones(make_receptors(truth_table), TcrOptions())
    table = rearrangements(contigs, clone_cells)
    table.to_csv(tmp_path / "airr.tsv", sep="\t", index=False)
    assert airr.validate_rearrangement(str(tmp_path / "airr.tsv"))
    assert table["sequence_id"].is_unique
    found = table.set_index("sequence_id").loc["L1_c4_contig_1"]
    assert found["cell_id"] == "L1_c4"
    key = clone_cells.set_index("cell_barcode")["clone_key"]["c4"]
    assert (found["clone_id"], found["locus"], found["junction"]) == (key, "TRA", "TGTGCTACA")
    assert table.set_index("sequence_id")["clone_id"].isna()["L2_c1_contig_1"]
