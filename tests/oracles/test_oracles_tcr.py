"""Every worked number of the methods' page on receptors, part B."""

from __future__ import annotations

import math

import numpy as np
import pytest

from hiaim_sc.stats import (
    benjamini_hochberg,
    bhattacharyya,
    cells_by_clone_size,
    cells_to_detect,
    chance_unseen,
    chao1,
    clonality,
    clone_change_test,
    cosine_similarity,
    coverage,
    d50,
    detection_limit,
    fisher_clone_test,
    frequency_overlap,
    gini,
    hill_number,
    jaccard,
    jensen_shannon,
    morisita_horn,
    overlap_coefficient,
    pairwise_migration,
    pairwise_transition,
    pielou_evenness,
    rarefied_expanded_clones,
    rarefied_expanded_fraction,
    rarefied_richness,
    rarefied_shannon,
    shannon_entropy,
    share_by_clone_frequency,
    shared_cell_fraction,
    simpson_unbiased,
    sorensen,
    startrac,
    tissue_preference,
    top_fraction,
    weighted_jaccard,
)

X = (10, 5, 3, 1, 1)
DEEP = (10, 5, 3, 2, 1, 1, 1)
# the same clones in both: a b c d e f g
ONE, OTHER = (10, 5, 3, 1, 1, 0, 0), (4, 0, 6, 0, 0, 8, 2)


@pytest.mark.parametrize(
    ("found", "known"),
    [
        pytest.param(shannon_entropy(X), 1.277288, id="Shannon, nats"),
        pytest.param(shannon_entropy(X, 2), 1.842738, id="Shannon, bits"),
        pytest.param(pielou_evenness(X), 0.7936239, id="Pielou"),
        pytest.param(clonality(X), 0.2063761, id="clonality"),
        pytest.param(1 / hill_number(X, 2), 0.34, id="Simpson"),
        pytest.param(simpson_unbiased(X), 0.3052632, id="Simpson, unbiased"),
        pytest.param(math.sqrt(1 / hill_number(X, 2)), 0.5830952, id="Simpson clonality"),
        pytest.param(gini(X), 0.44, id="Gini"),
        pytest.param(gini(X) * 5 / 4, 0.55, id="Gini, corrected for S"),
        pytest.param(hill_number(X, 0), 5, id="Hill 0"),
        pytest.param(hill_number(X, 1), 3.586900, id="Hill 1"),
        pytest.param(hill_number(X, 2), 2.941176, id="Hill 2"),
        pytest.param(hill_number(X, math.inf), 2.0, id="Hill infinity"),
        pytest.param(chao1(X), 6.0, id="Chao1"),
        pytest.param(chao1(DEEP), 8.5, id="Chao1 of the longer vector"),
        pytest.param(chao1(DEEP, form="classic"), 11.5, id="Chao1, classic"),
        pytest.param(chao1(DEEP, form="finite"), 11.304348, id="Chao1, as in immunarch"),
        pytest.param(d50(X), 1, id="D50, clones"),
        pytest.param(100 * d50(X) / len(X), 20.0, id="D50, per cent of clones"),
        pytest.param(top_fraction(X), 0.5, id="top clone"),
        pytest.param(1 - 3 / 23, 0.869565, id="Good coverage"),
        pytest.param(coverage(DEEP), 0.873402, id="Chao-Jost coverage"),
        pytest.param(rarefied_richness(X, 10), 3.878478, id="richness at 10"),
        pytest.param(rarefied_richness(X, 5), 2.890931, id="richness at 5"),
        pytest.param(rarefied_shannon(X, 10), 1.143650, id="Shannon at 10"),
        pytest.param(rarefied_shannon(X, 5), 0.933164, id="Shannon at 5"),
        pytest.param(rarefied_expanded_fraction(X, 20, 2), 0.9, id="share of expanded cells"),
        pytest.param(rarefied_expanded_clones(X, 20, 2) / 5, 0.6, id="share of expanded clones"),
        pytest.param(jaccard(ONE, OTHER), 0.285714, id="Jaccard"),
        pytest.param(1 - jaccard(ONE, OTHER), 0.714286, id="turnover of clones"),
        pytest.param(sorensen(ONE, OTHER), 0.444444, id="Sorensen"),
        pytest.param(overlap_coefficient(ONE, OTHER), 0.5, id="overlap coefficient"),
        pytest.param(cosine_similarity(ONE, OTHER), 0.4540126, id="cosine"),
        pytest.param(bhattacharyya(ONE, OTHER), 0.5283598, id="Bhattacharyya"),
        pytest.param(frequency_overlap(ONE, OTHER), 0.35, id="frequency overlap"),
        pytest.param(weighted_jaccard(ONE, OTHER), 0.2121212, id="weighted Jaccard"),
        pytest.param(jensen_shannon(ONE, OTHER), 0.4912912, id="Jensen-Shannon, bits"),
        pytest.param(shared_cell_fraction(ONE, OTHER), 0.65, id="cells of A in shared clones"),
        pytest.param(shared_cell_fraction(OTHER, ONE), 0.5, id="cells of B in shared clones"),
        pytest.param(
            (shared_cell_fraction(ONE, OTHER) + shared_cell_fraction(OTHER, ONE)) / 2,
            0.575,
            id="TCR overlap of two samples of the same size",
        ),
        pytest.param(morisita_horn(ONE, OTHER), 0.453125, id="Morisita-Horn"),
        pytest.param(morisita_horn(ONE, OTHER, unbiased=True), 0.5101852, id="Morisita"),
    ],
)
def test_within_and_between_samples(found, known):
    # six digits after the point in print
    assert found == pytest.approx(known, abs=6e-7)


