"""One library in memory: counts, contigs, antigens, and the truth about each droplet."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy import sparse
from sklearn.linear_model import LogisticRegression

from hiaim_sc.simulate import simulate_library
from hiaim_sc.simulate.antigens import antigen_panel, draw_antigen_counts
from hiaim_sc.simulate.cohort import plan_cohort
from hiaim_sc.simulate.contigs import CONTIG_COLUMNS
from hiaim_sc.simulate.expression import CellDraw, draw_counts
from hiaim_sc.simulate.library import pool_cells
from hiaim_sc.simulate.reference import reference_table
from hiaim_sc.simulate.transcriptome import build_transcriptome

from .conftest import small_settings

SETTINGS = small_settings(
    n_genes=1500, cells_per_library=500, doublet_rate_per_1000=0.1, n_clone_ranks=5000
)


@pytest.fixture(scope="module")
def blood():
    return simulate_library(SETTINGS, "L001")


@pytest.fixture(scope="module")
def tumour():
    return simulate_library(SETTINGS, "L003")


def counts_of(library, symbol):
    column = build_transcriptome(SETTINGS).column_of(symbol)
    return library.counts[:, [column]].toarray().ravel()


def test_a_library_fits_together(blood):
    n = len(blood.cell_barcodes)
    assert blood.counts.shape == (n, 1500)
    assert blood.antigen_counts.shape == (n, 16)
    assert list(blood.cells["cell_barcode"]) == list(blood.cell_barcodes)
    assert len(set(blood.cell_barcodes)) == n
    assert list(blood.cell_barcodes) == sorted(blood.cell_barcodes)
    assert set(blood.contigs["barcode"]) <= set(blood.cell_barcodes)
    assert tuple(blood.contigs.columns) == CONTIG_COLUMNS


def test_unknown_library_is_an_error():
    with pytest.raises(KeyError):
        simulate_library(SETTINGS, "L999")


def test_droplets_are_sums_of_their_cells():
    rng = np.random.default_rng(1)
    cells = rng.poisson(2, (5, 7))
    droplet = np.array([0, 1, 2, 1, 0])
    pooled = pool_cells(sparse.csr_matrix(cells), droplet).toarray()
    assert pooled.tolist() == [
        (cells[0] + cells[4]).tolist(),
        (cells[1] + cells[3]).tolist(),
        cells[2].tolist(),
    ]


def test_doublets_have_the_counts_and_receptors_of_two(blood):
    cells = blood.cells.assign(total=np.asarray(blood.counts.sum(axis=1)).ravel())
    singlets, doublets = cells[~cells["is_doublet"]], cells[cells["is_doublet"]]
    assert len(doublets) == pytest.approx(0.05 * len(cells), rel=0.5)
    assert doublets["total"].median() == pytest.approx(2 * singlets["total"].median(), rel=0.3)
    assert (doublets[["clone_key", "antigen", "receptor"]] == "").all(axis=None)
    assert doublets["other_cell_type"].ne("").all()
    assert singlets["other_cell_type"].eq("").all()
    beta = blood.contigs.query("chain == 'TRB' and productive == 'true'")
    n_beta = beta["barcode"].value_counts()
    assert n_beta[n_beta > 1].index.isin(doublets["cell_barcode"]).all()
    assert (n_beta > 1).sum() > 3


def test_a_singlet_s_contigs_are_its_clone_s(blood):
    truth = blood.cells.set_index("cell_barcode").query("not is_doublet and receptor == 'TRA+TRB'")
    productive = blood.contigs.query("productive == 'true'")
    primary = productive.sort_values("umis", ascending=False, kind="stable").drop_duplicates(
        ["barcode", "chain"]
    )
    text = primary["chain"] + ":" + primary["v_gene"] + ":" + primary["cdr3_nt"]
    alpha, beta = (
        text[primary["chain"] == chain].set_axis(primary["barcode"][primary["chain"] == chain])
        for chain in ("TRA", "TRB")
    )
    keys = "P01|" + alpha + "|" + beta
    assert (keys.reindex(truth.index) == truth["clone_key"]).mean() > 0.985
    of_singlets = productive[productive["barcode"].isin(truth.index)]
    assert not of_singlets.duplicated(["barcode", "cdr3_nt"]).any()
    n_alpha = productive.query("chain == 'TRA'")["barcode"].value_counts().reindex(truth.index)
    assert (n_alpha == 2).mean() == pytest.approx(0.15 * 0.75, abs=0.06)


def test_junctions_can_be_translated(blood):
    table = dict(zip(*_genetic_code(), strict=True))
    productive = blood.contigs.query("productive == 'true'")
    for junction, residues in zip(productive["cdr3_nt"], productive["cdr3"], strict=True):
        translated = [table[junction[i : i + 3]] for i in range(0, len(junction), 3)]
        assert "".join(translated) == residues
    assert productive["cdr3"].str.fullmatch("C[ACDEFGHIKLMNPQRSTVWY]{9,15}[FW]").all()
    genes = set(reference_table("segments")["gene"])
    assert set(productive["v_gene"]) | set(productive["j_gene"]) <= genes


def _genetic_code():
    """NCBI translation table 1, in its own order of bases."""
    codons = [a + b + c for a in "TCAG" for b in "TCAG" for c in "TCAG"]
    return codons, "FFLLSSSSYY**CC*WLLLLPPPPHHQQRRRRIIIMTTTTNNKKSSRRVVVVAAAADDEEGGGG"


def test_mait_cells_have_their_alpha_and_gd_cells_none():
    settings = small_settings(cells_per_library=600)
    libraries = [simulate_library(settings, name) for name in ("L001", "L005", "L009", "L013")]
    cells = pd.concat([library.cells for library in libraries])
    singlets = cells.query("not is_doublet").set_index("cell_barcode")["cell_type"]
    contigs = pd.concat([library.contigs for library in libraries])
    contigs = contigs.query("productive == 'true' and chain == 'TRA'")
    mait = contigs[contigs["barcode"].isin(singlets[singlets == "MAIT"].index)]
    assert len(mait) > 5
    assert set(mait["v_gene"] + mait["j_gene"]) == {"TRAV1-2TRAJ33"}
    assert mait["cdr3"].str.fullmatch("CAV.DSNYQLIW").all()
    assert not contigs["barcode"].isin(singlets[singlets == "gd T"].index).any()


def test_capture_has_its_shares(blood, tumour):
    cells = pd.concat([blood.cells, tumour.cells]).query("lineage != ''")
    shares = cells["receptor"].value_counts(normalize=True)
    expected = {"TRA+TRB": 0.65, "": 0.18, "TRB": 0.12, "TRA": 0.05}
    assert shares.to_dict() == pytest.approx(expected, abs=0.06)


def test_sex_genes_are_of_the_patient(blood):
    sexes = {patient.sex for patient in plan_cohort(SETTINGS).patients}
    assert sexes == {"F", "M"}
    for patient in plan_cohort(SETTINGS).patients[:2]:
        library = simulate_library(SETTINGS, f"L00{1 + 4 * patient.number}")
        female, male = counts_of(library, "XIST").sum(), counts_of(library, "RPS4Y1").sum()
        assert (female > 100 and male == 0) if patient.sex == "F" else (male > 100 and female == 0)


def test_markers_drop_out_and_leak_as_in_life(blood):
    cells = blood.cells[~blood.cells["is_doublet"] & ~blood.cells["is_dying"]]
    detected = pd.DataFrame(
        {gene: counts_of(blood, gene) > 0 for gene in ("CD3E", "CD4", "NKG7", "TRDC", "MS4A1")}
    ).loc[cells.index]
    share = detected.groupby(cells["cell_type"]).mean()
    assert share.loc["CD4 T", "CD4"] < 0.5 < share.loc["CD4 T", "CD3E"]
    assert 0.01 < share.loc["NK CD56dim", "CD3E"] < 0.3
    assert share.loc["NK CD56dim", "TRDC"] > 0.15
    assert min(share.loc["CD8 T", "NKG7"], share.loc["NK CD56dim", "NKG7"]) > 0.4
    assert share["MS4A1"].idxmax() == "B"


def test_compartments_can_be_told_without_the_marker_panel(tumour):
    symbols = build_transcriptome(SETTINGS).genes["symbol"]
    neutral = np.flatnonzero(symbols.str.startswith("GENE"))
    assert not set(symbols.iloc[neutral]) & set(reference_table("markers")["gene"])
    healthy = (~tumour.cells["is_doublet"] & ~tumour.cells["is_dying"]).to_numpy()
    counts = tumour.counts[np.flatnonzero(healthy)][:, neutral].toarray()
    logs = np.log1p(counts / counts.sum(axis=1, keepdims=True) * 1e4)
    labels = tumour.cells.loc[healthy, "cell_type_coarse"].to_numpy()
    train = np.arange(len(labels)) % 2 == 0
    model = LogisticRegression(max_iter=200).fit(logs[train], labels[train])
    assert (model.predict(logs[~train]) == labels[~train]).mean() > 0.95


def test_dying_cells_have_few_counts_most_of_them_mitochondrial(blood):
    symbols = build_transcriptome(SETTINGS).genes["symbol"]
    total = np.asarray(blood.counts.sum(axis=1)).ravel()
    mt = blood.counts[:, np.flatnonzero(symbols.str.startswith("MT-"))].sum(axis=1)
    pct_mt = 100 * np.asarray(mt).ravel() / total
    dying = (blood.cells["is_dying"] & ~blood.cells["is_doublet"]).to_numpy()
    healthy = (~blood.cells["is_dying"]).to_numpy()
    assert 0.02 < dying.mean() < 0.09
    assert np.median(pct_mt[dying]) > 25 > 10 > np.median(pct_mt[healthy])
    assert np.median(total[dying]) < 0.5 * np.median(total[healthy])


def test_counts_have_the_mean_and_variance_asked_for():
    n = 40_000
    cells = CellDraw(np.zeros(n, int), np.full(n, 10.0), np.zeros(n))
    profiles = np.array([[0.7, 0.3, 0.0]])
    counts = draw_counts(
        profiles,
        np.array([0.0, 0.0, 1.0]),
        cells,
        ambient_share=0.0,
        dispersion=0.2,
        rng=np.random.default_rng(3),
    ).toarray()
    assert counts.mean(axis=0) == pytest.approx([7.0, 3.0, 0.0], rel=0.02)
    assert counts[:, :2].var(axis=0) == pytest.approx([7 + 0.2 * 49, 3 + 0.2 * 9], rel=0.05)


def test_ambient_counts_come_from_the_other_cells():
    n = 20_000
    cells = CellDraw(np.repeat([0, 1], [15_000, 5_000]), np.full(n, 8.0), np.full(n, 0.25))
    counts = draw_counts(
        np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0]]),
        np.array([0.0, 0.0, 1.0]),
        cells,
        ambient_share=0.2,
        dispersion=0.2,
        rng=np.random.default_rng(4),
    ).toarray()
    first, second = counts[:15_000].mean(axis=0), counts[15_000:].mean(axis=0)
    # 0.8 x 8 own counts; of the soup 9/16, 3/16 and 1/4 are of the three genes
    assert first == pytest.approx([4.8 + 0.9, 0.3, 1.6 + 0.4], rel=0.05)
    assert second == pytest.approx([0.9, 4.8 + 0.3, 1.6 + 0.4], rel=0.05)


def test_specific_cells_have_signal_for_their_antigen_alone():
    panel = antigen_panel(SETTINGS)
    assert panel["is_control"].tolist() == [False] * 12 + [True] * 4
    antigen = np.repeat(["", panel["dna_barcode"].iloc[3]], [4000, 1000])
    settings = small_settings(sticky_share=0.1)
    counts = draw_antigen_counts(settings, panel, antigen, np.random.default_rng(5)).toarray()
    background = 0.8 * (0.9 + 0.1 * 10)
    assert counts[4000:, 3].mean() == pytest.approx(40 + background, rel=0.1)
    assert np.delete(counts[4000:], 3, axis=1).mean() == pytest.approx(background, rel=0.2)
    assert counts[:4000].mean() == pytest.approx(background, rel=0.1)


def test_background_has_its_dispersion_and_is_shared_by_the_barcodes_of_a_cell():
    settings = small_settings(sticky_share=0.0, antigen_background=4.0)
    antigen = np.full(40_000, "")
    panel = antigen_panel(settings)
    counts = draw_antigen_counts(settings, panel, antigen, np.random.default_rng(6)).toarray()
    assert counts.mean() == pytest.approx(4.0, rel=0.02)
    assert counts.var(axis=0).mean() == pytest.approx(4 + 4**2, rel=0.05)
    # 0.6 of the squared mean is common, of a variance of 4 + 16
    correlation = np.corrcoef(counts[:, 0], counts[:, -1])[0, 1]
    assert correlation == pytest.approx(0.6 * 16 / 20, abs=0.03)


def test_sticky_cells_have_ten_fold_background():
    panel = antigen_panel(SETTINGS)
    means = [
        draw_antigen_counts(
            small_settings(sticky_share=share), panel, np.full(4000, ""), np.random.default_rng(7)
        ).mean()
        for share in (0.0, 1.0)
    ]
    assert means[1] / means[0] == pytest.approx(10, rel=0.05)


def test_antigens_are_those_the_patient_can_present(blood):
    panel = antigen_panel(SETTINGS).set_index("dna_barcode")
    hla = plan_cohort(SETTINGS).patients[0].hla
    specific = set(
        simulate_library(small_settings(cells_per_library=3000), "L001").cells["antigen"]
    )
    specific -= {""}
    assert specific
    assert set(panel.loc[sorted(specific), "hla"]) <= set(hla)
    assert not panel.loc[sorted(specific), "is_control"].any()


def test_cells_without_a_receptor_show_a_stray_contig_now_and_then():
    settings = small_settings(stray_contigs=0.5, doublet_rate_per_1000=0.0)
    library = simulate_library(settings, "L001")
    others = library.cells.loc[library.cells["lineage"] == "", "cell_barcode"]
    contigs = library.contigs[library.contigs["barcode"].isin(others)]
    assert contigs["barcode"].is_unique
    assert len(contigs) / len(others) == pytest.approx(0.5, abs=0.15)
    assert (contigs["umis"] == 1).all()
