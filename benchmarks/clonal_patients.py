"""Repertoires of single patients, fast: clone counts at two visits and their clonal endpoints.

A patient's CD8 clones follow a power law of exponent N(0.9, 0.08) over 20,000 ranks, the CD4 clones
one of N(0.6, 0.08). Between the visits every clone drifts by a log-normal factor of SD 0.5; in the
treated arm so many clones of the ranks 20 to 400 are multiplied besides. Cells are multinomial.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cache

import numpy as np

from hiaim_sc.stats import (
    clone_change_test,
    expanded_from,
    rarefied_expanded_clones,
    rarefied_expanded_fraction,
    subsample_counts,
)

N_RANKS = 20_000
_EXPONENTS = {"CD8": 0.9, "CD4": 0.6}
_EXPONENT_SPREAD = 0.08
_DRIFT = 0.5
_PLANTED_RANKS = (20, 400)
_RHO = 0.05
_LEVEL = 0.05
# counts above this are taken as this: a clone of so many cells is called or not all the same
_CAP = 400


@dataclass(frozen=True)
class Setting:
    """What one simulated patient is measured under.

    Attributes
    ----------
    n_cells
        T cells at each visit, of the counted population.
    depth
        Common depth m.
    n_planted, fold
        Clones that grow by treatment, and how much.
    """

    n_cells: tuple[int, int]
    depth: int
    n_planted: int = 0
    fold: float = 5.0


def measure_patient(setting: Setting, rng: np.random.Generator, *, draws: int) -> dict[str, float]:
    """Analysed clonal endpoints of one CD8 repertoire: ``<endpoint>_pre`` where it has a baseline.

    Parameters
    ----------
    setting
        Cells, depth and what is planted.
    rng
        Draws the patient.
    draws
        Subsamples over which the called clones are averaged.
    """
    before, after = draw_repertoire("CD8", setting, rng)
    return measure_counts(before, after, setting.depth, rng, draws=draws)


def draw_repertoire(
    lineage: str, setting: Setting, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Cells per clone at the two visits, the same clones in both."""
    exponent = rng.normal(_EXPONENTS[lineage], _EXPONENT_SPREAD)
    frequency = np.arange(1, N_RANKS + 1.0) ** -exponent
    later = frequency * np.exp(rng.normal(0, _DRIFT, N_RANKS))
    if setting.n_planted:
        low, high = _PLANTED_RANKS
        planted = rng.choice(np.arange(low, high), setting.n_planted, replace=False)
        later[planted] *= setting.fold
    before, after = (
        rng.multinomial(n, p / p.sum())
        for n, p in zip(setting.n_cells, (frequency, later), strict=True)
    )
    return before, after


def measure_counts(
    before: np.ndarray, after: np.ndarray, depth: int, rng: np.random.Generator, *, draws: int
) -> dict[str, float]:
    """Analysed endpoints at a depth, from cells per clone at two visits."""
    found: dict[str, float] = {}
    for name, counts in (("_pre", before), ("", after)):
        seen = counts[counts > 0]
        for label, c in (("c2", 2), ("c3", 3), ("cm", expanded_from(depth))):
            found[f"nexp_{label}{name}"] = np.log(rarefied_expanded_clones(seen, depth, c) + 0.5)
            share = depth * rarefied_expanded_fraction(seen, depth, c)
            found[f"expfrac_{label}{name}"] = np.log((share + 0.5) / (depth - share + 0.5))
    either = (before + after) > 0
    k1, k2 = (
        np.minimum(subsample_counts(x[either], depth, n_draws=draws, rng=rng), _CAP)
        for x in (before, after)
    )
    is_small = _is_small(depth)[k1, k2]
    for label, least in (("k5", 5), ("k8", 8)):
        called = (is_small & (k1 + k2 >= least)).sum(axis=1)
        found[f"n_called_{label}"] = np.log(called + 0.5).mean()
    return found


@cache
def _is_small(depth: int) -> np.ndarray:
    """Whether a clone of k1 and k2 cells at equal depth has a one-sided p below the level."""
    k1, k2 = (grid.ravel() for grid in np.indices((_CAP + 1, _CAP + 1)))
    n = max(depth, _CAP)
    p_value = clone_change_test(k1, k2, n, n, rho=_RHO).p_value
    return (p_value < _LEVEL).reshape(_CAP + 1, _CAP + 1)
