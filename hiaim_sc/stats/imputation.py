r"""Patients without an outcome: multiple imputation, and how wrong it may be before it matters.

A missing outcome is drawn from a linear regression of the arm's own patients on baseline, strata
and auxiliary columns, its coefficients and residual variance drawn anew for each imputation
(Rubin 1987): :math:`\sigma_*^2 = \mathrm{RSS} / \chi^2_\nu`, :math:`\beta_* \sim
N(\hat\beta, \sigma_*^2 (X'X)^{-1})`. Small strata and missing baselines or auxiliary values enter
as in `hiaim_sc.stats.covariates`, within the arm. Where no observed patient of the arm tells a
coefficient (of a stratum whose outcomes are all missing), the arm's mean is assumed.
"""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import orth

from hiaim_sc.stats._arrays import arm_vector, draw_count, real_matrix, real_vector, stratum_codes
from hiaim_sc.stats.covariates import covariate_basis
from hiaim_sc.stats.linear import fit_arm, t_inference

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import BoolArray, FloatArray, IntArray

_RANK_TOLERANCE = 1e-9


@dataclass(frozen=True)
class MultipleImputation:
    """Adjusted difference between arms, treated minus reference, over all imputations.

    Attributes
    ----------
    estimate, se
        Mean of the imputations' estimates; root of the variance within and between imputations.
    df
        Barnard and Rubin's degrees of freedom; those of `ancova` with nothing missing.
    ci_low, ci_high
        95 % confidence interval from the t distribution.
    p_value
        Two-sided p-value of t.
    missing_share
        Share of the variance that is due to the missing outcomes.
    n_imputed
        Patients without an outcome.
    """

    estimate: float
    se: float
    df: float
    ci_low: float
    ci_high: float
    p_value: float
    missing_share: float
    n_imputed: int


@dataclass(frozen=True)
class _Trial:
    values: FloatArray
    treated: BoolArray
    codes: IntArray
    # Baseline, then the auxiliary ones.
    columns: FloatArray


def multiple_imputation(  # noqa: PLR0913  one parameter per column of the trial
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    baseline: npt.ArrayLike | None,
    strata: npt.ArrayLike | None = None,
    auxiliary: npt.ArrayLike | None = None,
    n_imputations: int = 50,
    delta: float = 0.0,
    rng: np.random.Generator,
) -> MultipleImputation:
    r"""Difference between arms of all patients, missing outcomes imputed, pooled by Rubin's rules.

    Each of m completed data sets is analysed by `ancova`; the total variance is the mean of theirs
    plus :math:`1 + 1/m` times that between their estimates. With nothing missing the result is that
    of `ancova`. NaN where `ancova` is, and where an arm with missing outcomes has no more observed
    ones than its regression has coefficients.

    Parameters
    ----------
    y
        The analysed value of each patient, NaN where missing.
    arm
        1 for treated, 0 for reference.
    baseline
        Value before treatment, NaN where missing; None without.
    strata
        Label of each patient's stratum.
    auxiliary
        Columns for the imputation only, shape (n_patients, n_columns), NaN where missing.
    n_imputations
        Completed data sets, at least 2.
    delta
        Added to the imputed values of the treated arm: what its missing patients did better.
    rng
        Where the chance comes from; unused without a missing outcome.

    Examples
    --------
    >>> rng = np.random.default_rng(1)
    >>> result = multiple_imputation(
    ...     [2, 3, 5, 4, 6, 7], [0, 0, 0, 1, 1, 1], baseline=[1, 2, 3, 1, 2, 3], rng=rng
    ... )
    >>> round(result.estimate, 6), round(result.p_value, 6)
    (2.333333, 0.003336)

    References
    ----------
    Barnard and Rubin 1999, doi:10.1093/biomet/86.4.948
    """
    trial = _trial(y, arm, baseline, strata, auxiliary)
    shift = float(real_vector([delta], "delta")[0])
    return _pool(trial, _complete(trial, n_imputations, rng), shift)


def tipping_point(  # noqa: PLR0913  one parameter per column of the trial
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    baseline: npt.ArrayLike | None,
    strata: npt.ArrayLike | None = None,
    auxiliary: npt.ArrayLike | None = None,
    n_imputations: int = 50,
    alpha: float = 0.05,
    deltas: npt.ArrayLike,
    rng: np.random.Generator,
) -> float:
    """The smallest shift of the treated arm's imputed values that overturns a significant result.

    The shifts are tried from the one nearest to 0 outwards, on the imputations that the same `rng`
    gives `multiple_imputation`, until the p-value exceeds `alpha` or the estimate changes its sign.
    0 where no significance is to be overturned; NaN where no shift does, or an arm is not imputed.

    Parameters
    ----------
    y, arm, baseline, strata, auxiliary, n_imputations, rng
        As in `multiple_imputation`.
    alpha
        Two-sided level of significance.
    deltas
        Shifts to try, on the scale of `y`.
    """
    trial = _trial(y, arm, baseline, strata, auxiliary)
    if not 0 < alpha < 1:
        message = f"alpha must lie between 0 and 1, got {alpha!r}"
        raise ValueError(message)
    shifts = real_vector(deltas, "deltas")
    completed = _complete(trial, n_imputations, rng)
    sign = np.sign(_pool(trial, completed, 0.0).estimate)
    for shift in [0.0, *sorted(shifts.tolist(), key=abs)]:
        shifted = _pool(trial, completed, shift)
        if shifted.p_value > alpha or sign * shifted.estimate < 0:
            return shift
    return math.nan


