"""Genes on and off, kinds of cells from them, and the states and flags that follow."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.stats import nbinom

from hiaim_sc.annotate import read_panel
from hiaim_sc.annotate.evidence import MarkerEvidence
from hiaim_sc.annotate.expression import fit_levels, weigh_set
from hiaim_sc.annotate.kinds import list_kinds
from hiaim_sc.annotate.states import call_flags, call_states
from hiaim_sc.config import AnnotateOptions

PANEL = read_panel(None)
KINDS = list_kinds(PANEL)
GENES = sorted(set(PANEL["gene"]))
TOTAL = 40_000
ON = 5.0  # counts per 10,000
N_EACH = 40


def judge(programmes, *, n_each=N_EACH, seed=1, on=ON):
    """Evidence in cells that have these genes on, so many of each programme."""
    rng = np.random.default_rng(seed)
    rows = [np.isin(GENES, programme.split()) for programme in programmes for _ in range(n_each)]
    mean = np.where(np.array(rows), on, 0.03) * TOTAL / 1e4
    counts = rng.poisson(mean).astype(np.float32)
    total = np.full(len(counts), TOTAL, dtype=np.float32)
    return MarkerEvidence(counts, counts, total, total, fit_levels(GENES, counts, total))


def state(programme, lineage, *, others=(), options=None):
    """States of the cells of the first programme; all lie at one place."""
    genes = judge([programme, *others])
    names = np.full(len(genes), lineage, dtype=object)
    place = np.zeros((len(genes), 2))
    cluster = np.repeat(np.arange(1 + len(others)), N_EACH).astype(str).astype(object)
    found = call_states(names, cluster, genes, KINDS, place, options or AnnotateOptions())
    return found[:N_EACH]


def speak_for(name):
    rows = PANEL[(PANEL["cell_type"] == name) & (PANEL["sign"] == 1)]
    return " ".join(rows["gene"])


STATES = PANEL.loc[PANEL["level"] == "state", ["cell_type", "parent"]].drop_duplicates()


@pytest.mark.parametrize(("name", "parent"), list(STATES.itertuples(index=False, name=None)))
def test_each_state_is_found_where_three_in_four_of_its_genes_are_on(name, parent):
    genes = speak_for(name).split()
    kept = genes[: max(3, 3 * len(genes) // 4)]
    found = state(" ".join(kept), parent, others=["ACTB", "GAPDH"])
    assert (found["cell_state"] == name).mean() > 0.9


def test_the_panel_has_every_state_of_t_nk_and_innate_lymphoid_cells():
    flags = set(PANEL.loc[PANEL["level"] == "flag", "cell_type"])
    assert len(STATES) == 26
    assert flags == {"activated", "proliferating", "stressed"}
    assert {kind.lineage for kind in KINDS} == {
        "CD4", "CD8", "ILC", "MAIT", "NK", "Treg", "gd",
    }  # fmt: skip


def test_a_state_has_the_genes_of_its_lineage_but_for_those_it_contradicts():
    of = {kind.name: kind for kind in KINDS}
    assert of["Treg resting"].lineage == "Treg"
    assert {"FOXP3", "CD4", "CD3D"} <= set(of["Treg resting"].shared[0])
    assert {"CD8A", "CD79A"} <= set(of["Treg resting"].shared[1])
    assert "CCR7" in of["Treg resting"].own[0]
    assert of["gd T"].name == "gd T" if "gd T" in of else of["gd"].own == ((), ())
    # bright NK cells lack FCGR3A, adaptive ones have CD3E
    assert "FCGR3A" not in of["NK CD56dim"].shared[0]
    assert "CD3E" not in of["NK CD56dim"].shared[1]
    assert {"CD3D", "CD3G"} <= set(of["NK CD56dim"].shared[1])


def test_a_panel_without_states_has_its_lineages_and_compartments():
    own = PANEL[PANEL["cell_type"].isin(["T", "CD8", "NK", "B"])]
    assert [(kind.name, kind.root) for kind in list_kinds(own)] == [("CD8", "T"), ("NK", "NK")]


def test_a_parent_that_is_not_there_leaves_a_state_out():
    assert list_kinds(PANEL[PANEL["cell_type"] == "CD8 Tex"]) == []


def test_cells_that_are_all_alike_have_the_state_they_would_have_among_others():
    alone = state(speak_for("CD8 Tem"), "CD8")
    among = state(speak_for("CD8 Tem"), "CD8", others=[speak_for("CD8 naive"), "ACTB"])
    assert set(alone["cell_state"]) == set(among["cell_state"]) == {"CD8 Tem"}


def test_without_a_marker_there_is_no_state():
    found = state("", "CD8", others=[speak_for("CD8 Tem")])
    assert set(found["cell_state"]) == {"unassigned"}
    assert set(found["cell_state_evidence"]) == {""}


def test_a_cell_of_no_clear_state_takes_that_of_its_cluster_and_lineage():
    genes = judge([speak_for("CD8 Tex"), ""], n_each=10)
    cluster = np.array(["0"] * 13 + ["1"] * 7, dtype=object)  # three in 0 have no marker
    lineage = np.full(20, "CD8", dtype=object)
    lineage[12] = "CD4"
    place = np.zeros((20, 2))
    found = call_states(lineage, cluster, genes, KINDS, place, AnnotateOptions())
    assert list(found["cell_state"][10:13]) == ["CD8 Tex", "CD8 Tex", "unassigned"]
    assert list(found["cell_state_evidence"][9:12]) == ["markers", "cluster", "cluster"]
    assert set(found["cell_state"][13:]) == {"unassigned"}


@pytest.mark.parametrize(("lineage", "expected"), [("gd", "gd T"), ("MAIT", "MAIT"), ("T", "")])
def test_lineages_that_are_states_by_themselves(lineage, expected):
    found = state(speak_for("CD8 Tem"), lineage)
    assert set(found["cell_state"]) == {expected or "unassigned"}


@pytest.mark.parametrize(
    ("flag", "needed", "others"),
    [
        ("proliferating", "MKI67", "STMN1 TYMS PCNA"),
        ("proliferating", "TOP2A", "STMN1 TYMS PCNA"),
        ("stressed", "HSPA6", "HSPA1A HSPA1B DNAJB1"),
        ("activated", "IFNG", "CD69 NR4A1 FOS JUN"),
    ],
)
def test_a_flag_needs_a_gene_that_resting_cells_do_not_have(flag, needed, others):
    found = call_flags(judge([f"{needed} {others}", others, ""]), PANEL)[flag]
    assert found[:N_EACH].mean() > 0.9
    assert found[N_EACH:].mean() < 0.05


def test_a_flag_stands_beside_the_state():
    found = state(speak_for("CD4 Tcm") + " HSPA1A HSPA1B HSPA6 DNAJB1", "CD4", others=["ACTB"])
    assert set(found["cell_state"]) == {"CD4 Tcm"}


def test_evidence_is_the_ratio_of_negative_binomials():
    counts = np.array([[0.0], [3.0], [40.0], [40.0]] * 10)
    total = np.array([10_000.0, 50_000, 50_000, 20_000] * 10)
    levels = fit_levels(["a"], counts, total)

    def log_pmf(level):
        mean, size = total / 1e4 * level, 1 / 0.3
        return nbinom.logpmf(counts[:, 0], size, size / (size + mean))

    expected = np.clip(log_pmf(levels.on[0]) - log_pmf(levels.off[0]), -6, 6)
    np.testing.assert_allclose(levels.weigh(counts, total)[:, 0], expected, atol=1e-9)


@pytest.mark.parametrize(("rate", "is_on"), [(6.0, True), (0.02, False)])
def test_a_gene_that_is_the_same_everywhere_is_judged_by_its_level(rate, is_on):
    counts = np.random.default_rng(0).poisson(rate * 4, (200, 1)).astype(float)
    total = np.full(200, 40_000.0)
    found = fit_levels(["a"], counts, total).weigh(counts, total)[:, 0] > 0
    assert (found == is_on).mean() > 0.98


def test_levels_are_found_again():
    rng = np.random.default_rng(3)
    counts = rng.poisson(np.repeat([6.0, 0.2], [300, 700]) * 4)[:, None].astype(float)
    found = fit_levels(["a"], counts, np.full(1000, 40_000.0))
    assert found.on[0] == pytest.approx(6.0, rel=0.05)
    assert found.off[0] == pytest.approx(0.2, rel=0.15)


def test_weighing_is_the_formula():
    def gain(evidence, chance):
        ratio = np.exp(evidence)
        return np.log((chance * ratio + 1 - chance) / (0.25 * ratio + 0.75))

    on_off = np.array([[2.0, -1.0]])
    assert weigh_set(on_off, [0], [1])[0] == pytest.approx(gain(2.0, 0.85) + gain(-1.0, 0.05))
    assert weigh_set(on_off, [], [])[0] == 0.0


def test_chunks_change_nothing(monkeypatch):
    genes = judge([speak_for("CD8 Tem"), ""])
    sets = [kind.own for kind in KINDS]
    whole, on = genes.weigh(sets, pooled=True), genes.is_on("GZMK")
    monkeypatch.setattr("hiaim_sc.annotate.evidence._CHUNK", 7)
    np.testing.assert_array_equal(genes.weigh(sets, pooled=True), whole)
    np.testing.assert_array_equal(genes.is_on("GZMK"), on)
