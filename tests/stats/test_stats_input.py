"""Impossible input is an error with its name in it; small integers do not overflow."""

from __future__ import annotations

import inspect
import math

import numpy as np
import pandas as pd
import pytest

from hiaim_sc import stats

ARM = [0, 0, 0, 1, 1, 1]
VALUES = [2.0, 3.0, 5.0, 4.0, 6.0, 7.0]


def rng():
    return np.random.default_rng(1)


OF_COUNTS = {
    "shannon_entropy": stats.shannon_entropy,
    "pielou_evenness": stats.pielou_evenness,
    "clonality": stats.clonality,
    "simpson_unbiased": stats.simpson_unbiased,
    "gini": stats.gini,
    "hill_number": lambda x: stats.hill_number(x, 2),
    "chao1": stats.chao1,
    "coverage": stats.coverage,
    "rarefied_richness": lambda x: stats.rarefied_richness(x, 2),
    "rarefied_expanded_clones": lambda x: stats.rarefied_expanded_clones(x, 2, 2),
    "rarefied_expanded_fraction": lambda x: stats.rarefied_expanded_fraction(x, 2, 2),
    "rarefied_shannon": lambda x: stats.rarefied_shannon(x, 2),
    "morisita_horn": lambda x: stats.morisita_horn(x, x),
    "jaccard": lambda x: stats.jaccard(x, x),
}
OF_PATIENTS = {
    "ancova": stats.ancova,
    "rerandomisation_test": lambda y, arm: stats.rerandomisation_test(y, arm, rng=rng()),
    "max_t": lambda y, arm: stats.max_t(np.array(y)[:, None], arm, rng=rng()),
    "moderated_t": lambda y, arm: stats.moderated_t(np.array(y)[:, None], arm),
    "constrained_lda": lambda y, arm: stats.constrained_lda(np.array([y, y]).T, arm),
    "multiple_imputation": lambda y, arm: stats.multiple_imputation(
        y, arm, baseline=None, rng=rng()
    ),
}
of_counts = pytest.mark.parametrize("statistic", OF_COUNTS.values(), ids=OF_COUNTS.keys())
of_patients = pytest.mark.parametrize("test", OF_PATIENTS.values(), ids=OF_PATIENTS.keys())


@of_counts
@pytest.mark.parametrize(
    "impossible",
    [
        [1, -1],
        [1, math.nan],
        [1, math.inf],
        [1.5, 2],
        [[1, 2], [3, 4]],
        3,
        None,
        ["3", "4"],
        [1e19, 1],
        [2**53, 2**53],
        np.array([2**64 - 1], dtype=np.uint64),
        pd.Series(pd.to_datetime(["2026-01-01"])),
    ],
    ids=repr,
)
def test_what_is_no_count_is_an_error(statistic, impossible):
    with pytest.raises(ValueError, match="x "):
        statistic(impossible)


@of_counts
@pytest.mark.parametrize(
    ("counts", "dtype"),
    [
        ([100, 120, 127, 90], np.int8),
        ([200, 250, 255, 3], np.uint8),
        ([65_000, 65_535, 40_000, 7], np.uint16),
        ([2_000_000_000, 2_100_000_000, 5, 9], np.int32),
        ([10_000_000] * 4, np.int32),
    ],
)
def test_small_integers_do_not_overflow(statistic, counts, dtype):
    expected = statistic([float(count) for count in counts])
    assert statistic(np.array(counts, dtype=dtype)) == expected
    assert statistic(pd.Series(counts, index=[9, 7, 5, 3], dtype=dtype)) == expected
    assert math.isfinite(expected)


@of_counts
@pytest.mark.parametrize("x", [[], [0, 0, 0]])
def test_without_cells_nothing_is_defined(statistic, x):
    assert math.isnan(statistic(x))


@of_patients
@pytest.mark.parametrize(
    ("y", "arm"),
    [
        (VALUES, ARM[:5]),
        (VALUES, [0, 0, 0, 2, 2, 2]),
        (VALUES, [0, 0, 0, 1, 1, math.nan]),
        (VALUES, ["0", "0", "0", "1", "1", "1"]),
        ([*VALUES[:5], math.inf], ARM),
        (list("234567"), ARM),
    ],
    ids=["lengths", "arm 2", "arm missing", "arm of texts", "infinite", "texts"],
)
def test_impossible_patients_are_an_error(test, y, arm):
    with pytest.raises(ValueError, match=r"arm|[yY] "):
        test(y, arm)


@of_patients
@pytest.mark.parametrize(
    ("y", "arm"),
    [([], []), ([1.0], [1]), ([1.0, 2.0], [0, 1]), (VALUES, [1] * 6)],
    ids=["nobody", "one", "one per arm", "one arm"],
)
def test_too_few_patients_have_no_p(test, y, arm):
    found = test(y, arm)
    assert np.isnan(np.atleast_1d(found.p_value)).all()