def _trial(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    baseline: npt.ArrayLike | None,
    strata: npt.ArrayLike | None,
    auxiliary: npt.ArrayLike | None,
) -> _Trial:
    values = real_vector(y, "y", missing=True)
    n = len(values)
    treated, codes = arm_vector(arm, n), stratum_codes(strata, n)
    # The covariates leave out a baseline that nobody has.
    before = np.full(n, np.nan) if baseline is None else baseline
    before = real_vector(before, "baseline", length=n, missing=True)
    others = np.empty((n, 0)) if auxiliary is None else auxiliary
    others = real_matrix(others, "auxiliary", missing=True)
    if len(others) != n:
        message = f"auxiliary has {len(others)} rows, expected {n}: one per patient"
        raise ValueError(message)
    # Patients in an order of their own, so that the draws do not depend on the order given.
    columns = np.column_stack([before, others])
    keys = np.nan_to_num(np.column_stack([columns, values, treated]), nan=np.inf)
    at = np.lexsort((codes, *keys.T))
    return _Trial(values[at], treated[at], codes[at], columns[at])


def _complete(trial: _Trial, n_imputations: int, rng: np.random.Generator) -> FloatArray:
    """Outcomes with the missing ones drawn, shape (n_patients, n_imputations)."""
    n_draws = draw_count(n_imputations, "n_imputations", rng, at_least=2)
    completed = np.repeat(trial.values[:, None], n_draws, axis=1)
    for side in (~trial.treated, trial.treated):
        values, codes, columns = trial.values[side], trial.codes[side], trial.columns[side].T
        bases = [covariate_basis(len(codes), baseline=column, strata=codes) for column in columns]
        if np.isnan(values).any():
            predictors = orth(np.hstack(bases), rcond=_RANK_TOLERANCE)
            absent = np.flatnonzero(side)[np.isnan(values)]
            completed[absent] = _draw(values, predictors, n_draws, rng)
    return completed


def _draw(
    values: FloatArray, predictors: FloatArray, n_imputations: int, rng: np.random.Generator
) -> FloatArray:
    """Draws of the missing values of one arm; NaN without a degree of freedom."""
    missing = np.isnan(values)
    known, observed = predictors[~missing], values[~missing]
    freedom = len(observed) - np.linalg.matrix_rank(known, tol=_RANK_TOLERANCE)
    if freedom < 1:
        return np.full((int(missing.sum()), n_imputations), np.nan)
    # The coefficients are drawn as those of outcomes with fresh errors, which needs no basis.
    inverse = np.linalg.pinv(known, rtol=_RANK_TOLERANCE)
    centre = observed.mean()
    left = observed - centre
    left = left - known @ (inverse @ left)
    spread = np.sqrt(left @ left / rng.chisquare(freedom, n_imputations))
    errors = rng.standard_normal((len(values), n_imputations)) * spread
    coefficients = inverse @ ((observed - centre)[:, None] + errors[~missing])
    return centre + predictors[missing] @ coefficients + errors[missing]


def _pool(trial: _Trial, completed: FloatArray, delta: float) -> MultipleImputation:
    missing = np.isnan(trial.values)
    basis = covariate_basis(len(missing), baseline=trial.columns[:, 0], strata=trial.codes)
    shifted = completed + delta * (missing & trial.treated)[:, None]
    fit = fit_arm(shifted, trial.treated, basis)
    estimate, df, share = float(fit.estimate.mean()), float(fit.df), 0.0
    total = float(fit.residual_variance.mean()) * fit.unit_variance
    if missing.any():
        n_imputations = completed.shape[1]
        between = (1 + 1 / n_imputations) * float(fit.estimate.var(ddof=1))
        total += between
        share = between / total if total > 0 else math.nan
        df *= (df + 1) / (df + 3) * (1 - share)
        df /= 1 + df * share**2 / (n_imputations - 1)
    _, p_value, half_width = t_inference(estimate, math.sqrt(total), df, confidence=0.95)
    return MultipleImputation(
        estimate=estimate,
        se=math.sqrt(total),
        df=df,
        ci_low=estimate - float(half_width),
        ci_high=estimate + float(half_width),
        p_value=float(p_value),
        missing_share=share,
        n_imputed=int(missing.sum()),
    )
