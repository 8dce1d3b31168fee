"""The cohort's objects: right values, matched by name, readable again."""

from __future__ import annotations

import warnings

import airr as airr_standard
import anndata as ad
import awkward as ak
import mudata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hiaim_sc.errors import HiaimError
from hiaim_sc.report.airr_files import write_airr
from hiaim_sc.report.cohort_files import Expression, write_cellxgene, write_cohort
from hiaim_sc.report.objects import UnknownCellsError, build_cohort_object
from hiaim_sc.storage import StoredCounts
from hiaim_sc.storage.payloads import write_payload

# three cells that pass, one that does not, one with a receptor only
CELLS = pd.DataFrame(
    {
        "library_id": ["L1", "L1", "L1", "L2", "L2"],
        "cell_barcode": ["AAA-1", "CCC-1", "GGG-1", "AAA-1", "TTT-1"],
        "sample_id": ["S1", "S1", "S1", "S2", "S2"],
        "patient_id": ["P1", "P1", "P1", "P2", "P2"],
        "tissue": ["blood"] * 3 + ["tumor"] * 2,
        "visit": "baseline",
        "session_phase": "rest",
        "total_counts": [100, 50, 5, 200, np.nan],
        "qc_pass": [True, True, False, True, False],
        "qc_reason": ["", None, "low_counts", "", "no_gex"],
        "cell_type": ["NK", "CD8 T", None, "B", None],
        "clone_key": [None, "P1|TRA:x", None, None, "P2|TRB:y"],
    }
)
COUNTS = np.array([[4, 0, 6], [0, 5, 0], [20, 0, 0]], dtype=np.int32)
NAMES = ["L1_AAA-1", "L1_CCC-1", "L2_AAA-1"]


def make_selected():
    obs = pd.DataFrame(
        {"library_id": ["L1", "L1", "L2"], "batch": ["run1", "run1", "run2"],
         "total_counts": [100, 50, 200]}, index=NAMES,
    )  # fmt: skip
    var = pd.DataFrame({"symbol": ["A", "B", None]}, index=["ENSG1", "ENSG2", "ENSG3"])
    return ad.AnnData(sp.csr_matrix(COUNTS), obs=obs, var=var)


def make_embedding():
    order = [2, 0, 1]
    obs = pd.DataFrame({"leiden": pd.Categorical(["2", "0", "1"])}, index=[NAMES[i] for i in order])
    positions = np.array([[float(i), -float(i)] for i in order], dtype=np.float32)
    return ad.AnnData(obs=obs, obsm={"X_umap": positions, "X_pca": positions * 2})


def make_airr():
    chain = {
        "locus": "TRA", "v_call": "TRAV1-2", "d_call": "", "j_call": "TRAJ33", "c_call": "TRAC",
        "junction": "TGT", "junction_aa": "C", "productive": True, "umi_count": 4,
        "consensus_count": 40,
    }  # fmt: skip
    chains = [[chain], []]
    obs = pd.DataFrame({"receptor_type": ["TCR", None]}, index=["L1_CCC-1", "L2_TTT-1"])
    found = ad.AnnData(obs=obs)
    found.obsm["airr"] = ak.Array(chains)
    return found


def make_antigens():
    one = ad.AnnData(
        sp.csr_matrix(np.array([[7, 1], [0, 2]])),
        obs=pd.DataFrame(index=["CCC-1", "AAA-1"]),
        var=pd.DataFrame(index=["pep2", "pep1"]),
    )
    two = ad.AnnData(
        sp.csr_matrix(np.array([[9], [3]])),
        obs=pd.DataFrame(index=["AAA-1", "NOCELL-1"]),
        var=pd.DataFrame(index=["pep3"]),
    )
    return {"L1": one, "L2": two}


SPECIFICITY = pd.DataFrame(
    {
        "library_id": ["L1", "L1"],
        "cell_barcode": ["CCC-1", "CCC-1"],
        "dna_barcode": ["pep2", "pep1"],
    }
)


EXPRESSION = Expression(make_selected())


@pytest.fixture
def cohort():
    return build_cohort_object(
        EXPRESSION, make_embedding(), CELLS, make_airr(), make_antigens(), SPECIFICITY
    )


@pytest.fixture
def written(cohort, tmp_path):
    write_cohort(cohort, EXPRESSION, tmp_path / "cohort.h5mu")
    return tmp_path / "cohort.h5mu"


def test_expression_is_log_of_counts_per_ten_thousand_of_all_genes(written):
    gex = mudata.read_h5mu(written)["gex"]
    totals = np.array([[100], [50], [200]])
    assert gex.X.dtype == np.float32
    np.testing.assert_allclose(gex.X.toarray(), np.log1p(COUNTS / totals * 1e4), rtol=1e-6)
    np.testing.assert_array_equal(gex.layers["counts"].toarray(), COUNTS)
    assert np.issubdtype(gex.layers["counts"].dtype, np.integer)


