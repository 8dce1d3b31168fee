"""Scores of tumour-reactive T cells: worked by hand, and without a trace in what is embedded."""

from __future__ import annotations

import anndata
import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp

from hiaim_sc.annotate import (
    panel_genes,
    read_panel,
    read_signatures,
    score_signatures,
    without_signatures,
)
from hiaim_sc.errors import UserInputError
from hiaim_sc.integrate import gather_counts

MANA = ("CXCL13", "ENTPD1", "IL7R")


def make_selected(counts, genes, totals) -> anndata.AnnData:
    obs = pd.DataFrame(
        {"library_id": "L1", "cell_barcode": [f"C{i}" for i in range(len(counts))]}
    ).astype(object)
    obs["total_counts"] = totals
    obs.index = obs["library_id"] + "_" + obs["cell_barcode"]
    var = pd.DataFrame({"symbol": np.array(genes, dtype=object)}, index=list(genes))
    return anndata.AnnData(X=sp.csr_matrix(np.array(counts, dtype=np.int32)), obs=obs, var=var)


def make_cells(lineages, patients="P1", tissue="tumor") -> pd.DataFrame:
    cells = pd.DataFrame({"cell_barcode": [f"C{i}" for i in range(len(lineages))]})
    return cells.assign(
        library_id="L1", patient_id=patients, tissue=tissue, cell_type_lineage=lineages
    )


def test_a_cell_with_z_of_2_1_and_minus_1_scores_4_over_root_3():
    """Five cells of equal depth: one stands 2 SD above the rest in a gene that only it has."""
    counts = np.zeros((5, 3), dtype=int)
    counts[0] = (1, 0, 0)  # (1 - 1/5) / sqrt(1/5 * 4/5) = 2
    counts[:, 1] = (1, 1, 0, 0, 0)
    counts[:, 2] = (0, 0, 1, 1, 1)
    found = score_signatures(
        make_selected(counts, MANA, 100), make_cells(["CD8"] * 5), read_signatures()
    )
    other = 0.6 / np.sqrt(0.24)  # both of the further genes in two of five cells, or in three
    assert found["mana_proxy"].to_numpy()[0] == pytest.approx((2 + 2 * other) / np.sqrt(3))
    weights = np.array([1, 1, -1]) / np.sqrt(3)
    assert weights @ np.array([2.0, 1.0, -1.0]) == pytest.approx(4 / np.sqrt(3))
    signature = read_signatures().query("signature == 'mana_proxy'").set_index("gene")["weight"]
    assert signature.to_dict() == {"CXCL13": 1.0, "ENTPD1": 1.0, "IL7R": -1.0}


def test_scores_are_those_of_a_loop_over_patients_and_lineages():
    rng = np.random.default_rng(1)
    genes = (*MANA, "GZMB", "TIGIT")
    counts, totals = rng.poisson(2, (60, 5)), rng.integers(500, 3000, 60)
    lineages = rng.choice(["CD8", "CD4", "NK"], 60)
    patients = rng.choice(["P1", "P2"], 60)
    rows = pd.DataFrame(
        {"signature": "own", "gene": genes, "weight": [1.0, 2.0, -1.0, 0.5, 1.0], "method": "mean"}
    )
    table = pd.concat([read_signatures(), rows.assign(source="here")])
    found = score_signatures(
        make_selected(counts, genes, totals), make_cells(lineages, patients), table
    ).set_index("cell_barcode")
    x = np.log1p(1e4 * counts / totals[:, None])
    for i in range(60):
        if lineages[i] == "NK":
            assert f"C{i}" not in found.index
            continue
        like = (lineages == lineages[i]) & (patients == patients[i])
        z = (x[i] - x[like].mean(axis=0)) / x[like].std(axis=0)
        assert found.loc[f"C{i}", "mana_proxy"] == pytest.approx((z[0] + z[1] - z[2]) / 3**0.5)
        mean = (z @ [1.0, 2.0, -1.0, 0.5, 1.0]) / 5.5
        assert found.loc[f"C{i}", "own"] == pytest.approx(mean)
    assert found["hanada"].isna().all()  # 4 of its 29 genes


