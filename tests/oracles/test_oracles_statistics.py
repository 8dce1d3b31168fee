"""Every worked number of the methods' statistics page, section 4, row by row.

Closed forms to 1e-6 or to the digits in print. What scipy or statsmodels do for us is here too: the
numbers are held against the calls that we make. The mixed model of the Orthodont data stands with
its data in ``tests/stats/test_stats_mixed.py``, the hash of a plan in
``tests/study/test_study_plan.py``.
"""

from __future__ import annotations

import math
from itertools import product

import numpy as np
import pytest
import statsmodels.api as sm
from scipy import stats
from scipy.stats import betabinom
from statsmodels.stats.multitest import multipletests

from hiaim_sc.stats import (
    ancova,
    benjamini_hochberg,
    clonality,
    clone_change_test,
    clr,
    coverage,
    empirical_logit,
    estimable,
    gini,
    hedges_g,
    hill_number,
    hodges_lehmann,
    holm,
    jaccard,
    morisita_horn,
    rarefied_expanded_clones,
    rarefied_expanded_fraction,
    rarefied_richness,
    rerandomisation_test,
    shannon_entropy,
    shared_cell_fraction,
    simpson_unbiased,
    squeeze_variances,
    startrac,
)

X = (10, 6, 3, 1)
OTHER = (5, 3, 2, 1, 1, 1)
A, B = (5, 3, 2, 0), (2, 4, 0, 4)
RNG = np.random.default_rng(0)


def close(found: float, known: float, tolerance: float = 1e-6) -> None:
    assert float(found) == pytest.approx(known, abs=tolerance)


@pytest.mark.parametrize(
    ("found", "known"),
    [
        pytest.param(shannon_entropy(X), 1.1421200430, id="Shannon, nats"),
        pytest.param(shannon_entropy(X, 2), 1.6477309, id="Shannon, bits"),
        pytest.param(clonality(X), 0.1761345389, id="clonality"),
        pytest.param(1 - clonality(X), 0.8238654611, id="normalised Shannon"),
        pytest.param(1 / hill_number(X, 2), 73 / 200, id="Simpson, sum of squares"),
        pytest.param(simpson_unbiased(X), 63 / 190, id="Simpson, unbiased"),
        pytest.param(hill_number(X, 0), 4, id="Hill 0"),
        pytest.param(hill_number(X, 1), 3.1334043, id="Hill 1"),
        pytest.param(hill_number(X, 2), 2.7397260, id="Hill 2"),
        pytest.param(hill_number(X, math.inf), 2, id="Hill infinity"),
        pytest.param(gini(X), 0.375, id="Gini"),
        pytest.param(gini((1, 2, 3, 4)), 0.25, id="Gini of 1 to 4"),
        pytest.param(coverage(OTHER), 0.7813765, id="Chao-Jost coverage"),
        pytest.param(rarefied_richness(X, 5), 6991 / 2584, id="richness at 5"),
        pytest.param(rarefied_expanded_clones(X, 5, 2), 951 / 646, id="expanded clones at 5"),
        pytest.param(rarefied_expanded_fraction(X, 5, 2), 9733 / 12920, id="share expanded at 5"),
        pytest.param(rarefied_richness(X, 10), 156549 / 46189, id="richness at 10"),
        pytest.param(
            rarefied_richness(X, 2), 2 - simpson_unbiased(X), id="richness at 2 is 2 - Simpson"
        ),
        pytest.param(1 - 3 / 13, 0.7692308, id="Good coverage"),
        pytest.param(jaccard(A, B), 0.5, id="Jaccard"),
        pytest.param(shared_cell_fraction(A, B), 0.8, id="cells of A in shared clones"),
        pytest.param(shared_cell_fraction(B, A), 0.6, id="cells of B in shared clones"),
        pytest.param(morisita_horn(A, B), 22 / 37, id="Morisita-Horn"),
    ],
)
def test_diversity_rarefaction_and_overlap(found, known):
    close(found, known)


def test_one_clone_or_one_cell_is_not_defined():
    assert np.isnan(clonality((7,)))
    assert np.isnan(simpson_unbiased((1,)))


def test_startrac():
    cells = [("a", "k1")] * 4 + [("b", "k1"), ("b", "k2"), ("c", "k2"), ("c", "k2"), ("d", "k1")]
    clone, cluster = zip(*cells, strict=True)
    location = list("bbttttbtb")
    found = startrac(clone, cluster, location)
    for column, known in {
        "expa": (0.2103099, 0.0817042),
        "migr": (0.6666667, 0.6666667),
        "tran": (0.1666667, 0.3333333),
    }.items():
        np.testing.assert_allclose(found[column], known, atol=5e-8)


CLONES = {
    (0, 5): (0.03125, 0.031094, 0.034421, 0.047940, 0.066406),
    (0, 10): (9.7656e-4, 9.5473e-4, 1.4793e-3, 4.8803e-3, 1.2503e-2),
    (2, 12): (6.4697e-3, 6.3205e-3, 9.7863e-3, 2.8077e-2, 5.7309e-2),
    (5, 20): (2.0387e-3, 1.9295e-3, 4.9531e-3, 2.7749e-2, 6.7251e-2),
}