@of_patients
def test_small_integers_are_numbers(test):
    small = np.array([100, 120, 90, 127, 126, 127], dtype=np.int8)
    found, expected = test(small, np.array(ARM, np.uint8)), test(small.astype(float), ARM)
    np.testing.assert_array_equal(found.p_value, expected.p_value)


@pytest.mark.parametrize("chance", [None, 1, np.random.RandomState(1)])
def test_chance_comes_from_a_generator(chance):
    many = np.arange(40.0)
    for call in (
        lambda: stats.rerandomisation_test(VALUES, ARM, rng=chance),
        lambda: stats.rerandomisation_test(many, [0, 1] * 20, rng=chance),
        lambda: stats.max_t(many[:, None], [0, 1] * 20, rng=chance),
        lambda: stats.multiple_imputation(VALUES, ARM, baseline=None, rng=chance),
        lambda: stats.tipping_point(VALUES, ARM, baseline=None, deltas=[1], rng=chance),
        lambda: stats.subsample_counts([3, 4], 2, n_draws=1, rng=chance),
    ):
        with pytest.raises(TypeError, match="rng must be a numpy Generator"):
            call()


@pytest.mark.parametrize(
    ("call", "message"),
    [
        (lambda: stats.shannon_entropy([1, 2], math.inf), "base"),
        (lambda: stats.clr([1, 2], math.inf), "pseudo"),
        (lambda: stats.log_cpm([1, 2], [3, 4]), "counts must have 2"),
        (lambda: stats.log_cpm([[1]], [3], prior=math.inf), "prior"),
        (lambda: stats.variance_trend([-1.0], [1.0]), "variance has values below 0"),
        (lambda: stats.squeeze_variances([-1.0, 2.0], 3), "variance has values below 0"),
        (lambda: stats.squeeze_variances([1.0, 2.0], -1), "df has values below 0"),
        (lambda: stats.detectable_effect(-3, 9), "n_reference"),
        (lambda: stats.detectable_effect(9, 2.5), "n_treated"),
        (lambda: stats.detectable_effect(math.nan, 3), "n_reference"),
        (lambda: stats.detectable_effect(9, 9, n_covariates=-1), "n_covariates"),
        (lambda: stats.startrac("ab", "ab", "ab"), "clone must have 1"),
        (lambda: stats.clone_change_test("1", 2, 3, 4), "k1 must be numbers"),
    ],
)
def test_impossible_parameters(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_equal_values_have_no_spread_whatever_their_rounding():
    assert math.isnan(stats.hedges_g([0.1] * 3, [0.2] * 3))
    assert math.isnan(stats.hedges_g([0.1] * 3, [0.1] * 3))


def test_empty_tables_stay_empty():
    assert stats.clr([]).shape == (0,)
    assert stats.log_cpm(np.empty((0, 3)), []).shape == (0, 3)
    assert stats.blinded_spread([]).n_covariates == 0


PROMISED = {
    "shannon_entropy": "x base",
    "pielou_evenness": "x",
    "clonality": "x",
    "simpson_unbiased": "x",
    "gini": "x",
    "hill_number": "x q",
    "chao1": "x",
    "coverage": "x",
    "rarefied_richness": "x m",
    "rarefied_expanded_clones": "x m c",
    "rarefied_expanded_fraction": "x m c",
    "morisita_horn": "x y",
    "jaccard": "x y",
    "startrac": "clone cluster location",
    "clone_change_test": "k1 k2 n1 n2 *rho *alternative",
    "ancova": "y arm *baseline *strata",
    "rerandomisation_test": "y arm *baseline *strata *n_draws *rng",
    "max_t": "Y arm *baseline *strata *n_draws *rng",
    "benjamini_hochberg": "p",
    "holm": "p",
    "hedges_g": "a b",
    "hodges_lehmann": "a b",
    "clr": "counts pseudo",
    "estimable": "X contrast",
}


@pytest.mark.parametrize(("name", "expected"), PROMISED.items())
def test_parameters_are_those_that_callers_rely_on(name, expected):
    """What may follow is by keyword and has a default."""
    parameters = list(inspect.signature(getattr(stats, name)).parameters.values())
    marks = {inspect.Parameter.KEYWORD_ONLY: "*"}
    found = [marks.get(p.kind, "") + p.name for p in parameters]
    assert [word for word in found if word in expected.split()] == expected.split()
    further = [p for p, word in zip(parameters, found, strict=True) if word not in expected.split()]
    assert all(p.kind is p.KEYWORD_ONLY and p.default is not p.empty for p in further)
