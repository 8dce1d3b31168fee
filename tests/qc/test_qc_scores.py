"""Programme scores against arithmetic done by hand and against scanpy's; sex genes by sample."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
import scanpy as sc

from hiaim_sc.names.genes import GENE_SETS, gene_set
from hiaim_sc.qc import count_sex_genes
from hiaim_sc.qc.metrics import measure_cells
from hiaim_sc.qc.scores import SCORES, score_programmes

S_GENES, G2M_GENES = sorted(gene_set("s_phase"))[:12], sorted(gene_set("g2m_phase"))[:12]


def score(counts):
    return score_programmes(counts, measure_cells(counts)["total_counts"].to_numpy())


@pytest.fixture
def cycling(make_counts):
    """150 cells, of which 20 express S genes and 20 G2M genes beside 400 others."""
    rng = np.random.default_rng(1)
    symbols = [*S_GENES, *G2M_GENES, *(f"GENE{i}" for i in range(400))]
    means = np.concatenate([np.full(24, 0.3), rng.lognormal(-1, 1, 400)])
    mean = np.tile(means, (150, 1))
    mean[:20, :12] *= 10
    mean[20:40, 12:24] *= 10
    return make_counts(rng.poisson(mean), symbols)


def test_phases_of_planted_cells_are_found(cycling):
    table = score(cycling)
    assert tuple(table) == SCORES
    assert (table["phase"].iloc[:20] == "S").mean() >= 0.95
    assert (table["phase"].iloc[20:40] == "G2M").mean() >= 0.95


def test_scores_are_the_mean_of_scanpys_draws(cycling):
    ours = score(cycling)["s_score"]
    theirs = cycling.copy()
    theirs.var_names = theirs.var["symbol"].to_numpy()
    theirs.X = theirs.X.astype(float)
    sc.pp.normalize_total(theirs, target_sum=1e4)
    sc.pp.log1p(theirs)
    draws = []
    for seed in range(20):
        sc.tl.score_genes(theirs, S_GENES, random_state=seed, ctrl_size=12)
        draws.append(theirs.obs["score"].to_numpy())
    assert np.corrcoef(ours, np.mean(draws, axis=0))[0, 1] > 0.99
    one_draw = np.corrcoef(draws[0], np.mean(draws, axis=0))[0, 1]
    assert np.corrcoef(ours, np.mean(draws, axis=0))[0, 1] >= one_draw - 0.005


def test_haemoglobin_is_a_share_of_all_counts(make_counts):
    counts = make_counts([[30, 10, 60], [0, 0, 0]], ["HBB", "HBA1", "CD3D"])
    assert measure_cells(counts)["pct_counts_hb"].tolist() == [40.0, 0.0]


def test_what_is_not_measured_has_no_score(make_counts):
    table = score(make_counts(np.ones((3, 4)), ["FOS", "CD3D", "LYZ", "MKI67"]))
    assert table[["dissociation_score", "s_score", "g2m_score"]].isna().all(axis=None)
    assert table["phase"].isna().all()


def test_the_dissociation_score_rises_with_its_genes_alone(make_counts):
    rng = np.random.default_rng(2)
    genes = [*sorted(gene_set("dissociation"))[:10], *(f"GENE{i}" for i in range(300))]
    matrix = rng.poisson(1.0, (60, 310))
    matrix[:15, :10] += rng.poisson(8.0, (15, 10))
    matrix[15:30, 10:20] += rng.poisson(8.0, (15, 10))
    found = score(make_counts(matrix, genes))["dissociation_score"]
    assert found.iloc[:15].min() > found.iloc[15:].max()
    assert found.iloc[15:30].mean() <= found.iloc[30:].mean()  # other genes are controls


def test_every_gene_set_is_there_and_none_is_in_two():
    sets = {name: gene_set(name) for name in GENE_SETS}
    assert {name: len(genes) for name, genes in sets.items()} == {
        "haemoglobin": 10,
        "dissociation": 37,
        "s_phase": 44,
        "g2m_phase": 56,
        "female": 2,
        "male": 10,
    }
    assert len(frozenset().union(*sets.values())) == sum(map(len, sets.values()))


def test_sex_genes_are_counted_in_the_cells_that_pass(make_counts):
    counts = make_counts([[5, 0, 1], [7, 0, 0], [0, 3, 4]], ["XIST", "DDX3Y", "RPS4Y1"])
    qc = pd.DataFrame({"cell_barcode": counts.obs_names, "qc_pass": [True, False, True]})
    table = count_sex_genes(measure_cells(counts), qc)
    assert table[["female", "male"]].to_dict("list") == {"female": [5], "male": [8]}
    assert table["sample_id"].isna().all()


def test_sex_genes_of_a_pool_are_counted_by_sample(make_counts):
    counts = make_counts([[5, 0], [7, 0], [0, 3], [9, 9]], ["XIST", "DDX3Y"])
    qc = pd.DataFrame({"cell_barcode": counts.obs_names, "qc_pass": True})
    samples = pd.DataFrame(
        {"cell_barcode": counts.obs_names[::-1], "sample_id": [None, "S2", "S1", "S1"]}
    )
    table = count_sex_genes(measure_cells(counts), qc, samples)
    assert table.to_dict("list") == {"sample_id": ["S1", "S2"], "female": [12, 0], "male": [0, 3]}
