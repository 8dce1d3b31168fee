"""Arm against arm: estimates, tests, reasons, families."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.compare import Trial, compare_arms, draw_blinded_arms
from hiaim_sc.compare.contrasts import Place
from hiaim_sc.compare.families import find_family
from hiaim_sc.config import AnalysisPlan
from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.stats import ancova, benjamini_hochberg, rerandomisation_test

PLACE = {"tissue": "blood", "session_phase": "rest", "scale": "logit"}


def endpoint_rows(name, visit, values, **place) -> pd.DataFrame:
    """One endpoint at one visit, by patient."""
    return pd.DataFrame(
        {
            "endpoint": name,
            "visit": visit,
            **PLACE,
            **place,
            "patient_id": list(values),
            "value_analysed": list(values.values()),
        }
    )


class Cohort:
    """Patients in two arms and two strata, one endpoint at two visits, all in one batch."""

    def __init__(self, n=12, *, shift=0.0, seed=1, arms=("control", "exercise")):
        rng = np.random.default_rng(seed)
        self.names = [f"P{i:02d}" for i in range(n)]
        self.arms = pd.Series([arms[i % len(arms)] for i in range(n)], index=self.names)
        stratum = ["s" if i < n // 2 else "t" for i in range(n)]
        self.strata = pd.DataFrame({"treatment": stratum}, index=self.names)
        self.before = dict(zip(self.names, rng.normal(size=n), strict=True))
        self.after = {
            name: self.before[name] * 0.5 + rng.normal() + shift * (self.arms[name] == "exercise")
            for name in self.names
        }
        self.layout = pd.DataFrame(
            [(name, visit) for name in self.names for visit in ("baseline", "week6")],
            columns=["patient_id", "visit"],
        ).assign(tissue="blood", session_phase="rest", batch="B1")

    def endpoints(self, name="nexp_m"):
        both = [(name, "baseline", self.before), (name, "week6", self.after)]
        return pd.concat([endpoint_rows(*one) for one in both], ignore_index=True)

    def compare(self, config, endpoints=None, arms=None, layout=None) -> pd.DataFrame:
        trial = Trial(
            self.endpoints() if endpoints is None else endpoints,
            self.arms if arms is None else arms,
            self.strata,
            config,
            self.layout if layout is None else layout,
        )
        return compare_arms(trial, blinded=False)

    def arrays(self):
        after = np.array(list(self.after.values()))
        before = np.array(list(self.before.values()))
        treated = (self.arms == "exercise").to_numpy()
        strata = self.strata["treatment"].to_numpy() if len(self.strata.columns) else None
        return after, treated, before, strata


@pytest.fixture
def config(make_config):
    return make_config(strata=("treatment",))


def test_the_estimate_is_that_of_the_ancova_and_p_that_of_the_randomisation(config):
    cohort = Cohort()
    row = cohort.compare(config).iloc[0]
    after, treated, before, strata = cohort.arrays()
    fit = ancova(after, treated, baseline=before, strata=strata)
    test = rerandomisation_test(
        after, treated, baseline=before, strata=strata, rng=np.random.default_rng(0)
    )
    assert test.exact
    for name in ("estimate", "se", "ci_low", "ci_high", "n_reference", "n_treated", "df"):
        assert row[name] == pytest.approx(getattr(fit, name))
    assert row["p_t"] == pytest.approx(fit.p_value)
    assert row["p_perm"] == pytest.approx(test.p_value)
    assert row["method"] == "ANCOVA on baseline and treatment; stratified re-randomisation, exact"
    assert (row["contrast"], row["visit"]) == ("exercise - control", "week6")


def test_hedges_g_has_the_sign_of_the_adjusted_estimate(config):
    cohort = Cohort()
    # the treated start far below and gain more: lower at the visit, higher once adjusted
    for name, arm in cohort.arms.items():
        is_treated = arm == "exercise"
        cohort.before[name] -= 6 * is_treated
        cohort.after[name] = cohort.before[name] + 0.1 * cohort.after[name] + 2 * is_treated
    row = cohort.compare(config).iloc[0]
    after, treated, *_ = cohort.arrays()
    assert after[treated].mean() < after[~treated].mean()
    spread = np.sqrt((after[treated].var(ddof=1) + after[~treated].var(ddof=1)) / 2)
    # 1 - 3 / (4 nu - 1) is Hedges' approximation of his correction
    assert row["effect_g"] == pytest.approx((1 - 3 / 39) * row["estimate"] / spread, rel=2e-3)
    assert row["effect_g"] > 0


def test_a_planted_shift_is_recovered(config):
    cohort = Cohort(60, shift=3.0)
    row = cohort.compare(config).iloc[0]
    assert row["ci_low"] < 3 < row["ci_high"]
    assert abs(row["estimate"] - 3) < 1
    assert row["p_perm"] == 1 / 200
    assert "199 draws" in row["method"]


@pytest.mark.parametrize("n", [12, 40])
def test_swapped_arms_flip_the_sign_and_nothing_else(config, n):
    cohort = Cohort(n, shift=0.7)
    row = cohort.compare(config).iloc[0]
    swapped = cohort.arms.map({"control": "exercise", "exercise": "control"})
    flipped = cohort.compare(config, arms=swapped).iloc[0]
    assert flipped["estimate"] == -row["estimate"]
    assert flipped["effect_g"] == -row["effect_g"]
    assert (flipped["ci_low"], flipped["ci_high"]) == (-row["ci_high"], -row["ci_low"])
    assert flipped["p_perm"] == row["p_perm"]
    design = config.design.model_copy(update={"arms": ("exercise", "control")})
    reversed_ = cohort.compare(config.model_copy(update={"design": design})).iloc[0]
    assert reversed_["estimate"] == -row["estimate"]
    assert reversed_["p_perm"] == row["p_perm"]


def test_null_p_values_are_super_uniform(config):
    p = np.array([Cohort(8, seed=seed).compare(config)["p_perm"].iloc[0] for seed in range(100)])
    for level in (0.1, 0.25, 0.5):
        assert (p <= level).mean() <= level + 3 * np.sqrt(level * (1 - level) / len(p))
    assert (p <= 0.5).mean() > 0.3


def test_shuffled_rows_change_nothing(config):
    cohort = Cohort(30)
    endpoints = pd.concat([cohort.endpoints(), cohort.endpoints("expfrac_m")])
    table = cohort.compare(config, endpoints)
    shuffled = Cohort(30)
    shuffled.strata = shuffled.strata.sample(frac=1, random_state=1)
    again = shuffled.compare(
        config,
        endpoints.sample(frac=1, random_state=2),
        cohort.arms.sample(frac=1, random_state=3),
        cohort.layout.sample(frac=1, random_state=4),
    )
    pd.testing.assert_frame_equal(again, table)


def test_changes_are_not_adjusted_for_a_baseline(config):
    cohort = Cohort()
    row = cohort.compare(config, cohort.endpoints("n_called_m")).iloc[0]
    after, treated, _, strata = cohort.arrays()
    assert row["estimate"] == pytest.approx(ancova(after, treated, strata=strata).estimate)
    assert row["method"].startswith("ANCOVA on treatment;")


def test_one_visit_compares_means(make_config):
    cohort = Cohort()
    config = make_config(visits={"icu": 0})
    endpoints = endpoint_rows("nexp_m", "icu", cohort.after)
    cohort.strata = cohort.strata[[]]
    row = cohort.compare(config, endpoints).iloc[0]
    after, treated, *_ = cohort.arrays()
    assert row["estimate"] == pytest.approx(after[treated].mean() - after[~treated].mean())
    assert row["method"].startswith("difference of means;")


def test_each_arm_of_three_is_held_against_the_reference(make_config):
    arms = ("control", "walk", "exercise")
    config = make_config(arms=arms)
    cohort = Cohort(18, arms=arms)
    cohort.strata = cohort.strata[[]]
    table = cohort.compare(config).set_index("contrast")
    assert set(table.index) == {"walk - control", "exercise - control"}
    after, _, before, _ = cohort.arrays()
    two = cohort.arms.isin(["control", "walk"]).to_numpy()
    fit = ancova(after[two], (cohort.arms == "walk")[two], baseline=before[two])
    assert table.loc["walk - control", "estimate"] == pytest.approx(fit.estimate)


def test_patients_without_arm_are_left_out(config):
    cohort = Cohort()
    row = cohort.compare(config, arms=cohort.arms.iloc[:-2]).iloc[0]
    assert row["n_reference"] + row["n_treated"] == 10


def test_a_missing_baseline_keeps_the_patient(config):
    cohort = Cohort()
    del cohort.before["P00"]
    row = cohort.compare(config).iloc[0]
    assert row["n_reference"] + row["n_treated"] == 12


def test_a_stratum_of_one_patient_is_no_obstacle(config):
    cohort = Cohort()
    cohort.strata.loc["P11", "treatment"] = "alone"
    row = cohort.compare(config).iloc[0]
    assert row["reason_empty"] == ""
    assert 0 < row["p_perm"] <= 1


@pytest.mark.parametrize(
    ("n", "values", "reason", "has_estimate"),
    [
        (6, None, "fewer than 4 patients in an arm: estimate only", True),
        (2, None, "fewer than 3 patients with a value", False),
        (1, None, "no patient with a value in arm exercise", False),
        (0, None, "no patient with a value", False),
        (12, 1.5, "all patients have the same value", False),
    ],
)
def test_reasons_for_no_p(config, n, values, reason, has_estimate):
    cohort = Cohort()
    endpoints = cohort.endpoints()
    is_after = endpoints["visit"] == "week6"
    endpoints.loc[is_after & (endpoints["patient_id"] >= f"P{n:02d}"), "value_analysed"] = np.nan
    if values is not None:
        endpoints.loc[is_after, "value_analysed"] = values
    row = cohort.compare(config, endpoints).iloc[0]
    assert row["reason_empty"] == reason
    assert np.isfinite(row["estimate"]) == has_estimate
    assert pd.isna(row["p_perm"])
    assert pd.isna(row["p_t"])
    assert pd.isna(row["p_adj"])


@pytest.mark.parametrize(("n_treated", "has_p"), [(3, False), (4, True), (8, True), (9, False)])
def test_the_smaller_arm_decides_whether_there_is_a_p(make_config, n_treated, has_p):
    cohort = Cohort()
    cohort.strata = cohort.strata[[]]
    treated = ["exercise"] * n_treated + ["control"] * (12 - n_treated)
    row = cohort.compare(make_config(), arms=pd.Series(treated, index=cohort.names)).iloc[0]
    assert (row["n_treated"], row["n_reference"]) == (n_treated, 12 - n_treated)
    assert np.isfinite(row["estimate"])
    assert np.isfinite(row["p_perm"]) == has_p


def test_arm_within_strata_is_explained(config):
    cohort = Cohort()
    cohort.strata["treatment"] = cohort.arms
    row = cohort.compare(config).iloc[0]
    assert row["reason_empty"] == "the strata or the baseline explain the arm"
    assert pd.isna(row["estimate"])


def test_values_that_the_covariates_explain_have_no_p(config):
    cohort = Cohort()
    cohort.after = cohort.before
    row = cohort.compare(config).iloc[0]
    assert row["reason_empty"] == "the strata and the baseline explain all values: estimate only"


def batches(cohort: Cohort, rule) -> pd.DataFrame:
    labels = [rule(row.patient_id, row.visit) for row in cohort.layout.itertuples()]
    return cohort.layout.assign(batch=labels)


@pytest.mark.parametrize(
    ("rule", "reason"),
    [
        (lambda patient, visit: f"b{int(patient[1:]) % 2}", "batch aliased with arm: b1"),
        (lambda patient, visit: visit, "batch aliased with visit: week6"),
        (
            lambda patient, visit: f"b{int(patient[1:]) % 2}{visit}",
            "batch aliased with arm and visit: b0week6, b1week6",
        ),
        (lambda patient, visit: f"b{int(patient[1:]) % 3}", ""),
    ],
)
def test_batches_that_cannot_be_told_from_a_contrast_empty_it(config, rule, reason):
    cohort = Cohort()
    row = cohort.compare(config, layout=batches(cohort, rule)).iloc[0]
    assert row["reason_empty"] == reason
    assert pd.isna(row["estimate"]) == bool(reason)


def test_aliasing_is_of_the_contrast_and_the_tissue_alone(make_config):
    arms = ("control", "walk", "exercise")
    cohort = Cohort(18, arms=arms)
    cohort.strata = cohort.strata[[]]
    # walk has a batch of its own; control and exercise share two
    layout = batches(cohort, lambda p, v: "w" if int(p[1:]) % 3 == 1 else f"b{int(p[1:]) // 3 % 2}")
    elsewhere = layout.assign(tissue="tumor", batch=layout["visit"])
    table = cohort.compare(make_config(arms=arms), layout=pd.concat([layout, elsewhere]))
    reasons = table.set_index("contrast")["reason_empty"].to_dict()
    assert reasons == {
        "walk - control": "batch aliased with arm: w",
        "exercise - control": "",
    }


def test_batches_of_another_phase_are_of_no_concern(config):
    cohort = Cohort()
    layout = batches(cohort, lambda patient, visit: f"b{int(patient[1:]) // 2 % 2}")
    # spread at rest; after the bout each arm has a batch of its own
    bout = batches(cohort, lambda patient, visit: f"x{int(patient[1:]) % 2}")
    both = pd.concat([layout, bout.assign(session_phase="post_bout")])
    rest = cohort.endpoints()
    table = cohort.compare(
        config, pd.concat([rest, rest.assign(session_phase="post_bout")]), layout=both
    )
    reasons = table.set_index("session_phase")["reason_empty"].to_dict()
    assert reasons == {"rest": "", "post_bout": "batch aliased with arm: x1"}


def test_a_tumour_endpoint_made_with_blood_minds_the_batches_of_blood(config):
    cohort = Cohort()
    both = [("baseline", cohort.before), ("week6", cohort.after)]
    endpoints = pd.concat(
        [endpoint_rows("blood_tumour_dual", v, found, tissue="tumor") for v, found in both]
    )
    layout = batches(cohort, lambda patient, visit: visit)
    row = cohort.compare(config, endpoints, layout=layout).iloc[0]
    assert row["reason_empty"] == "batch aliased with visit: week6"


def nearly_the_arm(cohort: Cohort) -> pd.DataFrame:
    """All but one patient of each arm in a batch of their own at week 6, balanced before."""

    def rule(patient: str, visit: str) -> str:
        number = int(patient[1:])
        return f"b{number // 2 % 2 if visit == 'baseline' else number % 2 ^ (number < 2)}"

    return batches(cohort, rule)


def test_batches_that_nearly_follow_the_arms_inflate_the_variance(config):
    cohort = Cohort(24)
    row = cohort.compare(config, layout=nearly_the_arm(cohort)).iloc[0]
    _, treated, before, strata = cohort.arrays()
    own = treated ^ (np.arange(24) < 2)
    without = np.column_stack([treated, np.ones(24), strata == "s", before]).astype(float)
    variances = [np.linalg.inv(X.T @ X)[0, 0] for X in (np.column_stack([without, own]), without)]
    assert row["reason_empty"] == ""
    assert row["batch_inflation"] == pytest.approx(variances[0] / variances[1])
    assert row["batch_inflation"] > 3
    assert cohort.compare(config).iloc[0]["batch_inflation"] == pytest.approx(1)


def test_batches_of_the_baseline_count_where_it_is_adjusted_for(config, make_config):
    cohort = Cohort(24)
    layout = nearly_the_arm(cohort)
    swapped = layout.assign(visit=layout["visit"].map({"baseline": "week6", "week6": "baseline"}))
    rows = cohort.endpoints()
    assert cohort.compare(config, layout=swapped).iloc[0]["batch_inflation"] > 3
    alone = cohort.compare(config, rows[rows["visit"] == "week6"], layout=swapped)
    assert alone.iloc[0]["batch_inflation"] == pytest.approx(1)


def test_what_no_library_makes_and_what_is_not_estimated_have_no_inflation(config):
    cohort = Cohort(24)
    measured = cohort.endpoints("flow:NK").assign(tissue="")
    assert pd.isna(cohort.compare(config, measured).iloc[0]["batch_inflation"])
    aliased = batches(cohort, lambda patient, visit: f"b{int(patient[1:]) % 2}")
    assert pd.isna(cohort.compare(config, layout=aliased).iloc[0]["batch_inflation"])


def test_the_inflation_of_random_labels_is_their_own(config):
    cohort = Cohort(24)
    layout = nearly_the_arm(cohort)
    real = cohort.compare(config, layout=layout).iloc[0]["batch_inflation"]
    drawn = draw_blinded_arms(cohort.strata, config.design, rng=np.random.default_rng(1))
    trial = Trial(cohort.endpoints(), drawn, cohort.strata, config, layout)
    row = compare_arms(trial, blinded=True).iloc[0]
    assert row["blinded"]
    assert 1 <= row["batch_inflation"] < 2 < real


def test_missing_values_are_tested_against_the_arm(config):
    cohort = Cohort(n=16)
    table = cohort.endpoints()
    is_gone = table["patient_id"].isin([f"P{i:02d}" for i in (1, 3, 5, 7, 9)])
    is_gone &= table["visit"] == "week6"
    row = cohort.compare(
        config, table.assign(value_analysed=table["value_analysed"].mask(is_gone))
    ).iloc[0]
    assert (row["n_treated"], row["n_reference"]) == (3, 8)
    # 5 of 8 and 0 of 8 are missing: 2 C(8, 5) / C(16, 5) of the tables are as extreme
    assert row["p_missing"] == pytest.approx(2 * 56 / 4368)
    assert cohort.compare(config).iloc[0]["p_missing"] == 1.0


def test_p_is_adjusted_within_the_family(config):
    cohort, other = Cohort(), Cohort(seed=2)
    parts = [
        cohort.endpoints("nexp_m"),
        other.endpoints("expfrac_m"),
        Cohort(seed=3).endpoints("blood_nk_frac"),
        Cohort(seed=4).endpoints("flow:NK").assign(tissue=""),
        Cohort(seed=5).endpoints("new"),
    ]
    config = config.model_copy(update={"analysis_plan": AnalysisPlan(primary=())})
    table = cohort.compare(config, pd.concat(parts)).set_index("endpoint")
    assert table["family"].to_dict() == {
        "nexp_m": "blood_clonal",
        "expfrac_m": "blood_clonal",
        "blood_nk_frac": "blood_composition",
        "flow:NK": "measurements:flow",
        "new": "blood_other",
    }
    clonal = table.loc[table["family"] == "blood_clonal"]
    np.testing.assert_allclose(clonal["p_adj"], benjamini_hochberg(clonal["p_perm"].to_numpy()))
    alone = table.loc[["blood_nk_frac", "flow:NK", "new"]]
    np.testing.assert_array_equal(alone["p_adj"], alone["p_perm"])


def test_a_family_of_the_plan_may_be_of_any_tissue_and_hold_measurements(make_config):
    config = make_config(tissues=("blood", "tumor", "lung"))
    plan = AnalysisPlan(families={"lung_clonal": ("nexp_m",), "key": ("nexp_m", "flow:NK")})
    config = config.model_copy(update={"analysis_plan": plan})
    families = {
        ("nexp_m", "lung"): "lung_clonal",
        ("nexp_m", "tumor"): "key",
        ("flow:NK", ""): "key",
        ("expfrac_m", "tumor"): "tumour_other",
    }
    visit = config.design.follow_ups[0]
    for (endpoint, tissue), family in families.items():
        assert find_family(Place(endpoint, tissue, visit, "rest"), config).name == family


@pytest.mark.parametrize("blinded", [True, False])
def test_every_row_says_whether_the_arms_are_real(config, blinded):
    cohort = Cohort()
    trial = Trial(cohort.endpoints(), cohort.arms, cohort.strata, config, cohort.layout)
    table = compare_arms(trial, blinded=blinded)
    assert table["blinded"].tolist() == [blinded]
    assert table["prespecified"].tolist() == [False]


def test_no_endpoints_give_the_header(config):
    cohort = Cohort()
    table = cohort.compare(config, cohort.endpoints().iloc[:0])
    assert table.empty
    assert list(table) == list(RELEASE_TABLES["comparisons"])
