"""One value per patient, thousands of cohorts: null and shifted, as an endpoint would look."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

_STRATA = (0.5, 0.35, 0.15)
_STRATUM_EFFECTS = np.array([0.0, 0.4, -0.3])
_BASELINE_CORRELATION = 0.6
_BETWEEN_ENDPOINTS = 0.5
N_ENDPOINTS = 4
# logit-normal spread of the patients' fraction of expanded cells, and the cells that are seen
_FRACTION_SPREAD = 0.6
_CELLS = (100, 800)


@dataclass(frozen=True)
class Cohort:
    """Patients of two arms.

    Attributes
    ----------
    arm
        1 for treated.
    strata
        Stratum of each patient, randomised within.
    baseline, middle, outcome
        Values at three visits, shape (n_patients, n_endpoints); `outcome` with missing values.
    counts, totals
        Expanded cells and all cells of each patient.
    """

    arm: np.ndarray
    strata: np.ndarray
    baseline: np.ndarray
    middle: np.ndarray
    outcome: np.ndarray
    counts: np.ndarray
    totals: np.ndarray


def draw_cohort(
    n_per_arm: int,
    rng: np.random.Generator,
    *,
    effect: float = 0.0,
    dropout: float = 0.0,
    later_sd: float = 1.0,
) -> Cohort:
    """A cohort in which treatment adds `effect` to the outcome.

    The baseline has SD 1 within arm and stratum, later visits `later_sd`; it explains 36 % of their
    variance. With `dropout` so many outcomes are missing, more where the baseline is low (at random
    given it).
    """
    n = 2 * n_per_arm
    strata = np.tile(np.repeat([0, 1, 2], _sizes(n_per_arm)), 2)
    arm = np.repeat([0, 1], n_per_arm)
    shared, own = np.sqrt(_BETWEEN_ENDPOINTS), np.sqrt(1 - _BETWEEN_ENDPOINTS)

    def noise() -> np.ndarray:
        return shared * rng.normal(size=(n, 1)) + own * rng.normal(size=(n, N_ENDPOINTS))

    level = _STRATUM_EFFECTS[strata][:, None]
    patient = np.sqrt(_BASELINE_CORRELATION) * noise()
    spread = np.sqrt(1 - _BASELINE_CORRELATION)
    baseline, middle, outcome = (
        level + sd * (patient + spread * noise()) for sd in (1, later_sd, later_sd)
    )
    middle, outcome = middle + effect / 2 * arm[:, None], outcome + effect * arm[:, None]
    if dropout:
        chance = dropout * np.clip(1 - 0.5 * baseline[:, 0], 0, 2)
        outcome[rng.random(n) < chance] = np.nan
    totals = rng.integers(*_CELLS, size=n, endpoint=True)
    logit = np.log(0.25 / 0.75) + _FRACTION_SPREAD * rng.normal(size=n)
    counts = rng.binomial(totals, 1 / (1 + np.exp(-logit)))
    return Cohort(arm, strata, baseline, middle, outcome, counts, totals)


def _sizes(n_per_arm: int) -> list[int]:
    sizes = [max(1, round(share * n_per_arm)) for share in _STRATA]
    return [n_per_arm - sizes[1] - sizes[2], *sizes[1:]]
