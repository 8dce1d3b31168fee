"""Bland-Altman and correlates of change, against a second computation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr

from hiaim_sc.compare.agreement import measure_agreement
from hiaim_sc.config import AnalysisPlan

NAMES = [f"P{i:02d}" for i in range(12)]
RNG = np.random.default_rng(5)
SEQUENCED = {v: RNG.uniform(0.05, 0.3, 12) for v in ("baseline", "week6")}
CYTOMETRY = {v: 100 * x * np.exp(RNG.normal(0, 0.1, 12)) for v, x in SEQUENCED.items()}
FITNESS = {v: RNG.normal(25, 4, 12) for v in SEQUENCED}


def rows(endpoint, values, *, tissue="", unit=None, scale=np.log) -> pd.DataFrame:
    parts = [
        pd.DataFrame(
            {"patient_id": NAMES, "visit": v, "value": x, "value_analysed": scale(x)}
        ).assign(endpoint=endpoint, tissue=tissue, session_phase="rest", unit=unit)
        for v, x in values.items()
    ]
    return pd.concat(parts, ignore_index=True)


def logit(p):
    return np.log(p / (1 - p))


def _with_pair(config, endpoint):
    plan = AnalysisPlan(agreement=((endpoint, "flow_cytometry:NK"),), responses=())
    return config.model_copy(update={"analysis_plan": plan})


@pytest.fixture
def endpoints():
    return pd.concat(
        [
            rows("blood_nk_frac", SEQUENCED, tissue="blood", unit="fraction", scale=logit),
            rows("flow_cytometry:NK", CYTOMETRY, unit="pct_of_lymphocytes"),
            rows("cpet:VO2max", FITNESS, unit="ml_per_kg_per_min"),
        ],
        ignore_index=True,
    )


def test_limits_of_agreement_of_the_fractions(endpoints, make_config):
    table = measure_agreement(endpoints, make_config()).set_index(["endpoint_2", "visit"])
    row = table.loc[("flow_cytometry:NK", "baseline")]
    difference = SEQUENCED["baseline"] - CYTOMETRY["baseline"] / 100
    assert row["n"] == 12
    assert row["bias"] == pytest.approx(difference.mean())
    assert row["loa_high"] == pytest.approx(difference.mean() + 1.96 * difference.std(ddof=1))
    known = pearsonr(SEQUENCED["baseline"], CYTOMETRY["baseline"])
    assert row["r"] == pytest.approx(known.statistic)
    # scipy takes the quantile of the normal distribution, 1.95996
    assert row["r_low"] == pytest.approx(known.confidence_interval().low, abs=1e-4)


@pytest.mark.parametrize(
    ("unit", "factor"),
    [
        ("1e9_per_l", 1),
        ("10^9/L", 1),
        ("x10*9/l", 1),
        ("cells_per_ul", 1e3),
        ("cells/\u00b5l", 1e3),
        ("1e6 cells/ml", 1),
        ("per_mm3", 1e3),
    ],
)
def test_cells_per_volume_agree_in_any_volume(make_config, unit, factor):
    counted = {visit: factor * 2 * x for visit, x in SEQUENCED.items()}
    table = pd.concat(
        [
            rows("blood_nk_abs", SEQUENCED, tissue="blood", unit="1e9_per_l"),
            rows("flow_cytometry:NK", counted, unit=unit),
        ]
    )
    row = measure_agreement(table, _with_pair(make_config(), "blood_nk_abs")).iloc[0]
    assert row["bias"] == pytest.approx(-SEQUENCED["baseline"].mean())
    assert row["r"] == pytest.approx(1)
    assert row["method"] == "Bland-Altman, first minus second, in 1e9_per_l"


@pytest.mark.parametrize(
    ("endpoint", "own", "unit"),
    [
        ("blood_nk_frac", "fraction", "1e9_per_l"),
        ("blood_nk_abs", "1e9_per_l", "pct_of_lymphocytes"),
        ("blood_nk_abs", "1e9_per_l", "mg_per_l"),
        ("blood_nk_abs", "1e9_per_l", "10e9/l"),
        ("nexp_m", None, "clones"),
        ("nexp_m", None, None),
    ],
)
def test_what_is_not_of_one_unit_is_not_subtracted(make_config, endpoint, own, unit):
    table = pd.concat(
        [
            rows(endpoint, SEQUENCED, tissue="blood", unit=own),
            rows("flow_cytometry:NK", CYTOMETRY, unit=unit),
        ]
    )
    row = measure_agreement(table, _with_pair(make_config(), endpoint)).iloc[0]
    assert row["n"] == 12
    assert row[["bias", "loa_low", "loa_high", "r", "r_low", "r_high"]].isna().all()
    named = " and ".join(name or "no unit" for name in (own, unit))
    assert row["reason_empty"] == f"not of one unit: {named}"


def test_correlates_of_change_are_of_changes_and_called_correlative(endpoints, make_config):
    table = measure_agreement(endpoints, make_config())
    found = table[table["endpoint_1"] == "cpet:VO2max"].iloc[0]
    fitness = np.log(FITNESS["week6"]) - np.log(FITNESS["baseline"])
    nk = logit(SEQUENCED["week6"]) - logit(SEQUENCED["baseline"])
    assert (found["endpoint_2"], found["visit"], found["tissue"]) == (
        "blood_nk_frac",
        "week6",
        "blood",
    )
    assert found["r"] == pytest.approx(spearmanr(fitness, nk).statistic)
    assert "correlative" in found["method"]
    assert np.isnan(found["bias"])


def test_two_patients_have_a_row_and_no_limits(endpoints, make_config):
    few = endpoints[endpoints["patient_id"].isin(["P00", "P01"])]
    table = measure_agreement(few, make_config())
    assert set(table["n"]) == {2}
    assert table[["bias", "r"]].isna().all().all()
    assert set(table["reason_empty"]) == {"fewer than 3 patients with both"}


def test_nothing_to_compare_is_an_empty_table(endpoints, make_config):
    only = endpoints[endpoints["endpoint"] == "blood_nk_frac"]
    assert len(measure_agreement(only, make_config())) == 0
