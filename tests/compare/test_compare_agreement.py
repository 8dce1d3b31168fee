"""Bland-Altman and correlates of change, against a second computation."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from scipy.stats import pearsonr, spearmanr

from hiaim_sc.compare.agreement import measure_agreement

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


@pytest.fixture
def endpoints():
    return pd.concat(
        [
            rows("blood_nk_frac", SEQUENCED, tissue="blood", scale=logit),
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


def test_nothing_to_compare_is_an_empty_table(endpoints, make_config):
    only = endpoints[endpoints["endpoint"] == "blood_nk_frac"]
    assert len(measure_agreement(only, make_config())) == 0
