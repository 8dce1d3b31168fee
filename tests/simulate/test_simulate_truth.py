"""What is planted: in the truth, and in the cells."""

from __future__ import annotations

import json

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.config import CompareOptions
from hiaim_sc.simulate.cells import draw_cells
from hiaim_sc.simulate.cohort import plan_cohort
from hiaim_sc.simulate.composition import compartment_shares, draw_composition
from hiaim_sc.simulate.latent import (
    expected_called_clones,
    expected_dual_share,
    expected_expanded_clones,
    expected_expanded_share,
)
from hiaim_sc.simulate.repertoire import draw_repertoire
from hiaim_sc.simulate.transcriptome import build_transcriptome
from hiaim_sc.simulate.truth import latent_clones
from hiaim_sc.stats import clone_change_test

from .conftest import small_settings

OPTIONS = CompareOptions()


def frequencies(n=60, exponent=0.9):
    weights = np.arange(1, n + 1) ** -exponent
    return weights / weights.sum()


def test_expected_values_are_those_of_drawn_samples():
    rng = np.random.default_rng(1)
    here, other = frequencies(), frequencies(exponent=0.3)
    drawn, elsewhere = rng.multinomial(40, here, 20_000), rng.multinomial(60, other, 20_000)
    expanded = drawn >= 2
    assert expected_expanded_clones(here, 40) == pytest.approx(expanded.sum(1).mean(), rel=0.01)
    share = (drawn * expanded).sum(1).mean() / 40
    assert expected_expanded_share(here, 40) == pytest.approx(share, rel=0.01)
    dual = (drawn * (expanded & (elsewhere >= 2))).sum(1).mean() / 40
    assert expected_dual_share(here, 40, other, 60) == pytest.approx(dual, rel=0.02)


@pytest.mark.parametrize("rho", [0.0, 0.05])
def test_expected_calls_are_those_of_the_clone_test(rho):
    rng = np.random.default_rng(2)
    before = frequencies()
    after = before * np.where(np.arange(60) % 3 == 1, 5.0, 1.0)
    after /= after.sum()
    k1, k2 = rng.multinomial(120, before, 1500), rng.multinomial(120, after, 1500)
    p_value = clone_change_test(k1, k2, 120, 120, rho=rho).p_value
    calls = ((k1 + k2 >= OPTIONS.called_min_total) & (p_value < OPTIONS.called_alpha)).sum(1)
    options = CompareOptions(called_rho=rho)
    expected = expected_called_clones(before, after, 120, options)
    assert expected == pytest.approx(calls.mean(), abs=4 * calls.std() / np.sqrt(1500))
    assert expected > 1.5 * expected_called_clones(before, before, 120, options)


@given(
    st.lists(st.floats(0, 1), min_size=1, max_size=8).filter(lambda w: sum(w) > 0.01),
    st.integers(2, 200),
)
def test_two_cells_of_the_same_clone_by_definition_of_simpson(weights, depth):
    frequency = np.array(weights) / sum(weights)
    assert expected_expanded_share(frequency, 2) == pytest.approx((frequency**2).sum())
    shares = [expected_expanded_share(frequency, m) for m in (depth, depth + 1)]
    assert 0 <= shares[0] <= shares[1] + 1e-12 <= 1 + 1e-9


def latent_of(**settings):
    chosen = small_settings(n_patients=6, **settings)
    return {
        patient: latent_clones(draw_repertoire(chosen, patient))
        for patient in plan_cohort(chosen).patients
    }


def test_planted_clones_expand_in_treated_patients_alone():
    planted, null = latent_of(clone_drift=0.0), latent_of(clone_drift=0.0, null=True)
    for (patient, clones), unplanted in zip(planted.items(), null.values(), strict=True):
        chosen = clones["planted_fold"] > 1
        assert chosen.sum() == (20 if patient.is_treated else 0)
        assert clones.loc[chosen, "rank"].between(20, 400).all()
        pd.testing.assert_series_equal(
            clones["frequency_blood_baseline"], unplanted["frequency_blood_baseline"]
        )
        in_blood = clones[clones["frequency_blood_baseline"] > 0]
        ratio = in_blood["frequency_blood_week6"] / in_blood["frequency_blood_baseline"]
        relative = ratio.groupby(in_blood["planted_fold"]).agg(["min", "max"]) / ratio.min()
        expected = {1.0: 1.0, 5.0: 5.0} if patient.is_treated else {1.0: 1.0}
        assert relative["min"].to_dict() == pytest.approx(expected)
        assert relative["max"].to_dict() == pytest.approx(expected)


def test_null_plants_nothing():
    for clones in latent_of(null=True, effect_fold=9.0).values():
        assert (clones["planted_fold"] == 1).all()
    shares = {
        settings.null: [draw_composition(settings, s) for s in plan_cohort(settings).samples]
        for settings in (
            small_settings(null=True, nk_effect=2.0),
            small_settings(nk_effect=0.0),
        )
    }
    for null, without in zip(shares[True], shares[False], strict=True):
        pd.testing.assert_series_equal(null, without)


