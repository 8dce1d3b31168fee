"""Endpoints: known answers, one row per reason, and nothing that is silently absent."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scipy.stats import hypergeom

from hiaim_sc.compare import locate_samples, measure_endpoints
from hiaim_sc.compare.endpoints import WITH_BLOOD, WITH_TUMOUR
from hiaim_sc.config import CompareOptions, Design
from hiaim_sc.names import COMPOSITION, FAMILIES, REASONS_MISSING, RELEASE_TABLES, STARTRAC

DESIGN = Design(
    arms=("control", "exercise"), visits={"baseline": 0, "week6": 42}, tissues=("blood", "tumor")
)
SMALL = CompareOptions(
    min_lymphocytes=10,
    min_cells=20,
    min_immune_cells=15,
    min_nk_and_t_cells=10,
    min_typed_cells=20,
    min_t_cells=10,
    min_depth=10,
    min_blood_depth=10,
    startrac_min_cells=10,
    called_draws=20,
    diversity_draws=20,
)
BLOOD = {"T": 60, "NK": 30, "B": 10, "myeloid": 900}
TUMOUR = {"T": 60, "NK": 40, "epithelial": 300}
CLONES = [20, 10, *[1] * 30]
# clonal endpoints of one sample alone
EXPANSION = [
    "nexp_m",
    "expfrac_m",
    "simpson",
    "clonality_m",
    "gini_m",
    "hill_0_m",
    "hill_1_m",
    "hill_2_m",
]


@pytest.fixture
def study(make_cells, make_expected, make_states, make_identity):
    """Two patients, blood and tumour at both visits, all measured."""

    def build(expected=None, *, cells=None, states=None, failed=(), measurements=None):
        table = make_expected(
            expected
            or [
                (patient, visit, tissue)
                for patient in ("P1", "P2")
                for visit in DESIGN.visits
                for tissue in DESIGN.tissues
            ]
        )
        samples = list(table.loc[table["status"] == "collected", "sample_id"])
        if cells is None:
            cells = {
                name: make_cells(f"L{name}", name, BLOOD if "blood" in name else TUMOUR, CLONES)
                for name in samples
                if (states or {}).get(name, "delivered") == "delivered"
            }
        pooled = pd.concat(cells.values(), ignore_index=True)
        return (
            pooled,
            table,
            make_states(samples, states),
            measurements,
            make_identity(failed),
        )

    return build


def measure(inputs, options=SMALL, design=DESIGN) -> pd.DataFrame:
    cells, expected, states, measurements, identity = inputs
    located = locate_samples(expected, states, identity)
    return measure_endpoints(cells, located, measurements, design=design, options=options)


def value(table: pd.DataFrame, endpoint: str, sample: str) -> pd.Series:
    found = table[(table["endpoint"] == endpoint) & (table["sample_id"] == sample)]
    assert len(found) == 1
    return found.iloc[0]


def test_fractions_are_counts_over_lymphocytes_in_blood_and_all_cells_in_tumour(study):
    table = measure(study())
    nk = value(table, "blood_nk_frac", "P1-week6-blood-rest")
    assert nk["value"] == 30 / 100
    assert nk["n_cells"] == 100
    assert nk["value_analysed"] == pytest.approx(np.log(30.5 / 70.5))
    assert value(table, "tum_T_frac", "P1-week6-tumor-rest")["value"] == 60 / 400
    assert value(table, "tum_NK_frac", "P1-week6-tumor-rest")["value"] == 40 / 400


def test_fractions_of_immune_cells_and_the_log_ratio_leave_tumour_cells_out(study):
    table = measure(study())
    sample = "P1-week6-tumor-rest"
    share = value(table, "tum_T_frac_cd45", sample)
    assert (share["value"], share["n_cells"]) == (60 / 100, 100)
    assert value(table, "tum_NK_frac_cd45", sample)["value"] == 40 / 100
    ratio = value(table, "tum_NK_T", sample)
    assert ratio["value"] == ratio["value_analysed"] == pytest.approx(np.log(40.5 / 60.5))
    assert (ratio["scale"], ratio["n_cells"]) == ("identity", 100)


def test_the_absolute_number_is_the_blood_count_times_the_fraction(study):
    cells, expected, *rest = study([("P1", "week6", "blood"), ("P2", "week6", "blood")])
    expected["wbc_1e9_per_l"], expected["lymphocyte_pct"] = [4.0, np.nan], 30.0
    table = measure((cells, expected, *rest))
    found = value(table, "blood_nk_abs", "P1-week6-blood-rest")
    assert found["value"] == pytest.approx(1.2 * 30 / 100)
    assert found["value_analysed"] == pytest.approx(np.log(1.2 * 30.5 / 101))
    assert (found["scale"], found["n_cells"], found["unit"]) == ("ln", 100, "1e9_per_l")
    assert value(table, "blood_nk_frac", "P1-week6-blood-rest")["unit"] == "fraction"
    assert pd.isna(value(table, "nexp_m", "P1-week6-blood-rest")["unit"])
    uncounted = value(table, "blood_nk_abs", "P2-week6-blood-rest")
    assert uncounted["reason_missing"] == "not_collected"
    assert np.isnan(uncounted["value"])
    assert value(table, "blood_nk_frac", "P2-week6-blood-rest")["value"] == 30 / 100


def test_expansion_is_the_hypergeometric_expectation_at_the_common_depth(
    study, make_cells, make_expected
):
    deep = [40, 10, *[1] * 10]
    cells = {
        "P1-baseline-blood-rest": make_cells("L1", "P1-baseline-blood-rest", BLOOD, CLONES[:22]),
        "P2-baseline-blood-rest": make_cells("L2", "P2-baseline-blood-rest", BLOOD, deep),
    }
    table = measure(study([("P1", "baseline", "blood"), ("P2", "baseline", "blood")], cells=cells))
    # sizes 50 and 60: the 10 % quantile is 51, and the smaller is below it
    row = value(table, "nexp_m", "P2-baseline-blood-rest")
    chance = [1 - hypergeom.cdf(1, 60, size, 51) for size in deep]
    assert row["depth"] == 51
    assert row["value"] == pytest.approx(sum(chance))
    assert row["value_analysed"] == pytest.approx(np.log(sum(chance) + 0.5))
    in_expanded = sum(
        k * hypergeom.pmf(k, 60, size, 51) for size in deep for k in range(2, size + 1)
    )
    share = value(table, "expfrac_m", "P2-baseline-blood-rest")
    assert share["value"] == pytest.approx(in_expanded / 51)
    assert value(table, "nexp_m", "P1-baseline-blood-rest")["reason_missing"] == "below_depth"


def test_a_fixed_depth_does_not_move_with_the_samples(study):
    fixed = SMALL.model_copy(update={"depth": {"blood": 35}})
    for patients in (["P1"], ["P1", "P2"]):
        table = measure(study([(p, "week6", t) for p in patients for t in DESIGN.tissues]), fixed)
        depth = table[table["endpoint"] == "nexp_m"].groupby("tissue")["depth"].unique()
        assert list(depth["blood"]) == [35]
        assert list(depth["tumor"]) == [60]


def test_called_clones_at_full_depth_are_those_the_test_calls(study, make_cells):
    before, after = "P1-baseline-blood-rest", "P1-week6-blood-rest"
    cells = {
        before: make_cells("L1", before, BLOOD, [1, 10, *[1] * 29]),
        after: make_cells("L2", after, BLOOD, [20, 10, *[1] * 10]),
    }
    pairs = [("P1", "baseline", "blood"), ("P1", "week6", "blood")]
    options = SMALL.model_copy(update={"min_depth": 40})
    table = measure(study(pairs, cells=cells), options)
    # at a depth of all 40 cells a subsample is the sample: clone 0 grows from 1 to 20, alone
    row = value(table, "n_called_m", after)
    assert (row["depth"], row["value"]) == (40, 1.0)
    assert row["value_analysed"] == pytest.approx(np.log(1.5))
    assert set(table.loc[table["endpoint"] == "n_called_m", "visit"]) == {"week6"}


def test_called_clones_compare_visits_of_one_phase_only(study):
    rows = [
        ("P1", "baseline", "blood"),
        ("P1", "week6", "blood"),
        ("P1", "week6", "blood", "collected", "post_bout"),
    ]
    table = measure(study(rows))
    assert value(table, "n_called_m", "P1-week6-blood-rest")["reason_missing"] == ""
    row = value(table, "n_called_m", "P1-week6-blood-post_bout")
    assert row["reason_missing"] == "not_collected"


def test_dual_expansion_at_full_depth_is_a_count(study, make_cells):
    tumour, blood = "P1-baseline-tumor-rest", "P1-baseline-blood-rest"
    cells = {
        tumour: make_cells("L1", tumour, TUMOUR, [10, 10, *[1] * 20]),
        blood: make_cells("L2", blood, BLOOD, [5, 1, 34]),
    }
    pairs = [("P1", "baseline", "tumor"), ("P1", "baseline", "blood")]
    table = measure(study(pairs, cells=cells), SMALL.model_copy(update={"min_depth": 40}))
    # clone 0 has two cells or more in both, clone 2 only in blood
    assert value(table, "blood_tumour_dual", tumour)["value"] == 10 / 40


SAMPLE = "P1-week6-blood-rest"


@pytest.mark.parametrize(
    ("reason", "endpoints"),
    [(status, "all") for status in REASONS_MISSING[:1] + REASONS_MISSING[2:6]]
    + [
        ("not_yet_sequenced", "all"),
        ("failed_qc", "all"),
        ("swap_unresolved", "all"),
        ("no_vdj", "clonal"),
        ("below_depth", "clonal"),
        ("below_cell_min", "blood_nk_frac"),
    ],
)
def test_each_reason(study, make_cells, reason, endpoints):
    rows = [
        (p, v, t, reason if (p, v, t) == ("P1", "week6", "blood") else "collected")
        if reason in REASONS_MISSING[:1] + REASONS_MISSING[2:6]
        else (p, v, t)
        for p in ("P1", "P2")
        for v in DESIGN.visits
        for t in DESIGN.tissues
    ]
    state = {"not_yet_sequenced": "expected", "failed_qc": "quarantined"}.get(reason)
    inputs = study(
        rows,
        states={SAMPLE: state} if state else None,
        failed=[SAMPLE] if reason == "swap_unresolved" else (),
    )
    other = {
        "no_vdj": make_cells(f"L{SAMPLE}", SAMPLE, BLOOD, vdj=False),
        "below_depth": make_cells(f"L{SAMPLE}", SAMPLE, BLOOD, [2, 2]),
        "below_cell_min": make_cells(f"L{SAMPLE}", SAMPLE, {"NK": 5}),
    }.get(reason)
    if other is not None:
        rest = inputs[0][inputs[0]["sample_id"] != SAMPLE]
        inputs = (pd.concat([rest, other], ignore_index=True), *inputs[1:])
    table = measure(inputs)
    here = table[table["sample_id"] == SAMPLE].set_index("endpoint")["reason_missing"]
    named = {"all": list(here.index), "clonal": ["nexp_m", "expfrac_m", "n_called_m"]}
    assert (here[named.get(endpoints, [endpoints])] == reason).all()
    if endpoints == "clonal":
        assert here["blood_nk_frac"] == ""
    others = table[
        (table["sample_id"] != SAMPLE) & ~table["endpoint"].isin(WITH_BLOOD | WITH_TUMOUR)
    ]
    assert (others["reason_missing"] == "").all()


@pytest.mark.parametrize(
    ("check", "verdict", "reason"),
    [
        ("swap", "fail", "swap_unresolved"),
        ("sex", "fail", "swap_unresolved"),
        ("sex", "warn", ""),
        ("contamination", "warn", ""),
        ("join_rate", "fail", ""),
    ],
)
def test_only_a_failed_swap_or_sex_check_takes_the_value(study, check, verdict, reason):
    *rest, identity = study(failed=[SAMPLE])
    table = measure((*rest, identity.assign(check=check, verdict=verdict)))
    assert value(table, "blood_nk_frac", SAMPLE)["reason_missing"] == reason


def test_a_partner_without_value_gives_its_reason_to_the_pair(study):
    table = measure(study(failed=["P1-baseline-blood-rest"]))
    assert value(table, "n_called_m", SAMPLE)["reason_missing"] == "swap_unresolved"
    dual = value(table, "blood_tumour_dual", "P1-baseline-tumor-rest")
    assert dual["reason_missing"] == "swap_unresolved"


@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
@given(
    st.lists(
        st.sampled_from(["ok", "died", "lesion_unsafe", "expected", "quarantined", "swap", "few"]),
        min_size=8,
        max_size=8,
    )
)
def test_every_expected_sample_has_a_value_or_one_reason(study, make_cells, fates):
    places = [(p, v, t) for p in ("P1", "P2") for v in DESIGN.visits for t in DESIGN.tissues]
    names = {f"{p}-{v}-{t}-rest": fate for (p, v, t), fate in zip(places, fates, strict=True)}
    rows = [
        (*place, fate if fate in REASONS_MISSING else "collected")
        for place, fate in zip(places, fates, strict=True)
    ]
    inputs = study(
        rows,
        cells={"": make_cells("L", "P1", {"T": 1}).iloc[:0]}
        | {
            name: make_cells(f"L{name}", name, BLOOD, CLONES if fate != "few" else [3])
            for name, fate in names.items()
            if fate in ("ok", "swap", "few")
        },
        states={n: fate for n, fate in names.items() if fate in ("expected", "quarantined")},
        failed=[name for name, fate in names.items() if fate == "swap"],
    )
    table = measure(inputs)
    assert not table.duplicated(
        ["patient_id", "tissue", "visit", "session_phase", "endpoint"]
    ).any()
    assert table["endpoint"].value_counts().to_dict() == {
        "blood_nk_frac": 4,
        "blood_nk_abs": 4,
        "tum_T_frac": 4,
        "tum_NK_frac": 4,
        "tum_T_frac_cd45": 4,
        "tum_NK_frac_cd45": 4,
        "tum_NK_T": 4,
        **{f"comp_{name}": 8 for name in COMPOSITION["blood"]},
        **{f"comp_{name}": 4 for name in ("plasma", "epithelial", "stroma")},
        **dict.fromkeys(EXPANSION, 8),
        **dict.fromkeys(("n_called_m", "called_frac_m", "gain_m", "turnover"), 4),
        **dict.fromkeys(("blood_tumour_dual", "share_bt", "overlap_bt", "ctm_frac"), 4),
        "novel_tum": 2,
        **dict.fromkeys(STARTRAC, 4),
        **dict.fromkeys(FAMILIES["nuisances"], 8),
    }
    has_value = table["value"].notna()
    assert (table["value_analysed"].notna() == has_value).all()
    assert (table.loc[has_value, "reason_missing"] == "").all()
    assert table.loc[~has_value, "reason_missing"].isin(REASONS_MISSING).all()


def test_libraries_of_one_sample_are_pooled(study, make_cells):
    one = "P1-baseline-blood-rest"
    half = {"T": 30, "NK": 15, "B": 5}
    parts = {k: make_cells(k, one, half, [10, 5, *[1] * 15]) for k in ("L1", "L2")}
    table = measure(study([("P1", "baseline", "blood")], cells=parts))
    assert value(table, "blood_nk_frac", one)["n_cells"] == 100
    assert value(table, "nexp_m", one)["n_cells"] == 60


def test_one_library_that_is_delivered_is_enough(study):
    cells, expected, states, *rest = study([("P1", "baseline", "blood")])
    second = states.assign(library_id="L9", state="quarantined")
    table = measure((cells, expected, pd.concat([states, second]), *rest))
    assert (table["reason_missing"] == "").all()


def test_cells_that_fail_qc_do_not_count(study):
    cells, *rest = study([("P1", "baseline", "blood")])
    cells["qc_pass"] = cells["cell_type_coarse"] != "NK"
    table = measure((cells, *rest))
    assert value(table, "blood_nk_frac", "P1-baseline-blood-rest")["value"] == 0


def test_invariant_t_cells_are_no_clones(study):
    cells, *rest = study([("P1", "baseline", "blood")])
    cells.loc[cells["clone_key"] == "P1:000", "invariant"] = "MAIT"
    assert value(measure((cells, *rest)), "nexp_m", "P1-baseline-blood-rest")["n_cells"] == 40


def test_tissues_of_another_design_have_the_endpoints_of_any_tissue(study, make_cells):
    design = Design(arms=("a", "b"), visits={"icu": 0}, tissues=("lung",))
    cells = {"s": make_cells("L", "P1-icu-lung-rest", TUMOUR, CLONES)}
    table = measure(study([("P1", "icu", "lung")], cells=cells), design=design)
    assert set(table["endpoint"]) == {*EXPANSION, *FAMILIES["nuisances"]}
    assert table["value"].notna().all()


def test_receptors_without_gex_count_for_clones_of_all_t_cells_and_for_no_fraction(
    study, make_cells
):
    one = "P1-baseline-blood-rest"
    cells = {"s": make_cells("L", one, {"T": 60}, CLONES, gex=False)}
    table = measure(study([("P1", "baseline", "blood")], cells=cells))
    assert value(table, "nexp_m", one)["population"] == "T"
    assert value(table, "nexp_m", one)["n_cells"] == 60
    assert value(table, "blood_nk_frac", one)["reason_missing"] == "below_cell_min"


def measurements() -> pd.DataFrame:
    rows = [
        ("P1", "baseline", "flow", "NK", 100.0, "rest"),
        ("P1", "week6", "flow", "NK", 200.0, None),
        ("P1", "week6", "flow", "NK", 400.0, None),
        ("P2", "baseline", "flow", "NK", 50.0, "rest"),
        ("P1", "baseline", "qol", "change", -3.0, "rest"),
        ("P1", "week6", "flow", "NK", 900.0, "post_bout"),
    ]
    columns = ["patient_id", "visit", "assay", "analyte", "value", "session_phase"]
    return pd.DataFrame(rows, columns=columns).assign(unit="u")


def test_measurements_are_endpoints_without_tissue(study):
    table = measure(study(measurements=measurements()))
    nk = table[(table["endpoint"] == "flow:NK") & (table["session_phase"] == "rest")]
    assert nk["value"].tolist()[:3] == [100, 300, 50]
    assert nk["value_analysed"].tolist()[1] == pytest.approx(np.log(300))
    assert nk["reason_missing"].tolist() == ["", "", "", "not_collected"]
    assert (nk["tissue"] == "").all()
    change = table[table["endpoint"] == "qol:change"]
    assert change["scale"].tolist() == ["identity", "identity"]
    assert change["value_analysed"].tolist()[0] == -3
    after = table[(table["endpoint"] == "flow:NK") & (table["session_phase"] == "post_bout")]
    assert after["patient_id"].tolist() == ["P1"]


def test_one_value_that_is_not_positive_keeps_an_analyte_off_the_logarithm(study):
    values = measurements()
    values.loc[values["visit"] == "week6", "value"] = 0.0
    table = measure(study(measurements=values))
    nk = table[(table["endpoint"] == "flow:NK") & table["value"].notna()]
    assert set(nk["scale"]) == {"identity"}
    pd.testing.assert_series_equal(nk["value_analysed"], nk["value"], check_names=False)


def test_a_patient_who_died_has_no_measurement_for_that_reason(study):
    rows = [("P1", "baseline", "blood"), ("P2", "baseline", "blood"), ("P1", "week6", "blood")]
    inputs = study([*rows, ("P2", "week6", "blood", "died")], measurements=measurements())
    table = measure(inputs)
    gone = table[(table["patient_id"] == "P2") & (table["visit"] == "week6")]
    assert set(gone["endpoint"]) >= {"flow:NK", "nexp_m"}
    assert (gone["reason_missing"] == "died").all()


def test_the_order_of_rows_changes_nothing(study):
    inputs = study(measurements=measurements())
    shuffled = [None if t is None else t.sample(frac=1, random_state=3) for t in inputs]
    pd.testing.assert_frame_equal(measure(shuffled), measure(inputs))


def test_a_mean_has_the_same_last_bit_whatever_the_order_of_the_rows(study):
    values = np.random.default_rng(0).lognormal(3, 3, size=(40, 9))
    repeated = pd.DataFrame({"analyte": np.repeat(np.arange(40), 9).astype(str)})
    repeated = repeated.assign(
        value=values.ravel(),
        patient_id="P1",
        visit="baseline",
        assay="flow",
        unit="u",
        session_phase="rest",
    )
    found = measure(study(measurements=repeated))
    pd.testing.assert_frame_equal(
        measure(study(measurements=repeated[::-1])), found, rtol=0, atol=0
    )


def test_the_columns_of_the_release_come_first(study):
    table = measure(study())
    assert list(table)[: len(RELEASE_TABLES["endpoints"])] == list(RELEASE_TABLES["endpoints"])
