"""Level, coverage and power of every reported test, one value per patient and endpoint.

Run it with ``make calibrate``; alone with ``python -m benchmarks.calibrate --only levels``.
"""

from __future__ import annotations

import sys
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from typing import Any

import numpy as np
from scipy import stats

from benchmarks.trial_cohorts import Cohort, draw_cohort
from hiaim_sc.stats import (
    ancova,
    clone_change_test,
    constrained_lda,
    max_t,
    moderated_t,
    multiple_imputation,
    rerandomisation_test,
)

EFFECT = 0.8
LEVEL = 0.05
# the power of a test with baseline and strata: residual SD of the outcome given the baseline
RESIDUAL_SD = 0.8
_DRAWS = 499
_IMPUTATIONS = 20


@dataclass(frozen=True)
class Scene:
    """What the cohorts of a row of the table are like.

    Attributes
    ----------
    name
        In the table.
    n_per_arm
        Randomised patients.
    effect
        Of treatment, in SD of the outcome.
    dropout
        Share of missing outcomes.
    later_sd
        SD after baseline, where it is 1.
    """

    name: str
    n_per_arm: int
    effect: float = 0.0
    dropout: float = 0.0
    later_sd: float = 1.0


SCENES = (
    Scene("null, 27 per arm", 27),
    Scene("null, 8 per arm", 8),
    Scene("null, 27 per arm, 25 % missing", 27, dropout=0.25),
    Scene("effect 0.8 SD, 27 per arm", 27, effect=EFFECT),
    Scene("effect 0.8 SD, 8 per arm", 8, effect=EFFECT),
    Scene("null, 27 per arm, 60 % missing, later SD 1.5", 27, dropout=0.6, later_sd=1.5),
)


@dataclass
class Findings:
    """What the cohorts of one scene gave.

    Attributes
    ----------
    p_values
        Test: a p-value per cohort.
    estimates, standard_errors, df
        Of the ANCOVA, per cohort.
    """

    p_values: dict[str, list[float]] = field(default_factory=dict)
    estimates: list[float] = field(default_factory=list)
    standard_errors: list[float] = field(default_factory=list)
    df: list[int] = field(default_factory=list)

    def covers(self, confidence: float, truth: float) -> float:
        """Share of the intervals of this confidence that hold the truth."""
        half = stats.t.ppf((1 + confidence) / 2, self.df) * np.array(self.standard_errors)
        return float((np.abs(np.array(self.estimates) - truth) <= half).mean())


def run_scene(scene: Scene, n_cohorts: int, seed: int) -> Findings:
    """Simulate the cohorts of a scene and put every test to each."""
    found = Findings()
    for number in range(n_cohorts):
        rng = np.random.default_rng([seed, number])
        cohort = draw_cohort(
            scene.n_per_arm,
            rng,
            effect=scene.effect,
            dropout=scene.dropout,
            later_sd=scene.later_sd,
        )
        for name, p_value in _test(cohort, found, rng).items():
            found.p_values.setdefault(name, []).append(p_value)
    return found


def _test(cohort: Cohort, found: Findings, rng: np.random.Generator) -> dict[str, float]:
    seen = ~np.isnan(cohort.outcome[:, 0])
    y, arm, strata = cohort.outcome[seen, 0], cohort.arm[seen], cohort.strata[seen]
    known: dict[str, Any] = {"baseline": cohort.baseline[seen, 0], "strata": strata}
    fit = ancova(y, arm, **known)
    found.estimates.append(fit.estimate)
    found.standard_errors.append(fit.se)
    found.df.append(fit.df)
    joint = max_t(
        cohort.outcome,
        cohort.arm,
        baseline=cohort.baseline,
        strata=cohort.strata,
        n_draws=_DRAWS,
        rng=rng,
    )
    moderated = moderated_t(
        cohort.outcome[seen], arm, baseline=cohort.baseline[seen], strata=strata
    )
    visits = np.column_stack([v[:, 0] for v in (cohort.baseline, cohort.middle, cohort.outcome)])
    imputed = multiple_imputation(
        cohort.outcome[:, 0],
        cohort.arm,
        baseline=cohort.baseline[:, 0],
        strata=cohort.strata,
        auxiliary=cohort.middle[:, [0]],
        n_imputations=_IMPUTATIONS,
        rng=rng,
    )
    return {
        "ANCOVA t": fit.p_value,
        "re-randomisation": rerandomisation_test(y, arm, **known, n_draws=_DRAWS, rng=rng).p_value,
        "max-T over 4 endpoints (family-wise)": float(np.nanmin(joint.p_adjusted)),
        "moderated t": float(moderated.p_value[0]),
        "cLDA over 3 visits": float(
            constrained_lda(visits, cohort.arm, strata=cohort.strata).p_value[-1]
        ),
        "multiple imputation": imputed.p_value,
        "cell-level chi-square (must fail)": _chi_square(cohort),
    }


def _chi_square(cohort: Cohort) -> float:
    expanded = [cohort.counts[cohort.arm == a].sum() for a in (0, 1)]
    totals = [cohort.totals[cohort.arm == a].sum() for a in (0, 1)]
    table = np.array([expanded, np.subtract(totals, expanded)])
    return float(stats.chi2_contingency(table, correction=False).pvalue)


def clone_test_level(n_draws: int, seed: int) -> dict[float, float]:
    """Share of unchanged clones with a one-sided p of at most the level, by rho they drift with."""
    rng = np.random.default_rng(seed)
    found = {}
    for rho in (0.01, 0.05, 0.1):
        size = (1 - rho) / rho
        total = rng.integers(8, 60, size=n_draws)
        k2 = rng.binomial(total, rng.beta(size / 2, size / 2, size=n_draws))
        p_value = clone_change_test(total - k2, k2, 1000, 1000, rho=rho).p_value
        found[rho] = float((p_value <= LEVEL).mean())
    return found


def analytic_power(n_per_arm: int, effect: float, residual_sd: float) -> float:
    """Power of the adjusted t test at the level, by the non-central t distribution."""
    df = 2 * n_per_arm - 5
    # a baseline of k patients takes on average 1 / (df) of the arm's information
    shift = effect / residual_sd * np.sqrt(n_per_arm / 2 * (df / (df + 1)))
    critical = stats.t.ppf(1 - LEVEL / 2, df)
    return float(stats.nct.sf(critical, df, shift) + stats.nct.cdf(-critical, df, shift))


def run_levels(n_cohorts: int, workers: int) -> dict[str, Findings]:
    """Every scene, in parallel."""
    found = {}
    with ProcessPoolExecutor(workers) as pool:
        futures = [
            (scene, pool.submit(run_scene, scene, n_cohorts, seed))
            for seed, scene in enumerate(SCENES)
        ]
        for done, (scene, future) in enumerate(futures, start=1):
            found[scene.name] = future.result()
            print(f"{done} of {len(SCENES)} scenes", file=sys.stderr, flush=True)
    return found
