"""Enrichment of dna_barcodes in a bulk screen."""

from __future__ import annotations

import warnings

import numpy as np
import pytest
from scipy.stats import binom, false_discovery_control

from hiaim_sc.dna_barcodes import barcode_enrichment, least_detectable_fold

SAMPLE = np.fromstring(
    "52 48 41 43 60 61 30 33 400 380 70 77 22 21 38 36 55 50 44 47 66 64 0 1", dtype=int, sep=" "
).reshape(12, 2)
INPUT = np.fromstring(
    "100 110 95 80 85 90 120 115 130 60 70 65 95 100 105 150 140 145 40 45 50 75 70 80 110 105 100 "
    "90 95 85 130 125 135 55 60 50",
    dtype=int,
    sep=" ",
).reshape(12, 3)
FACTORS = np.array([0.758855, 0.767858, 1.203117, 1.185110, 1.203633])


def _is_response(table):
    return (table["fdr"] < 0.001) & (table["log_fold_change"] > 0)


def test_the_published_example_to_every_printed_digit():
    found = barcode_enrichment(SAMPLE, INPUT)
    assert list(found) == ["log_fold_change", "p", "fdr", "count_normalised", "input_normalised"]
    assert f"{found.loc[4, 'log_fold_change']:.8f}" == "2.97422485"
    assert f"{found.loc[4, 'p']:.8e}" == "6.66544634e-12"
    assert f"{found.loc[4, 'fdr']:.8e}" == "7.99853560e-11"
    assert f"{found.loc[11, 'log_fold_change']:.8f}" == "-5.56555067"
    assert f"{found.loc[11, 'p']:.8e}" == "4.05551545e-10"
    assert f"{found.loc[11, 'fdr']:.8e}" == "2.43330927e-09"
    assert f"{found.loc[0, 'log_fold_change']:.8f}" == "-0.01236289"
    assert found.loc[0, "p"] == 1.0
    assert f"{found.loc[3, 'p']:.9f}" == "0.985395792"
    assert np.flatnonzero(_is_response(found)).tolist() == [4]
    both = np.hstack([SAMPLE, INPUT])
    share = both / (both.sum(axis=0) * FACTORS)
    np.testing.assert_allclose(found["count_normalised"], share[:, :2].mean(axis=1), rtol=2e-6)
    np.testing.assert_allclose(found["input_normalised"], share[:, 2:].mean(axis=1), rtol=2e-6)


def test_groups_are_tested_on_their_own():
    groups = ["A*02:01"] * 6 + ["B*07:02"] * 5 + ["C*07:01"]
    found = barcode_enrichment(SAMPLE, INPUT, groups=groups)
    for rows in (slice(0, 6), slice(6, 11)):
        alone = barcode_enrichment(SAMPLE[rows], INPUT[rows])
        np.testing.assert_array_equal(found.iloc[rows], alone)
    assert found.iloc[11].isna().all()  # a group of one cannot be tested


@pytest.mark.parametrize(
    "spellings",
    [
        ("H2-Ld", "H-2Ld", "H2Ld"),
        ("A*02:01", "HLA-A*02:01", "A0201"),
        ("B*07:02", "B0702", "HLA-B07:02"),
    ],
)
def test_one_allele_spelled_in_many_ways_is_one_group(spellings):
    found = barcode_enrichment(SAMPLE, INPUT, groups=list(spellings) * 4)
    same = barcode_enrichment(SAMPLE, INPUT, groups=[spellings[0]] * 12)
    np.testing.assert_array_equal(found, same)


def test_a_missing_count_is_no_response_and_moves_nothing():
    sample = SAMPLE.astype(float)
    sample[4, 1] = np.nan
    found = barcode_enrichment(sample, INPUT)
    assert found.iloc[4].isna().all()
    assert not _is_response(found).any()
    rest = np.arange(12) != 4
    alone = barcode_enrichment(SAMPLE[rest], INPUT[rest])
    np.testing.assert_array_equal(found[rest], alone)


def test_fdr_is_over_all_barcodes_with_a_test():
    found = barcode_enrichment(SAMPLE, INPUT)
    np.testing.assert_allclose(found["fdr"], false_discovery_control(found["p"]))


@pytest.mark.parametrize("n_input", [1, 3])
def test_one_replicate_states_the_loss_of_power(n_input):
    with pytest.warns(
        UserWarning, match=r"1 (replicate|of the input).*Below .*-fold no dna_barcode"
    ):
        barcode_enrichment(SAMPLE[:, 0], INPUT[:, :n_input])


def test_two_replicates_each_warn_of_nothing():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        barcode_enrichment(SAMPLE, INPUT)


def test_the_least_fold_is_where_endless_counts_reach_p():
    fold = least_detectable_fold(1, 1)
    for factor, is_reached in ((1.02, True), (0.98, False)):
        # a million molecules beside others that do not differ; one library size
        first, second = 10**6, round(10**6 * fold * factor)
        rest = np.full((400, 1), 10**6)
        with pytest.warns(UserWarning, match="power"):
            found = barcode_enrichment(np.vstack([[[second]], rest]), np.vstack([[[first]], rest]))
        assert (found.loc[0, "p"] < 0.001) == is_reached


def test_every_impossible_count_is_named():
    sample, pool = SAMPLE.astype(float), INPUT.astype(float)
    sample[3, 1], sample[5, 0], pool[2, 2], pool[:, 0] = -4, 12.5, 52_431_000, 0
    with pytest.raises(ValueError) as caught:  # noqa: PT011  matched below
        barcode_enrichment(sample, pool)
    words = str(caught.value)
    for expected in (
        "sample_counts, dna_barcode 3 (from 0), replicate 1: -4 is negative",
        "sample_counts, dna_barcode 5 (from 0), replicate 0: 12.5 is no whole number",
        "input_counts, dna_barcode 2 (from 0), replicate 2: 52431000 is beyond 16,777,216",
        "input_counts, replicate 0 (from 0) has no counts",
    ):
        assert expected in words


@pytest.mark.parametrize("value", ["52,431", "12 UMIs", ""])
def test_text_among_the_counts_is_refused_by_name(value):
    sample = SAMPLE.astype(object)
    sample[3, 1] = value
    with pytest.raises(ValueError, match=r"sample_counts must be whole numbers .*could not conv"):
        barcode_enrichment(sample, INPUT)


@pytest.mark.parametrize(
    ("sample", "pool", "groups"),
    [(SAMPLE[:5], INPUT, None), (SAMPLE, INPUT, ["A"]), (SAMPLE[:, :0], INPUT, None)],
)
def test_arrays_that_do_not_belong_together_are_refused(sample, pool, groups):
    with pytest.raises(ValueError, match=r"counts|groups"):
        barcode_enrichment(sample, pool, groups=groups)


def test_null_screens_give_no_more_false_responses_than_their_rate():
    """Without any response a screen calls one with probability 0.001 at most (BH, all null)."""
    rng = np.random.default_rng(5)
    n_screens, n_barcodes, size = 200, 500, 10  # size 1 / 0.1: dispersion as assumed
    n_wrong = 0
    for _ in range(n_screens):
        depth = rng.uniform(0.5, 2.0, size=5)
        mean = rng.lognormal(3.5, 0.7, size=(n_barcodes, 1)) * depth
        counts = rng.negative_binomial(size, size / (size + mean))
        n_wrong += bool(_is_response(barcode_enrichment(counts[:, :2], counts[:, 2:])).any())
    # 99.9 % limit of 200 screens at 0.001 each
    assert n_wrong <= binom.ppf(0.999, n_screens, 0.001)