def test_stored_counts_of_many_blocks_are_written_as_those_in_memory(tmp_path):
    rng = np.random.default_rng(5)
    names = [f"L{i % 3}_C{i}-1" for i in range(9_001)]
    counts = ad.AnnData(sp.csr_matrix(rng.poisson(0.3, (9_001, 3)).astype(np.int32)))
    counts.obs_names, counts.var_names = names, ["ENSG1", "ENSG2", "ENSG3"]
    counts.obs["library_id"], counts.obs["batch"] = [name[:2] for name in names], "run1"
    counts.obs["total_counts"] = rng.integers(0, 50, 9_001)  # a cell without any has no scale
    counts.var["symbol"] = ["A", "B", "C"]
    cells = counts.obs.assign(cell_barcode=[name[3:] for name in names], sample_id="S1")
    for name in set(CELLS) - set(cells):
        cells[name] = ""
    write_payload(tmp_path, "selected", counts)
    stored = Expression(StoredCounts(tmp_path / "selected.counts"))
    found = build_cohort_object(stored, None, cells)
    write_cohort(found, stored, tmp_path / "cohort.h5mu")
    write_cellxgene(tmp_path / "cohort.h5mu", found["gex"], stored.counts, tmp_path / "x.h5ad")
    gex, shown = (
        mudata.read_h5mu(tmp_path / "cohort.h5mu")["gex"],
        ad.read_h5ad(tmp_path / "x.h5ad"),
    )
    total = counts.obs["total_counts"].to_numpy()[:, None]
    per_count = np.divide(1e4, total, out=np.zeros(total.shape), where=total > 0)
    expected = np.log1p(counts.X.toarray() * per_count)
    for matrix in (gex.X, shown.X):
        assert matrix.dtype == np.float32
        np.testing.assert_allclose(matrix.toarray(), expected, rtol=1e-6)
    for matrix in (gex.layers["counts"], shown.raw.X):
        np.testing.assert_array_equal(matrix.toarray(), counts.X.toarray())
    assert shown.raw.X.dtype == np.float32
    assert list(shown.raw.var_names) == list(counts.var_names)


def test_corrected_counts_stand_beside_those_delivered(written, tmp_path):
    corrected = make_selected()
    left = np.array([[3, 0, 6], [0, 5, 0], [11, 0, 0]], dtype=np.int32)
    corrected.X, corrected.obs["total_counts"] = sp.csr_matrix(left), [80, 50, 150]
    expression = Expression(make_selected(), corrected)
    found = build_cohort_object(expression, make_embedding(), CELLS)
    write_cohort(found, expression, tmp_path / "corrected.h5mu")
    gex = mudata.read_h5mu(tmp_path / "corrected.h5mu")["gex"]
    expected = np.log1p(left / np.array([[80], [50], [150]]) * 1e4)
    np.testing.assert_allclose(gex.X.toarray(), expected, rtol=1e-6)
    np.testing.assert_array_equal(gex.layers["counts_corrected"].toarray(), left)
    assert gex.obs["total_counts_corrected"].tolist() == [80, 50, 150]
    delivered = mudata.read_h5mu(written)["gex"]
    np.testing.assert_array_equal(gex.layers["counts"].toarray(), COUNTS)
    assert gex.obs["total_counts"].tolist() == delivered.obs["total_counts"].tolist()
    assert "counts_corrected" not in delivered.layers
    write_cellxgene(
        tmp_path / "corrected.h5mu", found["gex"], expression.counts, tmp_path / "cellxgene.h5ad"
    )
    shown = ad.read_h5ad(tmp_path / "cellxgene.h5ad")
    np.testing.assert_array_equal(shown.raw.X.toarray(), COUNTS)
    np.testing.assert_allclose(shown.X.toarray(), expected, rtol=1e-6)


def test_corrected_counts_of_other_cells_are_refused():
    for other in (make_selected()[:2], make_selected()[:, :2]):
        with pytest.raises(UnknownCellsError, match="of other cells or genes"):
            build_cohort_object(Expression(make_selected(), other.copy()), None, CELLS)


def test_embedding_and_cells_are_matched_by_name(cohort):
    gex = cohort["gex"]
    assert list(gex.obs_names) == NAMES
    np.testing.assert_array_equal(gex.obsm["X_umap"][:, 0], [0, 1, 2])
    assert gex.obs["leiden"].tolist() == ["0", "1", "2"]
    assert gex.obs["patient_id"].tolist() == ["P1", "P1", "P2"]
    assert gex.obs["batch"].tolist() == ["run1", "run1", "run2"]
    assert gex.obs["clone_key"].tolist() == ["", "P1|TRA:x", ""]


def test_no_arm_in_any_modality(cohort):
    columns = {name for part in cohort.mod.values() for name in part.obs.columns}
    assert not [name for name in columns if "arm" in name.lower()]


