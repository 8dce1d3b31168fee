"""Blinded labels: balanced, random, and the same whatever the order of the patients."""

from __future__ import annotations

import numpy as np
import pandas as pd
from hypothesis import given, settings
from hypothesis import strategies as st

from hiaim_sc.compare import draw_blinded_arms
from hiaim_sc.config import Design


def strata_of(labels: list[str]) -> pd.DataFrame:
    index = pd.Index([f"P{i:03d}" for i in range(len(labels))], name="patient_id")
    return pd.DataFrame({"treatment": labels}, index=index)


@settings(max_examples=40, deadline=None)
@given(
    st.lists(st.sampled_from("abcd"), min_size=1, max_size=40),
    st.sampled_from([("x", "y"), ("x", "y", "z")]),
    st.integers(0, 2**32),
)
def test_blinded_arms_are_balanced_in_each_stratum_and_over_all(labels, names, seed):
    design = Design(arms=names, visits={"v": 0}, tissues=("blood",), strata=("treatment",))
    strata = strata_of(labels)
    arms = draw_blinded_arms(strata, design, rng=np.random.default_rng(seed))
    shuffled = strata.sample(frac=1, random_state=1)
    again = draw_blinded_arms(shuffled, design, rng=np.random.default_rng(seed))
    pd.testing.assert_series_equal(arms, again)
    counts = pd.crosstab(strata["treatment"], arms).reindex(columns=list(names), fill_value=0)
    assert (counts.max(axis=1) - counts.min(axis=1) <= 1).all()
    assert counts.sum().max() - counts.sum().min() <= 1


def test_blinded_arms_are_random_for_every_patient(make_config):
    config = make_config(strata=("treatment",))
    strata = strata_of(["a", "a", "a", "alone"])
    drawn = [
        draw_blinded_arms(strata, config.design, rng=np.random.default_rng(seed))
        for seed in range(300)
    ]
    share = (pd.concat(drawn, axis=1) == "exercise").mean(axis=1)
    assert share.between(0.4, 0.6).all()


def test_a_study_without_strata_is_one_stratum(make_config):
    arms = draw_blinded_arms(
        strata_of(["a"] * 9)[[]], make_config().design, rng=np.random.default_rng(0)
    )
    assert sorted(arms.value_counts()) == [4, 5]
