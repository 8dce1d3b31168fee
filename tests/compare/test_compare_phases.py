"""Rest and post-bout samples are never held against each other."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest

from hiaim_sc.compare import Trial, compare_arms

PATIENTS = [f"P{i:02d}" for i in range(12)]
ARMS = pd.Series(["control", "exercise"] * 6, index=PATIENTS)
AFTER = "contrast mixes session phases: arm control has values, but none at post_bout"
REST = "contrast mixes session phases: arm exercise has values, but none at rest"


def endpoint_rows(visit: str, phases: dict[str, list[str]]) -> pd.DataFrame:
    """Values of one endpoint at a visit: the arms in `phases` at these phases."""
    rows = [
        ("nexp_m", "blood", visit, phase, patient, "ln")
        for patient in PATIENTS
        for phase in phases[ARMS[patient]]
    ]
    columns = ["endpoint", "tissue", "visit", "session_phase", "patient_id", "scale"]
    table = pd.DataFrame(rows, columns=columns)
    return table.assign(value_analysed=np.random.default_rng(len(rows)).normal(size=len(rows)))


def compare(config, later: dict[str, list[str]]) -> pd.DataFrame:
    at_rest = {"control": ["rest"], "exercise": ["rest"]}
    table = pd.concat([endpoint_rows("baseline", at_rest), endpoint_rows("week6", later)])
    layout = pd.DataFrame(columns=["patient_id", "tissue", "visit", "session_phase", "batch"])
    strata = pd.DataFrame(index=ARMS.index)
    found = compare_arms(Trial(table, ARMS, strata, config, layout), blinded=False)
    return found.set_index("session_phase")


@pytest.mark.parametrize(
    ("later", "reasons"),
    [
        ({"control": ["rest"], "exercise": ["post_bout"]}, {"rest": REST, "post_bout": AFTER}),
        (
            {"control": ["rest"], "exercise": ["rest", "post_bout"]},
            {"rest": "", "post_bout": AFTER},
        ),
        (
            {"control": [], "exercise": ["rest"]},
            {"rest": "no patient with a value in arm control"},
        ),
    ],
)
def test_a_contrast_that_would_mix_phases_is_empty(make_config, later, reasons):
    found = compare(make_config(), later)
    assert found["reason_empty"].to_dict() == reasons
    assert (found["estimate"].notna() == (found["reason_empty"] == "")).all()


def test_a_sample_after_a_bout_is_not_adjusted_for_one_at_rest(make_config):
    both = {"control": ["rest", "post_bout"], "exercise": ["rest", "post_bout"]}
    found = compare(make_config(), both)
    assert found.loc["rest", "method"].startswith("ANCOVA on baseline;")
    assert found.loc["post_bout", "method"].startswith("difference of means;")