def test_antigens_of_all_libraries_are_joined(cohort):
    dna = cohort["dna"]
    assert list(dna.var_names) == ["pep1", "pep2", "pep3"]
    table = pd.DataFrame(dna.layers["counts"].toarray(), index=dna.obs_names)
    assert table.loc["L1_CCC-1"].tolist() == [1, 7, 0]
    assert table.loc["L1_AAA-1"].tolist() == [2, 0, 0]
    assert table.loc["L2_AAA-1"].tolist() == [0, 0, 9]
    assert dna.obs.loc["L1_CCC-1", "antigen"] == "pep1;pep2"
    assert dna.uns["n_cells_left_out"] == 1


def test_cells_that_the_table_does_not_have_are_refused():
    with pytest.raises(UnknownCellsError, match=r"1 cells are not in the table.*L2_AAA-1"):
        build_cohort_object(EXPRESSION, None, CELLS[CELLS["library_id"] == "L1"])
    with pytest.raises(UnknownCellsError, match="1 selected cells have no embedding"):
        build_cohort_object(EXPRESSION, make_embedding()[:2], CELLS)


def test_order_of_the_table_does_not_matter(cohort):
    other = build_cohort_object(
        EXPRESSION,
        make_embedding(),
        CELLS.iloc[::-1],
        make_airr(),
        make_antigens(),
        SPECIFICITY,
    )
    for name, part in cohort.mod.items():
        pd.testing.assert_frame_equal(part.obs, other[name].obs)


def test_inputs_are_left_alone_and_nothing_is_warned_of():
    airr, selected = make_airr(), make_selected()
    with warnings.catch_warnings():
        warnings.simplefilter("error", ad.ExperimentalFeatureWarning)
        build_cohort_object(
            Expression(selected), make_embedding(), CELLS, airr, make_antigens(), SPECIFICITY
        )
    assert list(airr.obs.columns) == ["receptor_type"]
    np.testing.assert_array_equal(selected.X.toarray(), COUNTS)


def test_cohort_survives_writing_and_reading(written):
    back = mudata.read_h5mu(written)
    assert list(back.mod) == ["gex", "airr", "dna"]
    assert back["gex"].obs["cell_type"].astype(str).tolist() == ["NK", "CD8 T", "B"]
    assert back["gex"].obs["qc_pass"].tolist() == [True, True, True]
    assert ak.to_list(back["airr"].obsm["airr"])[0][0]["junction"] == "TGT"
    assert back["airr"].obs["receptor_type"].astype(str).tolist() == ["TCR", ""]


def test_pandas_strings_can_be_written_too(tmp_path):
    cells = CELLS.astype({"cell_type": "string", "tissue": "category", "sample_id": "str"})
    cohort = build_cohort_object(EXPRESSION, make_embedding(), cells)
    write_cohort(cohort, EXPRESSION, tmp_path / "cohort.h5mu")
    back = mudata.read_h5mu(tmp_path / "cohort.h5mu")["gex"]
    assert back.obs["cell_type"].astype(str).tolist() == ["NK", "CD8 T", "B"]


def test_cellxgene_file_has_its_names_and_raw_counts(cohort, written, tmp_path):
    path = tmp_path / "cellxgene.h5ad"
    write_cellxgene(written, cohort["gex"], EXPRESSION.counts, path, title="hi-aim")
    back = ad.read_h5ad(tmp_path / "cellxgene.h5ad")
    assert back.obs["donor_id"].astype(str).tolist() == ["P1", "P1", "P2"]
    assert "patient_id" not in back.obs
    assert back.var["feature_name"].astype(str).tolist() == ["A", "B", ""]
    np.testing.assert_array_equal(back.raw.X.toarray(), COUNTS)
    assert "X_umap" in back.obsm
    assert back.uns["title"] == "hi-aim"


def test_airr_files_follow_the_standard(tmp_path):
    table = pd.DataFrame(
        {
            "sequence_id": ["AAA-1_contig_1", "AAA-1_contig_2"],
            "cell_id": ["L1_AAA-1"] * 2,
            "v_call": ["TRAV1-2", None],
            "productive": [True, False],
            "umi_count": [1.0, None],
        }
    )
    write_airr({"S1": table, "S2": table.iloc[:0]}, tmp_path / "airr")
    assert sorted(file.name for file in (tmp_path / "airr").iterdir()) == ["S1.tsv", "S2.tsv"]
    path = str(tmp_path / "airr" / "S1.tsv")
    assert airr_standard.validate_rearrangement(path)
    back = airr_standard.load_rearrangement(path)
    assert back["productive"].tolist() == [True, False]
    assert back["umi_count"].iloc[0] == 1
    header = (tmp_path / "airr" / "S2.tsv").read_text()
    assert header.startswith("sequence_id\tsequence\t")
    assert header.count("\n") == 1


def test_airr_files_stay_in_their_folder(tmp_path):
    with pytest.raises(HiaimError, match="cannot be a file name"):
        write_airr({"../S1": pd.DataFrame()}, tmp_path / "airr")


@pytest.mark.slow
def test_scirpy_and_muon_read_the_cohort(written):
    import muon
    import scirpy

    back = muon.read_h5mu(written)
    scirpy.pp.index_chains(back)
    assert scirpy.get.airr(back, "junction", "VJ_1").tolist()[0] == "TGT"
