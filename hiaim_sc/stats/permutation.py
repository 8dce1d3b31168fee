r"""Re-randomisation tests: what would have been seen, had the patients drawn other arms?

The arm is redrawn within the strata as randomised, keeping each stratum's numbers. Where the design
has at most 20,000 arrangements all are taken and the p-value is exact; else `n_draws` are drawn at
random and the arrangement that happened is counted with them, :math:`p = (1 + \#)/(1 + B)`.

The statistic is :math:`|t|` of `ancova`. Its monotone equivalent is used, the share of the adjusted
variation that the arm explains, :math:`(r'a)^2 / (r'r \, \|M a\|^2)` with r the residuals of y on
the covariates and M the projection off them: it needs no fit per arrangement and stays finite. It
is 0 for an arrangement whose arm the covariates explain.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.stats._arrays import arm_vector, draw_count, real_matrix, real_vector, stratum_codes
from hiaim_sc.stats.arrangements import arrange
from hiaim_sc.stats.covariates import covariate_basis, residuals
from hiaim_sc.stats.linear import ALIAS_TOLERANCE

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import BoolArray, FloatArray, IntArray
    from hiaim_sc.stats.arrangements import Arrangements

# Statistics, which lie between 0 and 1, that differ by less are the same one, computed twice.
_SAME_STATISTIC = 1e-10


@dataclass(frozen=True)
class Rerandomisation:
    """Result of `rerandomisation_test`.

    Attributes
    ----------
    p_value
        Two-sided. 1 where the covariates explain `y`, NaN where they explain the arm or leave no
        degree of freedom.
    n_arrangements
        Arrangements that the design allows.
    exact
        Whether all of them were taken.
    n_draws
        Arrangements drawn at random; 0 when exact.
    """

    p_value: float
    n_arrangements: int
    exact: bool
    n_draws: int


@dataclass(frozen=True)
class MaxT:
    """Result of `max_t`, one value per endpoint.

    Attributes
    ----------
    p_adjusted
        Family-wise adjusted p-value; NaN where the endpoint cannot be tested.
    p_value
        Re-randomisation p-value of the endpoint alone.
    n_arrangements
        Arrangements that the design allows.
    exact
        Whether all of them were taken.
    """

    p_adjusted: FloatArray
    p_value: FloatArray
    n_arrangements: int
    exact: bool


def rerandomisation_test(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    baseline: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    n_draws: int = 9999,
    rng: np.random.Generator,
) -> Rerandomisation:
    """P-value of the adjusted difference between arms from the randomisation itself.

    Exact for the sharp null hypothesis that treatment changes no patient's value. The result does
    not depend on the order of the patients.

    Parameters
    ----------
    y
        The analysed value of each patient. Select the patients that have one.
    arm
        1 for treated, 0 for reference.
    baseline
        Value before treatment, NaN where missing.
    strata
        Label of the stratum within which each patient was randomised.
    n_draws
        Random arrangements when there are too many to take all.
    rng
        Where the chance comes from; unused when exact.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> strata = ["A", "A", "A", "B", "B"]
    >>> result = rerandomisation_test([3, 5, 1, 4, 2], [1, 1, 0, 1, 0], strata=strata, rng=rng)
    >>> result.n_arrangements, round(result.p_value, 6)
    (6, 0.333333)
    """
    values = real_vector(y, "y")
    before = None
    if baseline is not None:
        before = real_vector(baseline, "baseline", length=len(values), missing=True)[:, None]
    treated = arm_vector(arm, len(values))
    arrangements, statistics = _run(values[:, None], treated, before, strata, n_draws, rng)
    n_as_extreme, n_reference = _count_as_extreme(statistics, arrangements.first)
    return Rerandomisation(
        p_value=math.nan if np.isnan(statistics[0, 0]) else float(n_as_extreme[0, 0] / n_reference),
        n_arrangements=arrangements.n_possible,
        exact=arrangements.exact,
        n_draws=0 if arrangements.exact else n_reference - 1,
    )


def max_t(
    Y: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    baseline: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    n_draws: int = 9999,
    rng: np.random.Generator,
) -> MaxT:
    """Family-wise adjusted p-values of several endpoints, which keep their correlation.

    Westfall and Young's step-down procedure on the smallest p-value (min-P): with unequal
    missingness the t statistics of two endpoints cannot be compared, their p-values can. All
    endpoints share each redrawn allocation of all patients; an endpoint uses the patients that have
    it. A single endpoint without missing values gives the p-value of `rerandomisation_test`.

    Parameters
    ----------
    Y
        Shape (n_patients, n_endpoints), NaN where a patient has no value.
    arm
        1 for treated, 0 for reference.
    baseline
        Values before treatment in the shape of `Y`, NaN where missing.
    strata
        Label of the stratum within which each patient was randomised.
    n_draws
        Random arrangements when there are too many to take all.
    rng
        Where the chance comes from; unused when exact.

    References
    ----------
    Ge, Dudoit and Speed 2003, doi:10.1007/BF02595811
    """
    values = real_matrix(Y, "Y", missing=True)
    before = None
    if baseline is not None:
        before = real_matrix(baseline, "baseline", shape=values.shape, missing=True)
    treated = arm_vector(arm, len(values))
    arrangements, statistics = _run(values, treated, before, strata, n_draws, rng)
    n_as_extreme, n_reference = _count_as_extreme(statistics, arrangements.first)
    p_adjusted = np.full(values.shape[1], np.nan)
    p_value = np.full(values.shape[1], np.nan)
    tested = ~np.isnan(statistics[0])
    counts = n_as_extreme[:, tested]
    p_value[tested] = counts[0] / n_reference
    p_adjusted[tested] = _step_down(counts[0], counts[arrangements.first :]) / n_reference
    return MaxT(p_adjusted, p_value, arrangements.n_possible, arrangements.exact)


def _run(
    values: FloatArray,
    treated: BoolArray,
    baseline: FloatArray | None,
    strata: npt.ArrayLike | None,
    n_draws: int,
    rng: np.random.Generator,
) -> tuple[Arrangements, FloatArray]:
    """The arrangements and the statistic of each (rows) for each endpoint (columns)."""
    codes = stratum_codes(strata, len(values))
    # Patients in an order of their own, so that the draws do not depend on the order given.
    keys = values if baseline is None else np.hstack([values, baseline])
    order = np.lexsort((*np.nan_to_num(keys, nan=np.inf).T, codes))
    values, treated, codes = values[order], treated[order], codes[order]
    arrangements = arrange(treated, codes, draw_count(n_draws, "n_draws", rng, at_least=1), rng)
    before = None if baseline is None else baseline[order]
    return arrangements, _statistics(arrangements.arms, values, before, codes)


def _statistics(
    arms: FloatArray, values: FloatArray, baseline: FloatArray | None, codes: IntArray
) -> FloatArray:
    """Share of the adjusted variation that the arm explains; row 0 is NaN where it has no t."""
    statistics = np.full((len(arms), values.shape[1]), np.nan)
    for endpoint in range(values.shape[1]):
        seen = ~np.isnan(values[:, endpoint])
        if not seen.any():
            continue
        before = None if baseline is None else baseline[seen, endpoint]
        basis = covariate_basis(int(seen.sum()), baseline=before, strata=codes[seen])
        if seen.sum() - basis.shape[1] < 2:
            continue
        left = residuals(values[seen, endpoint][:, None], basis)[:, 0]
        statistics[:, endpoint] = _explained(arms[:, seen], left, basis)
    return statistics


def _explained(arms: FloatArray, left: FloatArray, basis: FloatArray) -> FloatArray:
    information = arms.sum(axis=1) - ((arms @ basis) ** 2).sum(axis=1)
    aliased = information <= ALIAS_TOLERANCE * len(left)
    size = float(left @ left)
    unit = left / math.sqrt(size) if size > 0 else left
    explained = (arms @ unit) ** 2 / np.where(aliased, 1.0, information)
    if aliased[0]:
        explained[0] = math.nan
    return explained


def _count_as_extreme(statistics: FloatArray, first: int) -> tuple[IntArray, int]:
    """Of each arrangement, how many of the reference have at least its statistic."""
    reference = np.sort(np.nan_to_num(statistics[first:]), axis=0)
    n_reference = len(reference)
    counts = [
        n_reference - np.searchsorted(reference[:, endpoint], values - _SAME_STATISTIC)
        for endpoint, values in enumerate(np.nan_to_num(statistics).T)
    ]
    return np.column_stack(counts) if counts else np.empty((len(statistics), 0), int), n_reference


def _step_down(observed: IntArray, reference: IntArray) -> IntArray:
    """Of the reference, how many have a smallest p-value at most that observed, step by step."""
    order = np.argsort(observed, kind="stable")
    smallest = np.minimum.accumulate(reference[:, order[::-1]], axis=1)[:, ::-1]
    counts = (smallest <= observed[order]).sum(axis=0)
    adjusted = np.empty_like(observed)
    adjusted[order] = np.maximum.accumulate(counts)
    return adjusted
