"""What is drawn for one patient or endpoint does not hang on the others."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hiaim_sc.compare import Trial, compare_arms, locate_samples, measure_endpoints
from hiaim_sc.config import CompareOptions

PATIENTS = [f"P{i:02d}" for i in range(40)]
ARMS = pd.Series(["control", "exercise"] * 20, index=PATIENTS)
DRAWN = ("n_called_m", "blood_tumour_dual")


def draw_values(make_config, make_cells, make_expected, make_states, patients) -> pd.Series:
    """Endpoints that are means over subsamples, by sample, of patients with these clones."""
    pairs = [(p, v, t) for p in patients for v in ("baseline", "week6") for t in ("blood", "tumor")]
    expected = make_expected(pairs)
    parts = [
        make_cells(f"L{name}", name, {"T": 150}, [9 if "baseline" in name else 30, *[1, 2] * 30])
        for name in expected["sample_id"]
    ]
    cells = pd.concat(parts, ignore_index=True)
    identity = pd.DataFrame(columns=["sample_id", "check", "verdict"])
    options = CompareOptions(min_depth=60, called_draws=5)
    located = locate_samples(expected, make_states(list(expected["sample_id"])), identity)
    table = measure_endpoints(cells, located, design=make_config().design, options=options)
    drawn = table[table["endpoint"].isin(DRAWN)]
    return drawn.set_index(["endpoint", "sample_id"])["value"]


def test_another_patient_changes_no_subsample(make_config, make_cells, make_expected, make_states):
    builders = (make_config, make_cells, make_expected, make_states)
    few = draw_values(*builders, ["P1", "P2"])
    # sorts before the others, so that it would be first in a stream that all share
    more = draw_values(*builders, ["P0", "P1", "P2"])
    pd.testing.assert_series_equal(more.loc[few.index], few)


def test_patients_with_the_same_clones_are_subsampled_apart(
    make_config, make_cells, make_expected, make_states
):
    names = [f"P{i}" for i in range(6)]
    found = draw_values(make_config, make_cells, make_expected, make_states, names)
    for endpoint in DRAWN:
        assert found.loc[endpoint].nunique() > 2


def endpoint_rows(name: str) -> pd.DataFrame:
    """The same values whatever the endpoint is called."""
    values = np.random.default_rng(5).normal(size=len(PATIENTS))
    return pd.DataFrame(
        {
            "endpoint": name,
            "tissue": "blood",
            "visit": "week6",
            "session_phase": "rest",
            "scale": "ln",
            "patient_id": PATIENTS,
            "value_analysed": values,
        }
    )


def compare(config, *names: str) -> pd.Series:
    layout = pd.DataFrame(columns=["patient_id", "tissue", "visit", "session_phase", "batch"])
    table = pd.concat([endpoint_rows(name) for name in names], ignore_index=True)
    strata = pd.DataFrame(index=ARMS.index)
    found = compare_arms(Trial(table, ARMS, strata, config, layout), blinded=False)
    return found.set_index("endpoint")["p_perm"]


def test_another_endpoint_changes_no_p(make_config):
    alone = compare(make_config(), "nexp_m")["nexp_m"]
    assert compare(make_config(), "a", "nexp_m", "z")["nexp_m"] == alone


def test_endpoints_and_seeds_have_draws_of_their_own(make_config):
    config = make_config()
    names = ("a", "b", "c", "d")
    p_values = compare(config, *names)
    assert len(set(p_values)) > 1
    compare_options = config.options.compare.model_copy(update={"seed": 1})
    options = config.options.model_copy(update={"compare": compare_options})
    reseeded = compare(config.model_copy(update={"options": options}), *names)
    assert (reseeded != p_values).any()
    # 199 draws: a p-value has a standard error of at most 0.036
    assert np.ptp([*p_values, *reseeded]) < 0.3