@pytest.mark.parametrize("counts", CLONES)
def test_clone_test_at_each_rho(counts):
    binomial, fisher, *rest = CLONES[counts]
    k1, k2 = counts
    for rho, known in zip((0, 0.01, 0.05, 0.1), (binomial, *rest), strict=True):
        p_value = clone_change_test(k1, k2, 1000, 1000, rho=rho).p_value
        assert p_value == pytest.approx(known, rel=5e-5)
    table = [[k2, k1], [1000 - k2, 1000 - k1]]
    assert stats.fisher_exact(table, alternative="greater")[1] == pytest.approx(fisher, rel=5e-5)


@pytest.mark.parametrize(
    ("found", "known", "tolerance"),
    [
        pytest.param(betabinom.pmf(1, 2, 1, 1), 1 / 3, 1e-12, id="uniform"),
        pytest.param(betabinom.pmf(4, 5, 2, 3), 5 / 42, 1e-12, id="4 of 5"),
        pytest.param(2 * betabinom.sf(49, 60, 10, 10), 0.0062019, 5e-7, id="50 against 10"),
        pytest.param(betabinom.sf(99, 130, 10, 30), 1.7e-9, 5e-11, id="100 against 3 x 10"),
        pytest.param(betabinom.sf(59, 120, 10, 30), 0.00242, 5e-6, id="60 against 60"),
        pytest.param(betabinom.sf(39, 100, 10, 30), 0.0446, 5e-5, id="40 against 60"),
        pytest.param(
            stats.dirichlet_multinomial.pmf([2, 1, 1], [1, 1, 1], 4),
            1 / 15,
            1e-12,
            id="Dirichlet-multinomial",
        ),
    ],
)
def test_distributions_of_counts(found, known, tolerance):
    close(found, known, tolerance)


SLEEP = (
    (0.7, -1.6, -0.2, -1.2, -0.1, 3.4, 3.7, 0.8, 0.0, 2.0),
    (1.9, 0.8, 1.1, 0.1, -0.1, 4.4, 5.5, 1.6, 4.6, 3.4),
)
DARWIN = (49, -67, 8, 16, 6, 23, 28, 41, 14, 29, 56, 24, 75, 60, -48)
PERMEABILITY = (
    (0.80, 0.83, 1.89, 1.04, 1.45, 1.38, 1.91, 1.64, 0.73, 1.46),
    (1.15, 0.88, 0.90, 0.74, 1.21),
)
DEPRESSION = (
    (1.83, 0.50, 1.62, 2.48, 1.68, 1.88, 1.55, 3.06, 1.30),
    (0.878, 0.647, 0.598, 2.05, 1.06, 1.29, 1.06, 3.14, 1.29),
)


def test_fishers_tea():
    close(stats.fisher_exact([[3, 1], [1, 3]], alternative="greater")[1], 17 / 70)


def test_darwins_maize_over_all_sign_flips():
    assert sum(DARWIN) == 314
    sizes = np.abs(DARWIN)
    sums = np.zeros(1, dtype=int)
    for size in sizes:
        sums = np.concatenate([sums + size, sums - size])
    assert (np.abs(sums) >= 314).sum() == 1726
    assert len(sums) == 32768


def test_sleep_by_t_tests_and_re_randomisation():
    welch = stats.ttest_ind(*SLEEP, equal_var=False)
    paired = stats.ttest_rel(*SLEEP)
    close(welch.statistic, -1.8608, 5e-5)
    close(welch.df, 17.776, 5e-4)
    close(welch.pvalue, 0.07939, 5e-6)
    close(paired.statistic, -4.0621, 5e-5)
    close(paired.pvalue, 0.002833, 5e-7)
    # more than 20,000 arrangements are drawn, not enumerated: p has a standard error of .0009
    y, arm = np.concatenate(SLEEP), np.repeat([0, 1], 10)
    found = rerandomisation_test(y, arm, n_draws=99_999, rng=np.random.default_rng(1))
    assert found.n_arrangements == 184_756
    close(found.p_value, 0.0814480, 0.004)


def test_effect_sizes():
    g = hedges_g(SLEEP[1], SLEEP[0])
    close(g, 0.7969352)
    nu = 18
    exact = math.exp(math.lgamma(nu / 2) - math.lgamma((nu - 1) / 2)) / math.sqrt(nu / 2)
    close(g / exact, 0.8321811)
    close(g / exact * (1 - 3 / (4 * nu - 1)), 0.7970185)


def test_hollander_wolfe_permeability():
    shift = hodges_lehmann(*PERMEABILITY)
    close(stats.mannwhitneyu(*PERMEABILITY).statistic, 35)
    close(shift.p_value, 0.2544122)
    one_sided = stats.mannwhitneyu(*PERMEABILITY, alternative="greater", method="exact")
    close(one_sided.pvalue, 0.1272061, 5e-8)
    close(shift.estimate, 0.305)
    close(shift.ci_low, -0.15)
    close(shift.ci_high, 0.76)