def test_drift_between_visits_has_its_spread():
    clones = next(iter(latent_of(null=True, n_clone_ranks=20_000).values()))
    blood = clones[clones["frequency_blood_baseline"] > 0]
    change = np.log(blood["frequency_blood_week6"] / blood["frequency_blood_baseline"])
    assert change.std() == pytest.approx(0.5, rel=0.03)


def test_shared_clones_and_power_law_are_as_asked():
    settings = small_settings(n_clone_ranks=20_000, clone_drift=0.0, clone_exponent_spread=0.0)
    clones = latent_clones(draw_repertoire(settings, plan_cohort(settings).patients[0]))
    in_tumour = clones["frequency_tumor_baseline"] > 0
    in_blood = clones["frequency_blood_baseline"] > 0
    assert (in_blood & in_tumour).sum() / in_tumour.sum() == pytest.approx(0.3, abs=0.03)
    ranked = clones[in_blood].set_index("rank")["frequency_blood_baseline"]
    assert ranked[1] / ranked[1000] == pytest.approx(1000**0.9)
    assert clones["clone_key"].is_unique


def test_nk_cells_rise_in_treated_blood_alone():
    with_effect = small_settings(nk_effect=1.0)
    without = small_settings(nk_effect=0.0)
    for sample in plan_cohort(with_effect).samples:
        odds = [
            compartment_shares(draw_composition(s, sample)).pipe(lambda c: c["NK"] / c["T"])
            for s in (with_effect, without)
        ]
        raised = sample.patient.is_treated and sample.tissue == "blood" and sample.visit == "week6"
        assert np.log(odds[0] / odds[1]) == pytest.approx(1.0 if raised else 0.0, abs=1e-9)


def test_cells_follow_the_planted_truth():
    settings = small_settings(nk_effect=1.0, n_clone_ranks=20_000)
    states = build_transcriptome(settings).states
    cohort = plan_cohort(settings)
    patient = next(p for p in cohort.patients if p.is_treated)
    repertoire = draw_repertoire(settings, patient)
    sample = next(s for s in cohort.samples if s.key == (patient.number, 0, 1))
    cells = draw_cells(settings, sample, repertoire, states, 20_000)
    shares = draw_composition(settings, sample)
    seen = pd.Series(cells.cell_type).value_counts(normalize=True).reindex(shares.index)
    assert (seen - shares).abs().max() < 0.012
    cd8 = cells.clone[cells.lineage == "CD8"]
    planted = repertoire.planted_fold[cd8] > 1
    expected = repertoire.frequency["blood", "week6"][repertoire.planted_fold > 1].sum()
    assert planted.mean() == pytest.approx(expected, abs=0.02)


def test_effects_have_a_row_for_each_endpoint_and_sample(small_cohort):
    effects = pd.read_csv(small_cohort.truth / "effects.tsv", sep="\t")
    counts = effects.groupby(["endpoint", "tissue"]).size().to_dict()
    assert counts == {
        ("blood_nk_frac", "blood"): 8,
        ("tum_T_frac", "tumor"): 8,
        ("tum_NK_frac", "tumor"): 8,
        ("nexp_m", "blood"): 8,
        ("nexp_m", "tumor"): 8,
        ("expfrac_m", "blood"): 8,
        ("expfrac_m", "tumor"): 8,
        ("n_called_m", "blood"): 4,
        ("n_called_m", "tumor"): 4,
        ("blood_tumour_dual", "tumor"): 8,
    }
    assert effects["true_value"].notna().all()
    assert (effects["depth"].isna() == effects["endpoint"].str.endswith("frac")).all()


def test_effects_are_those_of_the_latent_table(small_cohort):
    clones = pd.read_parquet(small_cohort.truth / "clones.parquet")
    effects = pd.read_csv(small_cohort.truth / "effects.tsv", sep="\t")
    row = effects.query("endpoint == 'nexp_m' and patient_id == 'P02' and tissue == 'tumor'")
    p = clones.loc[clones["patient_id"] == "P02", "frequency_tumor_week6"].to_numpy()
    m = 100  # the least depth: there are few cells
    expected = (1 - (1 - p) ** m - m * p * (1 - p) ** (m - 1)).sum()
    assert row.set_index("visit").loc["week6", "true_value"] == pytest.approx(expected, rel=1e-6)
    assert (row["depth"] == m).all()


def test_the_record_lists_planted_clones_by_patient(small_cohort):
    record = json.loads((small_cohort.truth / "truth.json").read_text())
    treated = {patient for patient, arm in record["arms"].items() if arm == "exercise"}
    assert set(record["planted_clones"]) == treated
    assert {len(keys) for keys in record["planted_clones"].values()} == {20}
    assert "out" not in record["settings"]
