"""What batches cost a comparison of arms, against closed forms."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hiaim_sc.stats import variance_inflation

ARM = np.repeat([0, 1], 12)


def batches(*labels) -> np.ndarray:
    return np.equal.outer(np.array(labels), np.unique(labels)).astype(float)


@pytest.mark.parametrize(
    ("own", "inflation"),
    # so many of the 12 of each arm in a batch of their own: V = (2 own - 12) / 12
    [(6, 1.0), (9, 4 / 3), (11, 36 / 11), (12, math.inf)],
)
def test_two_batches_cost_what_cramers_v_says(own, inflation):
    labels = ["a"] * own + ["b"] * (12 - own) + ["b"] * own + ["a"] * (12 - own)
    assert variance_inflation(ARM, batches(*labels)) == pytest.approx(inflation)


def test_the_price_of_a_crossed_batch():
    crossed = batches(0, 1, 0, 1, 0, 1)
    assert variance_inflation([0, 0, 0, 1, 1, 1], crossed) == pytest.approx(1.125)


def test_one_batch_costs_nothing():
    assert variance_inflation(ARM, batches(*["a"] * 24)) == pytest.approx(1.0)


def test_strata_and_baseline_are_in_both_models():
    rng = np.random.default_rng(4)
    before, stratum = rng.normal(size=24) + ARM, np.tile([0, 1, 2], 8)
    columns = batches(*rng.integers(0, 3, 24))
    without = np.column_stack([ARM, np.ones(24), before, stratum == 1, stratum == 2])
    variances = [
        np.linalg.pinv(X.T @ X)[0, 0] for X in (np.column_stack([without, columns]), without)
    ]
    found = variance_inflation(ARM, columns, baseline=before, strata=stratum)
    assert found == pytest.approx(variances[0] / variances[1])


def test_an_arm_that_the_strata_are_has_no_price():
    assert math.isnan(variance_inflation(ARM, batches(*ARM), strata=ARM))