def test_depression_paired():
    change = np.subtract(*DEPRESSION)
    found = stats.wilcoxon(change, alternative="greater", method="exact")
    close(found.statistic, 40)
    close(found.pvalue, 0.01953125, 1e-9)
    averages = [(change[i] + change[j]) / 2 for i in range(9) for j in range(i, 9)]
    close(float(np.median(averages)), 0.46)


BH_1995 = (
    *(0.0001, 0.0004, 0.0019, 0.0095, 0.0201, 0.0278, 0.0298, 0.0344, 0.0459),
    *(0.3240, 0.4262, 0.5719, 0.6528, 0.7590, 1.0),
)


def test_multiplicity_of_benjamini_and_hochberg():
    adjusted = benjamini_hochberg(BH_1995)
    np.testing.assert_allclose(adjusted[:5], [0.0015, 0.003, 0.0095, 0.035625, 0.0603], atol=1e-9)
    assert (adjusted <= 0.05).sum() == 4
    assert (np.array(BH_1995) * 15 <= 0.05).sum() == 3
    assert (holm(BH_1995) <= 0.05).sum() == 3
    np.testing.assert_allclose(adjusted, multipletests(BH_1995, method="fdr_bh")[1])


def test_ancova_by_hand():
    arm, before = [0, 0, 0, 1, 1, 1], [1, 2, 3, 1, 2, 3]
    found = ancova([2, 3, 5, 4, 6, 7], arm, baseline=before)
    close(found.estimate, 7 / 3)
    close(found.se, math.sqrt(2) / math.sqrt(27))
    close(found.statistic, 8.5732, 5e-5)
    close(found.p_value, 0.0033355, 5e-8)
    assert found.df == 3
    moved = ancova([2, 3, 5, 4, 6, 7], arm, baseline=[1, 2, 3, 2, 3, 4])
    close(moved.estimate, 5 / 6)
    close(moved.se, 0.3191424, 5e-8)
    close(moved.p_value, 0.0796050, 5e-8)
    close(moved.ci_low, -0.18232, 5e-6)
    close(moved.ci_high, 1.84899, 5e-6)


def test_stratified_exact_arrangements():
    values, arm = [3, 5, 1, 4, 2], [1, 1, 0, 1, 0]
    strata = list("AAABB")
    sums = sorted(
        sum(values[i] for i in (*(j for j in range(3) if j != left), 3 + right))
        for left, right in product(range(3), range(2))
    )
    assert sums == [6, 8, 8, 10, 10, 12]
    found = rerandomisation_test(values, arm, strata=strata, rng=RNG)
    assert (found.n_arrangements, found.exact) == (6, True)
    close(found.p_value, 2 / 6)


def test_compositions():
    np.testing.assert_allclose(
        clr([0.1, 0.2, 0.7], pseudo=0), [-0.8796858, -0.1865386, 1.0662244], atol=5e-8
    )
    np.testing.assert_allclose(np.log(np.array([10, 20]) / 70), [-1.9459101, -1.2527630], atol=5e-8)
    close(math.log(0.1 / 0.9), -2.1972246, 5e-8)
    close(empirical_logit(0, 0.0 + 10), math.log(0.5 / 10.5))
    close(180 / (950 + 180 + 120), 0.144)
    # NK cells of a blood count: 180 of 1,250 lymphocytes of 1.2e9 per litre
    close(1.2 * 180 / (950 + 180 + 120), 0.1728)


def test_estimability():
    arm = np.array([0, 0, 0, 1, 1, 1])
    aliased = estimable(np.column_stack([np.ones(6), arm, arm]), [0, 1, 0])
    assert not aliased.estimable
    assert (aliased.rank, set(aliased.aliased)) == (2, {"1", "2"})
    crossed = np.column_stack([np.ones(6), arm, [0, 1, 0, 1, 0, 1]])
    found = estimable(crossed, [0, 1, 0])
    assert found.estimable
    close(found.variance / estimable(crossed[:, :2], [0, 1]).variance, 1.125)


def test_moderated_t_recovers_its_prior():
    # d0 = 4, s0^2 = 1: within 10 % from 10,000 genes of 6 degrees of freedom
    rng = np.random.default_rng(2)
    variance = 4 / rng.chisquare(4, 10_000) * rng.chisquare(6, 10_000) / 6
    found = squeeze_variances(variance, 6)
    assert found.df == pytest.approx(4, rel=0.1)
    assert found.variance == pytest.approx(1, rel=0.1)
    np.testing.assert_allclose(
        found.squeezed, (found.df * found.variance + 6 * variance) / (found.df + 6)
    )


def test_ancova_is_the_linear_model_of_statsmodels():
    rng = np.random.default_rng(3)
    y, before = rng.normal(size=20), rng.normal(size=20)
    arm, strata = np.tile([0, 1], 10), np.repeat([0, 1], 10)
    design = sm.add_constant(np.column_stack([arm, before, strata]))
    fit = sm.OLS(y, design).fit()
    found = ancova(y, arm, baseline=before, strata=strata)
    close(found.estimate, fit.params[1], 1e-12)
    close(found.se, fit.bse[1], 1e-12)
    close(found.p_value, fit.pvalues[1], 1e-12)