def test_size_classes():
    # singleton, small, medium, large, hyperexpanded
    assert cells_by_clone_size(X).tolist() == [2, 3, 5, 10, 0]
    # rare, small, medium, large, hyperexpanded
    np.testing.assert_allclose(share_by_clone_frequency(X), [0, 0, 0, 0.1, 0.9])


CELLS = (
    *[("1", "K1", "P")] * 3, ("1", "K1", "T"), *[("1", "K2", "T")] * 4,
    *[("2", "K1", "P")] * 2, *[("3", "K2", "T")] * 2, ("3", "K2", "N"),
    ("4", "K1", "T"), ("5", "K2", "N"), ("6", "K1", "P"),
)  # fmt: skip


def test_startrac_of_sixteen_cells():
    clone, cluster, location = zip(*CELLS, strict=True)
    table = startrac(clone, cluster, location)
    for column, known in {
        "n_cells": (8, 8),
        "expa": (0.125, 0.1131405),
        "migr": (0.4772170, 0.8215779),
        "tran": (0.5, 0.5),
        "gini": (0.3125, 0.25),
    }.items():
        np.testing.assert_allclose(table[column], known, atol=5e-8)
    (between,) = pairwise_transition(clone, cluster)["tran"]
    assert between == pytest.approx(0.5)
    pairs = pairwise_migration(clone, cluster, location)
    pairs = pairs.set_index(["cluster", "location_1", "location_2"])["migr"]
    assert pairs[("K1", "P", "T")] == pytest.approx(0.4056391, abs=5e-8)
    assert pairs[("K2", "N", "T")] == pytest.approx(0.3443609, abs=5e-8)
    assert pairs[("K2", "P", "T")] == 0
    preference = tissue_preference(cluster, location)
    assert preference.loc["K1"].to_dict() == {"N": 0, "P": 2, "T": 0.5}
    assert preference.loc["K2"].to_dict() == {"N": 2, "P": 0, "T": 1.5}


# n1, n2 of 1,000 and 1,200 cells: odds ratio, p, log2 fold change
TRACKED = {
    (2, 15): (6.316456, 0.005598336, 2.369474),
    (10, 14): (1.168634, 0.8374965, None),
    (0, 6): (math.inf, 0.03493438, 3.437646),
    (20, 5): (0.2050209, 0.0008040571, -2.160915),
    (1, 1): (None, 1.0, None),
}


@pytest.mark.parametrize("counts", TRACKED)
def test_a_clone_at_two_visits(counts):
    n1, n2 = counts
    ratio, p_value, fold = TRACKED[counts]
    fisher = fisher_clone_test(n1, n2, 1000, 1200)
    assert fisher.p_value == pytest.approx(p_value, rel=1e-6)
    if ratio is not None:
        assert fisher.odds_ratio == pytest.approx(ratio, rel=1e-6)
    if fold is not None:
        assert fisher.log2_fc == pytest.approx(fold, abs=5e-7)


def test_false_discovery_of_five_clones():
    adjusted = benjamini_hochberg([p for _, p, _ in TRACKED.values()])
    np.testing.assert_allclose(adjusted, [0.01399584, 1, 0.05822396, 0.00402029, 1], atol=5e-9)


@pytest.mark.parametrize(("counts", "known"), [((2, 15), 0.005772267), ((20, 5), 0.000857659)])
def test_the_binomial_test_of_a_clone(counts, known):
    found = clone_change_test(*counts, 1000, 1200, alternative="two-sided").p_value
    assert found == pytest.approx(known, rel=1e-6)


@pytest.mark.parametrize(
    ("counts", "known"),
    [((2, 15), 0.007334056), ((20, 5), 0.001276161), ((10, 14), 0.8440984)],
)
def test_a_dispersion_that_grows_with_the_clone(counts, known):
    found = clone_change_test(*counts, 1000, 1200, dispersion=(5, 2), alternative="two-sided")
    assert found.p_value == pytest.approx(known, rel=1e-6)


def test_detection_limits():
    assert chance_unseen(1e-3, 2000) == pytest.approx(0.1352, abs=5e-5)
    # 2994.2 cells: in print cut to 2994, at which it is 94.999 %
    assert cells_to_detect(1e-3) == 2995
    assert detection_limit(2994) > 1e-3 > detection_limit(2995)


def test_circulating_tumour_matching_fraction():
    tumour, blood = zip((1, 0), (3, 0), (2, 1), (4, 3), (0, 5), strict=True)
    assert shared_cell_fraction(blood, tumour) == pytest.approx(4 / 9)
