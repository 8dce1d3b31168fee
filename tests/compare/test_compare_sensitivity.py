"""One choice, one patient or one batch less; patients without a value."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.compare import Trial, analyse_missing, compare_arms, vary_settings
from hiaim_sc.config import AnalysisPlan
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.stats import ancova, constrained_lda, multiple_imputation
from hiaim_sc.storage import generator

NAMES = [f"P{i:02d}" for i in range(24)]
ARMS = pd.Series(["control", "exercise"] * 12, index=NAMES)
TREATED = (ARMS == "exercise").to_numpy()
STRATA = pd.DataFrame({"treatment": ["s"] * 12 + ["t"] * 12}, index=NAMES)
VISITS = {"baseline": 0, "week3": 21, "week6": 42}


def draw(shift=0.0, *, seed=1) -> dict[str, np.ndarray]:
    rng = np.random.default_rng(seed)
    own = rng.normal(size=24)
    effects = {"baseline": 0.0, "week3": shift / 2, "week6": shift}
    return {v: own + rng.normal(size=24) + effect * TREATED for v, effect in effects.items()}


def tabulate(values, *, endpoint="nexp_m", tissue="blood", missing=None) -> pd.DataFrame:
    """`missing`: reason by patient, of the last visit."""
    parts = []
    for visit, of_visit in values.items():
        reason = pd.Series("", NAMES).mask(
            pd.Series(NAMES, NAMES).isin(list(missing or {})) & (visit == "week6"),
            pd.Series(missing or {}, dtype="str").reindex(NAMES),
        )
        part = {"patient_id": NAMES, "visit": visit, "reason_missing": reason.to_numpy()}
        part |= {"sample_id": [f"{name}-{tissue}-{visit}" for name in NAMES]}
        part |= {"value_analysed": np.where(reason == "", of_visit, np.nan)}
        parts.append(pd.DataFrame(part))
    known = {"endpoint": endpoint, "tissue": tissue, "session_phase": "rest", "scale": "ln"}
    return pd.concat(parts, ignore_index=True).assign(**known)


@pytest.fixture
def make_trial(make_config):
    def build(table, *, visits=VISITS, batches=("B1",)):
        config = make_config(visits=visits, strata=("treatment",))
        layout = table[["sample_id", "patient_id", "tissue", "visit", "session_phase"]]
        number = layout["patient_id"].str[1:].astype(int)
        batch = number.map(lambda n: batches[n // 2 % len(batches)])
        return Trial(table, ARMS, STRATA, config, layout.assign(batch=batch, library_id="L"))

    return build


NOTHING = pd.DataFrame(columns=["endpoint", "tissue", "setting", "level"])


def vary(trial, variants=NOTHING) -> pd.DataFrame:
    return vary_settings(compare_arms(trial, blinded=False), variants, trial)


def test_the_first_row_is_the_planned_comparison_and_each_patient_is_left_out_once(make_trial):
    trial = make_trial(tabulate(draw(1.5)))
    table = vary(trial)
    assert list(table.columns[: len(RELEASE_TABLES["sensitivity"])]) == list(
        RELEASE_TABLES["sensitivity"]
    )
    planned = compare_arms(trial, blinded=False).query("visit == 'week6'").iloc[0]
    assert table.loc[0, "setting"] == "as planned"
    assert table.loc[0, "estimate"] == planned["estimate"]
    left = table[table["setting"] == "leave one patient out"]
    values, strata = draw(1.5), STRATA["treatment"].to_numpy()
    known = [
        ancova(
            values["week6"][stays],
            TREATED[stays],
            baseline=values["baseline"][stays],
            strata=strata[stays],
        )
        for stays in (np.array(NAMES) != name for name in NAMES)
    ]
    known.sort(key=lambda fit: fit.estimate)
    np.testing.assert_allclose(left["estimate"], [fit.estimate for fit in known])
    np.testing.assert_allclose(left["ci_low"], [fit.ci_low for fit in known])
    assert left["p_perm"].notna().all()
    assert left["same_sign"].all()


def test_no_row_tells_the_arm_of_a_patient(make_trial):
    table = vary(make_trial(tabulate(draw(1.5)), batches=("B1", "B2", "B3")))
    left = table[table["setting"].str.startswith("leave one")]
    assert list(left["value"].head(2)) == ["1 of 24", "2 of 24"]
    assert left["estimate"].head(24).is_monotonic_increasing
    assert left[["n_reference", "n_treated"]].isna().all().all()
    assert not set(NAMES) & set(table.astype(object).to_numpy().ravel())


def test_a_result_that_hangs_on_one_patient_changes_its_sign_without_him(make_trial):
    values = draw()
    values["week6"][1] += 40
    table = vary(make_trial(tabulate(values)))
    assert table["estimate"].iloc[0] > 1
    left = table[table["setting"] == "leave one patient out"]
    assert abs(left["estimate"].iloc[0]) < 1
    assert (left["estimate"].iloc[1:] > 1).all()


def test_the_baseline_as_a_change_and_with_complete_cases(make_trial):
    values, table = draw(0.5), tabulate(draw(0.5))
    gone = (table["patient_id"] == "P03") & (table["visit"] == "baseline")
    table["value_analysed"] = table["value_analysed"].mask(gone)
    found = vary(make_trial(table)).set_index("value")
    has = np.array(NAMES) != "P03"
    strata = STRATA["treatment"].to_numpy()[has]
    change = (values["week6"] - values["baseline"])[has]
    known = ancova(change, TREATED[has], strata=strata)
    assert found.loc["change", "estimate"] == pytest.approx(known.estimate)
    complete = ancova(
        values["week6"][has], TREATED[has], baseline=values["baseline"][has], strata=strata
    )
    assert found.loc["complete cases", "estimate"] == pytest.approx(complete.estimate)
    assert found.loc["", "n_reference"] + found.loc["", "n_treated"] == 24


def test_a_batch_is_left_out_with_all_its_samples(make_trial):
    trial = make_trial(tabulate(draw(1.0)), batches=("B1", "B2", "B3"))
    table = vary(trial)
    left = table[table["setting"] == "leave one batch out"]
    values, strata = draw(1.0), STRATA["treatment"].to_numpy()
    # patients 0, 1, 6, 7, ... are of B1
    batch = np.arange(24) // 2 % 3
    known = [
        ancova(
            values["week6"][batch != b],
            TREATED[batch != b],
            baseline=values["baseline"][batch != b],
            strata=strata[batch != b],
        ).estimate
        for b in range(3)
    ]
    np.testing.assert_allclose(left["estimate"], sorted(known))
    assert vary(make_trial(tabulate(draw(1.0))))["setting"].ne("leave one batch out").all()


def test_other_settings_take_the_other_values(make_trial):
    trial, other = make_trial(tabulate(draw(1.0))), tabulate(draw(-2.0, seed=4))
    variants = other.assign(setting="depth", level="m/2")
    elsewhere = tabulate(draw(3.0), endpoint="expfrac_m").assign(setting="depth", level="m/2")
    found = vary(trial, pd.concat([variants, elsewhere])).query("setting == 'depth'")
    (row,) = found.to_dict("records")
    planned = compare_arms(make_trial(other), blinded=False).query("visit == 'week6'").iloc[0]
    assert row["estimate"] == pytest.approx(planned["estimate"])
    assert row["value"] == "m/2"
    assert not row["same_sign"]


def test_what_the_plan_does_not_name_is_not_varied(make_trial):
    trial = make_trial(tabulate(draw(), endpoint="luminex:IL6", tissue=""))
    assert len(vary(trial)) == 0
    assert len(analyse_missing(compare_arms(trial, blinded=False), trial)) == 0


def miss(trial) -> pd.DataFrame:
    table = analyse_missing(compare_arms(trial, blinded=False), trial)
    assert list(table.columns[: len(RELEASE_TABLES["missing_data"])]) == list(
        RELEASE_TABLES["missing_data"]
    )
    return table.set_index("method")


def test_missing_values_by_every_visit_and_by_imputation(make_trial):
    values = draw(1.0)
    gone = {"P01": "not_collected", "P04": "below_depth", "P09": "withdrew"}
    trial = make_trial(tabulate(values, missing=gone))
    table = miss(trial)
    observed = np.where(np.isin(NAMES, list(gone)), np.nan, values["week6"])
    columns = np.column_stack([values["baseline"], values["week3"], observed])
    strata = STRATA["treatment"].to_numpy()
    clda = constrained_lda(columns, TREATED, strata=strata)
    assert table.loc["clda", "estimate"] == pytest.approx(clda.estimate[-1])
    assert table.loc["clda", "p_value"] == pytest.approx(clda.p_value[-1])
    options = trial.config.options.compare
    place = ("nexp_m", "blood", "week6", "rest", "exercise")
    known = multiple_imputation(
        observed,
        TREATED,
        baseline=values["baseline"],
        strata=strata,
        auxiliary=values["week3"][:, None],
        n_imputations=options.n_imputations,
        rng=generator("imputation", options.seed, *place),
    )
    assert table.loc["mi", "estimate"] == pytest.approx(known.estimate)
    assert table.loc["mi", "ci_high"] == pytest.approx(known.ci_high)
    assert set(table["n_missing"]) == {3}
    assert set(table["n_died"]) == {0}


def test_a_strong_difference_tips_at_a_shift_against_it_and_a_weak_one_at_none(make_trial):
    gone = {"P01": "withdrew", "P05": "withdrew", "P04": "withdrew"}
    strong = miss(make_trial(tabulate(draw(3.0), missing=gone)))
    assert strong.loc["mi", "p_value"] < 0.05
    assert strong.loc["tipping", "delta"] < 0
    weak = miss(make_trial(tabulate(draw(), missing=gone)))
    assert weak.loc["tipping", "delta"] == 0
    assert "no significant difference" in weak.loc["tipping", "reason_empty"]


@pytest.mark.parametrize("visit", ["week3", "week6"])
def test_the_registered_primary_is_analysed_at_its_visit_and_level(make_trial, visit):
    table = tabulate(draw(5.0), endpoint="flow:NK", tissue="")
    gone = table["patient_id"].isin(["P01", "P04"]) & (table["visit"] == visit)
    table["value_analysed"] = table["value_analysed"].mask(gone)
    trial = make_trial(table)
    registered = {"assay": "flow", "analyte": "NK", "unit": "1e9/l", "visit": visit}

    def tip(alpha):
        plan = AnalysisPlan(registered_primary={**registered, "alpha": alpha})
        config = trial.config.model_copy(update={"analysis_plan": plan})
        planned = replace(trial, config=config)
        assert set(vary(planned)["visit"]) == {visit}
        found = miss(planned)
        assert set(found["visit"]) == {visit}
        return found.loc["mi", "p_value"], found.loc["tipping", "delta"]

    p_value, delta = tip(0.05)
    assert p_value < 0.05
    assert delta != 0
    # at its own level: the tipping point has the imputations of the imputed row
    assert tip(p_value * 1.001)[1] != 0
    assert tip(p_value * 0.999)[1] == 0


def test_without_a_p_in_the_comparison_there_is_none_here(make_trial):
    # three treated patients and three of the reference have a value at week 6
    gone = dict.fromkeys(NAMES[6:], "withdrew")
    visits = {"baseline": 0, "week6": 42}
    values = {visit: of_visit for visit, of_visit in draw(3.0).items() if visit in visits}
    table = miss(make_trial(tabulate(values, missing=gone), visits=visits))
    assert np.isfinite(table.loc[["clda", "mi"], "estimate"]).all()
    assert table["p_value"].isna().all()
    assert table["delta"].isna().all()
    assert set(table["reason_empty"]) == {"fewer than 4 patients in an arm: estimate only"}


def test_the_dead_are_counted_and_not_imputed(make_trial):
    values = draw(1.0)
    table = miss(make_trial(tabulate(values, missing={"P01": "died"})))
    assert set(table["n_died"]) == {1}
    assert set(table["n_missing"]) == {0}
    assert table.loc["mi", "reason_empty"] == "nobody is without a value"
    assert np.isfinite(table.loc["clda", "estimate"])


def test_a_change_has_no_visits_to_hold_it_against(make_trial):
    values = {"week6": draw(1.0)["week6"]}
    trial = make_trial(tabulate(values, endpoint="n_called_m", missing={"P01": "withdrew"}))
    table = miss(trial)
    assert "no baseline" in table.loc["clda", "reason_empty"]
    assert np.isfinite(table.loc["mi", "estimate"])


def test_the_order_of_rows_changes_nothing(make_trial):
    table = tabulate(draw(1.0), missing={"P01": "withdrew"})
    trial, shuffled = make_trial(table), make_trial(table.sample(frac=1, random_state=3))
    pd.testing.assert_frame_equal(vary(shuffled), vary(trial))
    pd.testing.assert_frame_equal(miss(shuffled), miss(trial))


def test_the_plan_says_what_is_varied_and_analysed(make_trial):
    trial = make_trial(tabulate(draw(1.0), missing={"P01": "withdrew"}))
    plan = trial.config.analysis_plan.model_copy(
        update={"sensitivity": ("baseline",), "missing_data": ("mi",)}
    )
    trial = replace(trial, config=trial.config.model_copy(update={"analysis_plan": plan}))
    assert set(vary(trial)["setting"]) == {"as planned", "baseline"}
    assert list(miss(trial).index) == ["mi"]
