from __future__ import annotations

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats import binom

from hiaim_sc.stats import cells_to_detect, chance_unseen, detection_limit


@given(st.floats(1e-4, 0.5), st.integers(1, 5000))
def test_unseen_as_the_binomial_has_it(frequency, n):
    assert chance_unseen(frequency, n) == pytest.approx(binom.pmf(0, n, frequency), rel=1e-9)


@given(st.integers(1, 100_000), st.floats(0.5, 0.999))
def test_at_its_limit_a_clone_is_missed_as_often_as_said(n, confidence):
    limit = detection_limit(n, confidence)
    assert chance_unseen(limit, n) == pytest.approx(1 - confidence, rel=1e-6)


@given(st.floats(1e-4, 0.9))
def test_fewest_cells(frequency):
    n = cells_to_detect(frequency)
    assert chance_unseen(frequency, n) <= 0.05 * (1 + 1e-12)
    assert chance_unseen(frequency, n - 1) > 0.05 * (1 - 1e-12)


def test_limits():
    assert math.isnan(detection_limit(0))
    assert detection_limit(1) == pytest.approx(0.95)
    assert chance_unseen(0.3, 0) == 1


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: chance_unseen(1.2, 5), "frequency must lie"),
        (lambda: cells_to_detect(0.0), "frequency must lie"),
        (lambda: detection_limit(5, 1.0), "confidence must lie"),
        (lambda: detection_limit(-1), "n must be a whole number"),
    ],
)
def test_impossible_input(call, message):
    with pytest.raises(ValueError, match=message):
        call()