def test_a_sum_needs_every_gene_and_a_mean_half_of_them():
    hanada = list(read_signatures().query("signature == 'hanada'")["gene"])
    cells = make_cells(["CD8"] * 4)
    for n_genes, is_scored in ((15, True), (14, False)):
        counts = np.random.default_rng(0).poisson(3, (4, n_genes))
        found = score_signatures(
            make_selected(counts, hanada[:n_genes], 500), cells, read_signatures()
        )
        assert found["hanada"].notna().all() == is_scored
        assert found["mana_proxy"].isna().all()


def test_a_gene_that_does_not_vary_counts_for_nothing():
    counts = [[1, 1, 0], [0, 1, 0]]
    found = score_signatures(make_selected(counts, MANA, 100), make_cells(["CD8"] * 2), FIRST)
    assert found["mana_proxy"].tolist() == pytest.approx([1 / 3**0.5, -1 / 3**0.5])


FIRST = read_signatures().query("signature == 'mana_proxy'")


def test_a_gene_list_is_scored_by_rank_within_the_cell(tmp_path):
    (tmp_path / "neotcr8.txt").write_text("CXCL13\nENTPD1\n")
    table = read_signatures(None, {"neotcr8": tmp_path / "neotcr8.txt"})
    genes = [*MANA, *(f"G{i}" for i in range(20))]
    counts = np.ones((2, 23), dtype=int)
    counts[0, :2], counts[1, :2] = 9, 0
    selected = make_selected(counts, genes, 100)
    both = score_signatures(selected, make_cells(["CD8", "CD4"]), table)
    assert both["neotcr8"].tolist() == [1.0, 0.0]
    alone = score_signatures(selected[:1], make_cells(["CD8"]), table)
    assert alone["neotcr8"].tolist() == [1.0]


HEAD = "signature\tgene\tweight\tmethod\tsource\n"


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("signature\tgene\tweight\tmethod\nx\tA\t1\tsum\n", "source"),
        (HEAD + "x\tA\t1\tbest\t\n", "one of sum, mean, rank"),
        (HEAD + "x\tA\tone\tsum\t\n", "a number"),
        (HEAD + "x\tA\t1\tsum\t\n" * 2, "once"),
        (
            "signature\tgene\tweight\tmethod\tsource\nx\tA\t1\tsum\t\nx\tB\t1\tmean\t\n",
            "one method",
        ),
    ],
)
def test_a_faulty_table_is_refused(text, fault, tmp_path):
    (tmp_path / "mine.tsv").write_text(text)
    with pytest.raises(UserInputError, match=r"mine\.tsv") as error:
        read_signatures(tmp_path / "mine.tsv")
    assert fault in str(error.value)


def test_genes_of_signatures_leave_no_trace_in_what_is_annotated_and_embedded():
    """Gathered with and without them, the rest is the same to the byte."""
    rng = np.random.default_rng(2)
    genes = ["CD3D", "CXCL13", "CD82", "HMGN3", "G1", "G2"]
    counts = anndata.AnnData(sp.csr_matrix(rng.poisson(1, (9, 6)).astype(np.int32)))
    counts.var_names, counts.obs_names = genes, [f"C{i}" for i in range(9)]
    features = pd.DataFrame({"gene_id": genes, "symbol": genes})
    features["highly_variable"] = features["gene_id"].isin(["G1", "CXCL13"])
    signatures, panel = read_signatures(), read_panel(None)

    def gather(wanted):
        libraries = [("L1", "run1", counts, list(counts.obs_names))]
        return gather_counts(libraries, wanted).to_anndata()

    with_them = gather(panel_genes(features, panel, signatures))
    without = gather(panel_genes(features, panel, signatures.iloc[:0]))
    assert set(with_them.var_names) - set(without.var_names) == {"CD82", "HMGN3"}
    left = without_signatures(with_them)
    assert left.var_names.equals(without.var_names)
    pd.testing.assert_frame_equal(pd.DataFrame(left.obs), pd.DataFrame(without.obs))
    for part in ("data", "indices", "indptr"):
        np.testing.assert_array_equal(
            getattr(sp.csr_matrix(left.X), part), getattr(sp.csr_matrix(without.X), part)
        )
    assert list(with_them.var_names[with_them.var["highly_variable"]]) == ["CXCL13", "G1"]
