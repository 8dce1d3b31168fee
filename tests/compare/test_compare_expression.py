"""Genes by arm: calibrated on cohorts without an effect, right on planted ones, silent on few."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
import pandas as pd
import pytest
import scipy.sparse as sp
from anndata import AnnData
from scipy import stats

from hiaim_sc.compare import compare_expression
from hiaim_sc.compare.gene_classes import classify_gene
from hiaim_sc.config import CompareOptions, Options
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.stats import benjamini_hochberg, log_cpm

VISITS = ("baseline", "week6")
FLAGGED = ("TRBV20-1", "XIST", "HBB", "MT-CO1", "RPL13", "FOS")


@dataclass
class Cohort:
    """Pseudobulks of one cell type: negative binomial counts with patient and visit effects.

    Count of gene g in patient i at visit t: mean m_g d_it exp(u_ig + v_itg), dispersion about
    0.1; m from fractions of a count to thousands, depth d log-normal. `folds` (log2, by gene) act
    on treated patients after the baseline, `deeper` is what their depth is multiplied by there.
    """

    n: int = 16
    n_genes: int = 500
    seed: int = 1
    folds: np.ndarray | None = None
    deeper: float = 1.0
    n_cells: int = 50
    arms: pd.Series = field(init=False)
    strata: pd.DataFrame = field(init=False)

    def __post_init__(self):
        rng = np.random.default_rng(self.seed)
        names = [f"P{i:02d}" for i in range(self.n)]
        self.arms = pd.Series(["control", "exercise"] * (self.n // 2), index=names)
        half = [("s", "t")[i >= self.n // 2] for i in range(self.n)]
        self.strata = pd.DataFrame({"treatment": half}, index=names)
        treated = (self.arms == "exercise").to_numpy()
        size, genes = (self.n, 2, self.n_genes), self.n_genes
        dispersion = 0.1 * rng.chisquare(10, genes) / 10
        log_mean = np.log(rng.lognormal(2.5, 1.8, genes)) + rng.normal(0, 0.3, (self.n, 1, genes))
        log_mean = log_mean + rng.normal(0, 0.15, size) + rng.normal(0, 0.5, (self.n, 2, 1))
        folds = np.zeros(genes) if self.folds is None else self.folds
        log_mean[treated, 1] += np.log(2) * folds + np.log(self.deeper)
        rates = rng.gamma(1 / dispersion, np.exp(log_mean) * dispersion)
        self.counts = rng.poisson(rates)
        self.symbols = [f"GENE{g:04d}" for g in range(genes)]

    @property
    def pseudobulks(self):
        obs = pd.DataFrame(
            [
                (f"{name}-{visit}", name, "blood", visit, "rest", "CD8", self.n_cells)
                for name in self.arms.index
                for visit in VISITS
            ],
            columns=[
                "sample_id", "patient_id", "tissue", "visit", "session_phase", "cell_type",
                "n_cells",
            ],
        )  # fmt: skip
        var = pd.DataFrame({"symbol": self.symbols}, index=[f"E{g}" for g in range(self.n_genes)])
        x = sp.csr_matrix(self.counts.reshape(-1, self.n_genes).astype(np.int64))
        return AnnData(X=x, obs=obs.set_index(obs["sample_id"].to_numpy()), var=var)

    def compare(self, config, *, pseudobulks=None, located=None, layout=None, arms=None):
        data = self.pseudobulks if pseudobulks is None else pseudobulks
        samples = pd.DataFrame(data.obs)
        return compare_expression(
            data,
            samples.assign(reason_missing="") if located is None else located,
            self.arms if arms is None else arms,
            self.strata,
            config,
            blinded=False,
            layout=samples.assign(batch="B1") if layout is None else layout,
        )


@pytest.fixture(scope="module")
def config(make_config):
    return make_config(strata=("treatment",))


def rejected(tables):
    return np.mean(np.concatenate([table["p_value"] < 0.05 for table in tables]))


@pytest.mark.parametrize("deeper", [1.0, 2.0])
def test_cohorts_without_an_effect_reject_at_the_nominal_level(config, deeper):
    """16 cohorts of 8 patients per arm and about 370 genes: a standard error of 0.3 %.

    The bands are 3 standard errors: for all genes, and for the quarters of the lowest and of the
    highest genes, where a t moderated without the trend rejects 7.0 and 2.8 % in these cohorts.
    """
    tables = [Cohort(seed=seed, deeper=deeper).compare(config) for seed in range(16)]
    assert all(len(table) > 300 for table in tables)
    assert 0.041 <= rejected(tables) <= 0.059
    for low, high in ((0.0, 0.25), (0.75, 1.0)):
        level = [table["mean_log2_cpm"].rank(pct=True) for table in tables]
        part = [t[(r > low) & (r <= high)] for t, r in zip(tables, level, strict=True)]
        assert 0.033 <= rejected(part) <= 0.067
    assert sum((table["q_value"] < 0.05).sum() for table in tables) <= 4


def test_planted_genes_are_found_with_their_sign(config):
    folds = np.zeros(500)
    planted = np.arange(0, 500, 25)
    folds[planted] = np.tile([2.0, -2.0], 10)
    cohort = Cohort(folds=folds, seed=5)
    enough = cohort.counts.min(axis=(0, 1)) >= 5  # at every visit of every patient
    table = cohort.compare(config).set_index("gene")
    genes = [f"GENE{g:04d}" for g in planted if enough[g]]
    assert len(genes) >= 6
    found = table.loc[genes]
    expected = folds[[int(name[4:]) for name in genes]]
    assert (found["q_value"] < 0.05).all()
    assert (np.sign(found["log2_fc"]) == np.sign(expected)).all()
    assert np.abs(found["log2_fc"]).mean() == pytest.approx(2.0, abs=0.3)
    called = table[table["q_value"] < 0.05].index.str[4:].astype(int)
    assert (folds[called] == 0).mean() <= 0.25


def test_the_estimate_is_that_of_least_squares_on_changes_of_log_cpm(config):
    cohort = Cohort(n=14)
    table = cohort.compare(config).set_index("gene")
    size = cohort.counts.sum(axis=2, keepdims=True)
    prior = 2 * size / size.mean()
    level = np.log2(1e6 * (cohort.counts + prior) / (size + 2 * prior))
    design = np.column_stack(
        [np.ones(14), cohort.arms == "exercise", cohort.strata["treatment"] == "t"]
    ).astype(float)
    slopes = np.linalg.lstsq(design, level[:, 1] - level[:, 0], rcond=None)[0][1]
    kept = (cohort.counts >= 10).sum(axis=(0, 1)) >= 4
    assert sorted(table.index) == [f"GENE{g:04d}" for g in np.flatnonzero(kept)]
    expected = pd.Series(slopes[kept], [f"GENE{g:04d}" for g in np.flatnonzero(kept)])
    np.testing.assert_allclose(table["log2_fc"], expected[table.index], rtol=1e-9)
    p_value = 2 * stats.t.sf(np.abs(table["log2_fc"] / table["se"]), table["df"])
    np.testing.assert_allclose(table["p_value"], p_value, rtol=1e-9)
    assert (table["df"] > 14 - 3).all()  # the residual ones and those of the prior
    averages = pd.Series(level.mean(axis=(0, 1))[kept], expected.index)
    np.testing.assert_allclose(table["mean_log2_cpm"], averages[table.index], rtol=1e-9)


def test_strata_are_adjusted_for(config, make_config):
    """In one stratum genes rise in both arms, and most treated patients are of that stratum."""
    cohort = Cohort(n=24, seed=3)
    risen = (cohort.strata["treatment"] == "t").to_numpy()
    cohort.counts[risen, 1, :20] *= 8
    uneven = pd.Series(["control"] * 9 + ["exercise"] * 3, cohort.arms.index[:12])
    reverse = pd.Series(["exercise"] * 9 + ["control"] * 3, cohort.arms.index[12:])
    cohort.arms = pd.concat([uneven, reverse])
    with_strata = cohort.compare(config).set_index("gene")
    cohort.strata = cohort.strata[[]]
    without = cohort.compare(make_config()).set_index("gene")
    genes = [name for name in with_strata.index if int(name[4:]) < 20]
    assert np.abs(with_strata.loc[genes, "log2_fc"].mean()) < 0.2
    assert without.loc[genes, "log2_fc"].mean() > 1.0
    assert set(with_strata["method"]) == {"moderated t, change of log2 CPM, adjusted for treatment"}
    assert set(without["method"]) == {"moderated t, change of log2 CPM"}


def test_arms_swapped_flip_the_sign_and_nothing_else(config):
    cohort = Cohort(seed=2)
    table = cohort.compare(config).set_index("gene").sort_index()
    other = {"control": "exercise", "exercise": "control"}
    swapped = cohort.compare(config, arms=cohort.arms.map(other)).set_index("gene").sort_index()
    np.testing.assert_allclose(swapped["log2_fc"], -table["log2_fc"], rtol=0, atol=1e-12)
    for name in ("se", "p_value", "q_value", "df"):
        np.testing.assert_allclose(swapped[name], table[name], rtol=1e-9)


def test_the_order_of_rows_does_not_matter(config):
    cohort = Cohort()
    data = cohort.pseudobulks
    rows = np.random.default_rng(0).permutation(data.n_obs)
    again = cohort.compare(config, pseudobulks=data[rows].copy(), arms=cohort.arms.iloc[::-1])
    pd.testing.assert_frame_equal(again, cohort.compare(config), rtol=1e-9)


def test_genes_with_a_class_have_no_q_and_do_not_count(config):
    cohort = Cohort()
    by_size = np.argsort(-cohort.counts.sum(axis=(0, 1)))
    for gene, symbol in zip(by_size, FLAGGED, strict=False):
        cohort.symbols[gene] = symbol
    table = cohort.compare(config).set_index("gene")
    flagged = table.loc[list(FLAGGED)]
    assert not flagged["discovery"].any()
    assert flagged["q_value"].isna().all()
    assert flagged["p_value"].notna().all()
    rest = table[table["discovery"]]
    assert len(rest) == len(table) - len(FLAGGED)
    np.testing.assert_allclose(rest["q_value"], benjamini_hochberg(rest["p_value"]))
    # the others are measured against each other, not against them
    cohort.counts[:, 1, by_size[: len(FLAGGED)]] *= 5
    more = cohort.compare(config).set_index("gene").loc[rest.index]
    np.testing.assert_allclose(more["log2_fc"], rest["log2_fc"], rtol=1e-9)


@pytest.mark.parametrize(
    ("symbol", "expected"),
    [
        ("TRAV12-2", "receptor"), ("IGHV3-23", "receptor"), ("XIST", "sex"), ("UTY", "sex"),
        ("MT-ND1", "mitochondrial"), ("RPS4X", "ribosomal"), ("HBA1", "haemoglobin"),
        ("HSPA1A", "dissociation"), ("JUND", "dissociation"), ("NR4A1", "dissociation"),
        ("GZMB", ""), ("HBEGF", ""), ("HBP1", ""), ("HBS1L", ""), ("TRAF1", ""), ("JUNCTION", ""),
        ("FOSL2", ""), ("KLRK1", ""), ("IFNG", ""), ("NKG7", ""),
    ],
)  # fmt: skip
def test_classes_of_genes(symbol, expected):
    assert classify_gene(symbol) == expected


@pytest.mark.parametrize("uneven", VISITS)
def test_batches_that_nearly_follow_the_arms_inflate_the_variance(config, uneven):
    """All but one patient of each arm in a batch of their own, at one of the two visits."""
    cohort = Cohort(n=24)
    layout = pd.DataFrame(cohort.pseudobulks.obs)
    treated = (cohort.arms == "exercise").to_numpy()
    own = treated ^ (np.arange(24) < 2)
    even = np.arange(24) // 2 % 2
    batch = {visit: own if visit == uneven else even for visit in VISITS}
    number = layout["patient_id"].str[1:].astype(int)
    layout["batch"] = [f"b{int(batch[v][i])}" for v, i in zip(layout["visit"], number, strict=True)]
    stratum = (cohort.strata["treatment"] == "s").to_numpy()
    without = np.column_stack([treated, np.ones(24), stratum]).astype(float)
    variances = [np.linalg.inv(X.T @ X)[0, 0] for X in (np.column_stack([without, own]), without)]
    found = cohort.compare(config, layout=layout)["batch_inflation"]
    np.testing.assert_allclose(found, variances[0] / variances[1])
    assert found.min() > 3
    np.testing.assert_allclose(cohort.compare(config)["batch_inflation"], 1)


def assert_no_rows(table):
    assert table.empty
    assert list(table.columns)[: len(RELEASE_TABLES["differential_expression"])] == list(
        RELEASE_TABLES["differential_expression"]
    )


def test_too_few_patients_give_no_rows(config):
    assert len(Cohort(n=12).compare(config)) > 0
    assert_no_rows(Cohort(n=10).compare(config))


def test_too_few_cells_at_either_visit_give_no_rows(config):
    assert_no_rows(Cohort(n_cells=9).compare(config))
    cohort = Cohort(n=12)
    data = cohort.pseudobulks
    for sample in ("P00-baseline", "P00-week6"):
        fewer = data.copy()
        fewer.obs.loc[sample, "n_cells"] = 9
        assert_no_rows(cohort.compare(config, pseudobulks=fewer))
        lower = CompareOptions(min_cells_pseudobulk=9)
        eased = config.model_copy(update={"options": Options(compare=lower)})
        table = cohort.compare(eased, pseudobulks=fewer)
        assert set(table["n_reference"]) == set(table["n_treated"]) == {6}


def test_samples_that_may_not_be_used_take_no_part(config):
    cohort = Cohort(n=16)
    located = pd.DataFrame(cohort.pseudobulks.obs).assign(reason_missing="")
    located.loc["P01-week6", "reason_missing"] = "swap_unresolved"
    table = cohort.compare(config, located=located)
    assert (set(table["n_treated"]), set(table["n_reference"])) == ({7}, {8})


def test_phases_are_never_mixed(config):
    cohort = Cohort()
    data = cohort.pseudobulks
    is_treated = data.obs["patient_id"].map(cohort.arms) == "exercise"
    after = is_treated & (data.obs["visit"] == "week6")
    data.obs["session_phase"] = np.where(after, "post_bout", "rest")
    assert_no_rows(cohort.compare(config, pseudobulks=data))


@pytest.mark.parametrize("effect", ["arm", "visit"])
def test_a_contrast_aliased_with_batches_gives_no_rows(config, effect):
    cohort = Cohort()
    layout = pd.DataFrame(cohort.pseudobulks.obs)
    layout["batch"] = layout["patient_id"].map(cohort.arms) if effect == "arm" else layout["visit"]
    assert_no_rows(cohort.compare(config, layout=layout))


def test_strata_that_explain_the_arm_give_no_rows(config):
    cohort = Cohort()
    cohort.strata = cohort.arms.to_frame("treatment")
    assert_no_rows(cohort.compare(config))


def test_with_one_visit_the_arms_are_compared_at_it(make_config):
    cohort = Cohort(seed=4)
    data = cohort.pseudobulks
    at_baseline = data[data.obs["visit"] == "baseline"].copy()
    table = cohort.compare(make_config(visits={"baseline": 0}), pseudobulks=at_baseline)
    kept = (cohort.counts[:, 0] >= 10).sum(axis=0) >= 4
    assert set(table["visit"]) == {"baseline"}
    assert set(table["method"]) == {"moderated t, log2 CPM, adjusted for treatment"}
    level = log_cpm(cohort.counts[:, 0], cohort.counts[:, 0].sum(axis=1))[:, kept]
    treated = (cohort.arms == "exercise").to_numpy()
    expected = level[treated].mean(axis=0) - level[~treated].mean(axis=0)  # strata are balanced
    np.testing.assert_allclose(np.sort(table["log2_fc"]), np.sort(expected), rtol=1e-9)


def test_every_treated_arm_is_held_against_the_reference(make_config):
    cohort = Cohort(n=24)
    names = ["control", "exercise", "diet"]
    arms = pd.Series(names * 8, index=cohort.arms.index)
    table = cohort.compare(make_config(arms=tuple(names)), arms=arms)
    assert set(table["contrast"]) == {"exercise - control", "diet - control"}
    genes = table.groupby("contrast")["gene"].agg(set)
    assert genes["exercise - control"] == genes["diet - control"]


def test_tables_without_pseudobulks_have_no_rows(config):
    cohort = Cohort()
    assert_no_rows(cohort.compare(config, pseudobulks=cohort.pseudobulks[:0].copy()))
