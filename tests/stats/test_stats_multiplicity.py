from __future__ import annotations

import math
from itertools import combinations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hiaim_sc.stats import benjamini_hochberg, holm

# Benjamini and Hochberg 1995, table 1
FIFTEEN = np.array(
    [
        *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
        *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
    ]
)
p_values = st.lists(st.one_of(st.floats(0, 1), st.just(math.nan)), max_size=6)


def test_fifteen_tests_of_the_paper():
    q = benjamini_hochberg(FIFTEEN)
    np.testing.assert_allclose(q[:5], [0.0015, 0.003, 0.0095, 0.035625, 0.0603])
    assert (q <= 0.05).sum() == 4
    assert (holm(FIFTEEN) <= 0.05).sum() == 3


def test_five_clones():
    p = [0.005598336, 0.8374965, 0.03493438, 0.0008040571, 1]
    expected = [0.01399584, 1, 0.05822396, 0.00402029, 1]
    np.testing.assert_allclose(benjamini_hochberg(p), expected, rtol=0, atol=1e-8)


def closed_bonferroni(p):
    """Largest Bonferroni p-value of all the intersections that a hypothesis is part of."""
    subsets = [s for n in range(1, len(p) + 1) for s in combinations(range(len(p)), n)]
    bonferroni = {s: min(1.0, len(s) * min(p[i] for i in s)) for s in subsets}
    return [max(bonferroni[s] for s in subsets if i in s) for i in range(len(p))]


def smallest_rate_that_rejects(p):
    rates = [min(1.0, len(p) * limit / sum(q <= limit for q in p)) for limit in p]
    return [
        min(rate for limit, rate in zip(p, rates, strict=True) if limit >= value) for value in p
    ]


@given(p_values)
@pytest.mark.parametrize(
    ("adjust", "definition"),
    [(benjamini_hochberg, smallest_rate_that_rejects), (holm, closed_bonferroni)],
)
def test_equals_its_definition_and_keeps_missing_tests(adjust, definition, p):
    adjusted = adjust(p)
    tested = ~np.isnan(np.array(p, dtype=float))
    np.testing.assert_array_equal(np.isnan(adjusted), ~tested)
    expected = definition([value for value in p if not math.isnan(value)])
    np.testing.assert_allclose(adjusted[tested], expected, rtol=1e-12, atol=1e-300)


@pytest.mark.parametrize("adjust", [benjamini_hochberg, holm])
@pytest.mark.parametrize("p", [[0.5, 1.2], [-0.1], [math.inf]])
def test_impossible_input(adjust, p):
    with pytest.raises(ValueError, match="p has"):
        adjust(p)
