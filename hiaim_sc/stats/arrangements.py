"""The allocations of patients to arms that a stratified randomisation could have drawn."""

from __future__ import annotations

import math
from dataclasses import dataclass
from itertools import combinations
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hiaim_sc.stats._arrays import BoolArray, FloatArray, IntArray

MAX_ENUMERATED = 20_000


@dataclass(frozen=True)
class Arrangements:
    """Arms of all patients, one arrangement per row.

    Attributes
    ----------
    arms
        1 for treated, 0 for reference, shape (1 + n, n_patients). Row 0 is what happened.
    first
        Row where the reference distribution starts: 1 when the other rows are all arrangements, 0
        when they are random and what happened is counted with them.
    n_possible
        Arrangements that the design allows.
    """

    arms: FloatArray
    first: int
    n_possible: int

    @property
    def exact(self) -> bool:
        """Whether all arrangements are there."""
        return self.first == 1


def arrange(
    treated: BoolArray, codes: IntArray, n_draws: int, rng: np.random.Generator
) -> Arrangements:
    """All arrangements when there are at most `MAX_ENUMERATED`, else `n_draws` random ones.

    Parameters
    ----------
    treated
        Arm of each patient.
    codes
        Code of each patient's stratum; its number of treated patients is kept.
    n_draws
        Number of random arrangements.
    rng
        Where the chance comes from; unused when all are taken.
    """
    strata = [np.flatnonzero(codes == code) for code in np.unique(codes)]
    n_treated = [int(treated[members].sum()) for members in strata]
    sizes = [len(members) for members in strata]
    n_possible = math.prod(map(math.comb, sizes, n_treated))
    happened = treated.astype(np.float64)[None, :]
    if n_possible <= MAX_ENUMERATED:
        arms = _enumerate(strata, n_treated, len(treated), n_possible)
        return Arrangements(np.vstack([happened, arms]), first=1, n_possible=n_possible)
    arms = np.empty((n_draws, len(treated)))
    for members, number in zip(strata, n_treated, strict=True):
        labels = np.tile(np.arange(len(members)) < number, (n_draws, 1))
        arms[:, members] = rng.permuted(labels, axis=1)
    return Arrangements(np.vstack([happened, arms]), first=0, n_possible=n_possible)


def _enumerate(
    strata: list[IntArray], n_treated: list[int], n_patients: int, n_possible: int
) -> FloatArray:
    arms = np.zeros((n_possible, n_patients))
    repeats = 1
    for members, number in zip(strata, n_treated, strict=True):
        chosen = np.array(list(combinations(members, number)), dtype=np.int64)
        # Counts through the strata as an odometer does: this wheel turns every `repeats` rows.
        wheel = np.arange(n_possible) // repeats % len(chosen)
        arms[np.arange(n_possible)[:, None], chosen[wheel]] = 1.0
        repeats *= len(chosen)
    return arms
