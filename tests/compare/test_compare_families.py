"""Families, gates, and what is still called prespecified."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.compare import Trial, compare_arms
from hiaim_sc.compare.contrasts import Place
from hiaim_sc.compare.families import find_family, find_level, is_open, list_gates
from hiaim_sc.config import AnalysisPlan
from hiaim_sc.stats import benjamini_hochberg, max_t, moderated_t
from hiaim_sc.storage import generator

NAMES = [f"P{i:02d}" for i in range(20)]
ARMS = pd.Series(["control", "exercise"] * 10, index=NAMES)
STRATA = pd.DataFrame({"treatment": ["s"] * 10 + ["t"] * 10}, index=NAMES)
LAYOUT = pd.DataFrame(
    columns=["patient_id", "visit", "tissue", "session_phase", "batch"], dtype="str"
)
PRIMARY = {"assay": "flow", "analyte": "NK", "unit": "1e9/l", "alpha": 0.01}


def rows(endpoint, tissue, seed, *, shift=0.0, missing=()):
    """One endpoint at both visits; `shift` is the effect in standard deviations."""
    rng = np.random.default_rng(seed)
    before = rng.normal(size=len(NAMES))
    after = rng.normal(size=len(NAMES)) + shift * (ARMS == "exercise")
    parts = [
        pd.DataFrame(
            {
                "endpoint": endpoint,
                "tissue": tissue,
                "visit": visit,
                "session_phase": "rest",
                "scale": "ln",
                "patient_id": NAMES,
                "value_analysed": np.where(np.isin(NAMES, missing), np.nan, values),
            }
        )
        for visit, values in (("baseline", before), ("week6", after))
    ]
    return pd.concat(parts, ignore_index=True)


def endpoints(*, clonal=0.0, tumour=0.0):
    parts = [
        rows("nexp_m", "blood", 1, shift=clonal),
        rows("n_called_m", "blood", 2, shift=clonal, missing=NAMES[:3]),
        rows("expfrac_m", "blood", 3),
        rows("tum_T_frac", "tumor", 4, shift=tumour),
        rows("blood_tumour_dual", "tumor", 5, shift=tumour, missing=NAMES[5:9]),
        rows("nexp_m", "tumor", 6),
        rows("flow:NK", "", 7),
        rows("flow:B", "", 8),
    ]
    return pd.concat(parts, ignore_index=True)


def compare(config, table, **options):
    given = {"blinded": False, "prespecified": True, **options}
    found = compare_arms(Trial(table, ARMS, STRATA, config, LAYOUT), **given)
    return found.set_index(["endpoint", "tissue"])


@pytest.fixture
def config(make_config):
    found = make_config(strata=("treatment",))
    plan = AnalysisPlan(
        registered_primary=PRIMARY, key_secondary=("tum_T_frac", "blood_tumour_dual")
    )
    return found.model_copy(update={"analysis_plan": plan})


def test_every_comparison_has_its_family_and_gate(config):
    table = compare(config, endpoints())
    assert table["family"].to_dict() == {
        ("nexp_m", "blood"): "primary",
        ("n_called_m", "blood"): "primary",
        ("expfrac_m", "blood"): "blood_clonal",
        ("tum_T_frac", "tumor"): "key_secondary",
        ("blood_tumour_dual", "tumor"): "key_secondary",
        ("nexp_m", "tumor"): "tumour_clonal",
        ("flow:NK", ""): "registered_primary",
        ("flow:B", ""): "measurements:flow",
    }
    is_gate = table["family"].isin(["primary", "key_secondary", "registered_primary"])
    assert (table["gate"] == table["family"].where(is_gate, "")).all()


def test_gates_are_for_the_last_visit_at_rest(make_config):
    config = make_config(visits={"baseline": 0, "week3": 21, "week6": 42})
    assert find_family(Place("nexp_m", "blood", "week6", "rest"), config).gate == "primary"
    assert find_family(Place("nexp_m", "blood", "week3", "rest"), config).name == "blood_clonal"
    assert find_family(Place("nexp_m", "blood", "week6", "post_bout"), config).gate == ""


def test_a_measurement_may_be_the_primary_question(config):
    plan = config.analysis_plan.model_copy(update={"primary": ("flow:B", "nexp_m")})
    config = config.model_copy(update={"analysis_plan": plan})
    assert find_family(Place("flow:B", "", "week6", "rest"), config).gate == "primary"
    assert find_family(Place("nexp_m", "tumor", "week6", "rest"), config).gate == ""


def test_an_endpoint_of_the_second_gate_may_be_of_one_tissue(config):
    plan = config.analysis_plan.model_copy(
        update={
            "key_secondary": ("pmhc_breadth", "tum_T_frac", "flow:B"),
            "key_secondary_tissue": {"pmhc_breadth": "blood"},
        }
    )
    planned = config.model_copy(update={"analysis_plan": plan})
    found = {
        (name, tissue): find_family(Place(name, tissue, "week6", "rest"), planned).gate
        for name in ("pmhc_breadth", "tum_T_frac", "flow:B")
        for tissue in ("blood", "tumor", "")
    }
    not_a_gate = ("pmhc_breadth", "tumor")
    assert found.pop(not_a_gate) == ""
    assert set(found.values()) == {"key_secondary"}


@pytest.mark.parametrize(
    ("p_adj", "planned", "opens"),
    [
        ({"a": 0.01, "b": 0.05}, "ab", True),
        ({"a": 0.01, "b": 0.06}, "ab", False),  # one rejection opens nothing
        ({"a": 0.01, "b": np.nan}, "ab", False),  # what cannot be tested is not rejected
        ({"a": 0.01}, "ab", False),  # nor is what has no value at all
        ({}, "", True),
        ({}, "a", False),
    ],
)
def test_a_gate_opens_when_all_that_was_planned_is_rejected(p_adj, planned, opens):
    rows = pd.DataFrame({"endpoint": list(p_adj), "p_adj": list(p_adj.values())}, dtype=object)
    rows = rows.astype({"p_adj": float}).assign(alpha=0.05)
    assert is_open(rows, planned) is opens


def test_the_registered_primary_outcome_is_of_no_gate(config):
    plan = config.analysis_plan.model_copy(update={"key_secondary": ("flow:NK", "tum_T_frac")})
    assert list_gates(plan)["key_secondary"] == ("tum_T_frac",)


def test_contrasts_share_the_level_of_the_gates(make_config):
    config = make_config(arms=("control", "walk", "exercise"))
    plan = AnalysisPlan(registered_primary=PRIMARY, alpha=0.04)
    config = config.model_copy(update={"analysis_plan": plan})
    levels = {
        gate: find_level(gate, config)
        for gate in ("registered_primary", "primary", "key_secondary", "")
    }
    assert levels == {"registered_primary": 0.01, "primary": 0.02, "key_secondary": 0.02, "": 0.04}


def test_a_gate_is_adjusted_by_max_t_over_its_endpoints(config):
    table = endpoints(clonal=0.7)
    found = compare(config, table)
    both = [("n_called_m", "blood"), ("nexp_m", "blood")]
    wide = table.set_index(["endpoint", "tissue", "visit", "patient_id"])["value_analysed"]
    after = np.column_stack([wide.loc[(*place, "week6")].reindex(NAMES) for place in both])
    before = np.column_stack([wide.loc[(*place, "baseline")].reindex(NAMES) for place in both])
    before[:, 0] = np.nan  # n_called_m is a change already
    expected = max_t(
        after,
        (ARMS == "exercise").to_numpy(),
        baseline=before,
        strata=STRATA["treatment"].to_numpy(),
        n_draws=199,
        rng=generator("max_t", config.options.compare.seed, "primary", "control", "exercise"),
    )
    p_perm = found.loc[both, "p_perm"].to_numpy(dtype=float)
    np.testing.assert_allclose(
        found.loc[both, "p_adj"].to_numpy(dtype=float), np.fmax(expected.p_adjusted, p_perm)
    )
    assert (found.loc[both, "p_adj"] >= p_perm).all()


def test_other_families_are_adjusted_by_benjamini_hochberg_and_the_primary_not_at_all(config):
    found = compare(config, endpoints())
    for name in ("blood_clonal", "tumour_clonal", "measurements:flow"):
        family = found[found["family"] == name]
        p_perm = family["p_perm"].to_numpy(dtype=float)
        np.testing.assert_allclose(family["p_adj"], benjamini_hochberg(p_perm))
    registered = found.loc[("flow:NK", "")]
    assert registered["p_adj"] == registered["p_perm"]


@pytest.mark.parametrize(
    ("effects", "still"),
    [
        ({}, {"registered_primary", "primary"}),
        ({"clonal": 3.0}, {"registered_primary", "primary", "key_secondary"}),
        (
            {"clonal": 3.0, "tumour": 3.0},
            {"registered_primary", "primary", "key_secondary", "blood_clonal", "tumour_clonal"},
        ),
        ({"tumour": 3.0}, {"registered_primary", "primary"}),
    ],
)
def test_behind_a_gate_that_stays_shut_nothing_is_prespecified(config, effects, still):
    found = compare(config, endpoints(**effects))
    assert set(found.loc[found["prespecified"], "family"]) == still
    assert found["estimate"].notna().all()
    assert found["p_perm"].notna().all()


@pytest.mark.parametrize("options", [{"prespecified": False}, {"blinded": True}])
def test_without_a_frozen_plan_nothing_is_prespecified(config, options):
    found = compare(config, endpoints(clonal=3.0, tumour=3.0), **options)
    assert not found["prespecified"].any()


def test_one_rejection_of_two_leaves_a_gate_shut(config):
    table = endpoints(clonal=3.0, tumour=3.0)
    is_one = (table["endpoint"] == "n_called_m") & (table["visit"] == "week6")
    other = np.random.default_rng(9).normal(size=len(NAMES))
    table.loc[is_one, "value_analysed"] = np.where(np.isin(NAMES, NAMES[:3]), np.nan, other)
    found = compare(config, table)
    gate = found[found["gate"] == "primary"]
    assert gate["p_adj"].min() <= 0.05 < gate["p_adj"].max()
    assert set(found.loc[found["prespecified"], "family"]) == {"registered_primary", "primary"}


def test_a_planned_gate_that_cannot_be_tested_stays_shut(config):
    table = endpoints(tumour=3.0)
    found = compare(config, table[table["tissue"] != "blood"])
    assert set(found.loc[found["prespecified"], "family"]) == {"registered_primary"}
    plan = config.analysis_plan.model_copy(update={"primary": ("n_called_m", "nexp_m", "simpson")})
    named = config.model_copy(update={"analysis_plan": plan})
    found = compare(named, endpoints(clonal=3.0))
    assert (found.loc[found["gate"] == "primary", "p_adj"] <= 0.05).all()
    assert set(found.loc[found["prespecified"], "family"]) == {"registered_primary", "primary"}
    plan = config.analysis_plan.model_copy(update={"primary": ()})
    config = config.model_copy(update={"analysis_plan": plan})
    found = compare(config, table[table["tissue"] != "blood"])
    assert found.loc[("tum_T_frac", "tumor"), "prespecified"]


def test_each_comparison_has_the_level_it_is_judged_at(config):
    found = compare(config, endpoints())
    assert found.loc[("flow:NK", ""), "alpha"] == 0.01
    assert (found["alpha"].drop(("flow:NK", "")) == 0.05).all()


def test_cell_types_share_their_variance_and_are_adjusted_together(config):
    names = ("comp_CD4", "comp_CD8", "comp_NK", "comp_B")
    alone = pd.concat([rows(name, "blood", 20 + i) for i, name in enumerate(names)])
    table = compare(config, pd.concat([alone, rows("nexp_m", "tumor", 6)])).xs("blood", level=1)
    wide = alone.pivot_table("value_analysed", ["endpoint", "patient_id"], "visit")
    after, before = (
        np.column_stack([wide.loc[name, visit].reindex(NAMES) for name in sorted(names)])
        for visit in ("week6", "baseline")
    )
    strata = STRATA["treatment"].to_numpy()
    treated = (ARMS == "exercise").to_numpy()
    found = moderated_t(after, treated, baseline=before, strata=strata)
    table = table.loc[sorted(names)]
    assert (table["family"] == "blood_cell_types").all()
    for name in ("estimate", "se", "df", "ci_low", "ci_high"):
        np.testing.assert_allclose(table[name], getattr(found, name))
    np.testing.assert_allclose(table["p_t"], found.p_value)
    assert table["method"].str.endswith("variances moderated").all()
    together = max_t(
        after,
        treated,
        baseline=before,
        strata=strata,
        n_draws=199,
        rng=generator(
            "max_t", config.options.compare.seed, "blood_cell_types", "control", "exercise"
        ),
    )
    np.testing.assert_allclose(table["p_adj"], np.fmax(together.p_adjusted, table["p_perm"]))


def test_cell_types_of_other_patients_keep_their_own_variance(config):
    parts = [rows("comp_CD4", "blood", 20), rows("comp_NK", "blood", 21, missing=NAMES[:2])]
    table = compare(config, pd.concat(parts))
    assert not table["method"].str.contains("moderated").any()
    alone = compare(config, parts[0]).iloc[0]
    assert table.loc[("comp_CD4", "blood"), "se"] == pytest.approx(alone["se"])
