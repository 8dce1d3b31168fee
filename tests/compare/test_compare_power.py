"""What the endpoints could detect, without the arm."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.compare import tabulate_power
from hiaim_sc.config import AnalysisPlan
from hiaim_sc.stats import detectable_effect

REGISTERED = {"assay": "flow", "analyte": "NK", "unit": "1e9/l"}
NAMES = [f"P{i:02d}" for i in range(30)]
NO_STRATA = pd.DataFrame(index=NAMES)


def endpoints(scale="ln", *, r=0.6, endpoint="flow:NK", sd=2.0) -> pd.DataFrame:
    rng = np.random.default_rng(1)
    before = rng.normal(size=30)
    after = r * before + np.sqrt(1 - r**2) * rng.normal(size=30)
    parts = [
        pd.DataFrame({"patient_id": NAMES, "visit": visit, "value_analysed": sd * values})
        for visit, values in (("baseline", before), ("week6", after))
    ]
    known = {"endpoint": endpoint, "tissue": "", "session_phase": "rest", "scale": scale}
    return pd.concat(parts, ignore_index=True).assign(**known)


def test_the_detectable_difference_is_that_of_the_residual_spread(make_config):
    (row,) = tabulate_power(endpoints(), NO_STRATA, make_config()).to_dict("records")
    assert (row["n"], row["n_per_arm"]) == (30, 15)
    assert row["residual_sd"] < row["sd"]
    d = detectable_effect(15, 15, n_covariates=1)
    assert row["detectable"] == pytest.approx(d * row["residual_sd"])
    assert row["detectable_ratio"] == pytest.approx(np.exp(row["detectable"]))
    assert row["detectable_sd"] == pytest.approx(row["detectable"] / row["sd"])


def test_more_patients_detect_less_and_a_difference_has_no_ratio(make_config):
    table, config = endpoints("identity"), make_config()
    few = tabulate_power(table, NO_STRATA, config).iloc[0]
    many = tabulate_power(table, NO_STRATA, config, n_per_arm=27).iloc[0]
    assert many["n_per_arm"] == 27
    assert many["detectable"] < few["detectable"]
    assert np.isnan(few["detectable_ratio"])


def test_turnover_detects_a_ratio_of_overlaps_below_one(make_config):
    row = tabulate_power(endpoints("-ln(1 - x)"), NO_STRATA, make_config()).iloc[0]
    assert row["detectable_ratio"] == pytest.approx(np.exp(-row["detectable"]))


def test_a_change_has_no_baseline(make_config):
    table = endpoints(endpoint="n_called_m")
    row = tabulate_power(table, NO_STRATA, make_config()).iloc[0]
    assert row["residual_sd"] == pytest.approx(row["sd"])


def test_the_arm_is_no_input(make_config):
    strata = pd.DataFrame({"treatment": ["a", "b"] * 15}, index=NAMES)
    config = make_config(strata=("treatment",))
    table = tabulate_power(endpoints(), strata, config)
    pd.testing.assert_frame_equal(
        tabulate_power(endpoints().sample(frac=1, random_state=2), strata, config), table
    )
    assert len(tabulate_power(endpoints().iloc[:0], strata, config)) == 0


def test_the_registered_primary_has_its_own_level(make_config):
    plan = AnalysisPlan(registered_primary={**REGISTERED, "alpha": 0.01})
    config = make_config().model_copy(update={"analysis_plan": plan})
    row = tabulate_power(endpoints(), NO_STRATA, config).iloc[0]
    d = detectable_effect(15, 15, n_covariates=1, alpha=0.01)
    assert row["detectable"] == pytest.approx(d * row["residual_sd"])
    other = tabulate_power(endpoints(endpoint="flow:B"), NO_STRATA, config).iloc[0]
    assert other["detectable"] < row["detectable"]
