r"""A patient's visits together: a linear mixed model with a random intercept, fitted by REML.

The covariance of one patient's n values is :math:`\sigma^2 (I + \theta J)` with J all ones. Given
:math:`\theta`, the ratio of the variances between and within patients, all else has a closed form;
:math:`\theta` is 0 or the root of the profiled score, whichever has the higher likelihood.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import qr, solve_triangular
from scipy.optimize import brentq

from hiaim_sc.stats._arrays import arm_vector, real_matrix, require_confidence, stratum_codes
from hiaim_sc.stats.covariates import NEGLIGIBLE, pool_small_strata
from hiaim_sc.stats.linear import estimable, t_inference

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import BoolArray, FloatArray, IntArray

# Ratios of the variances between which the score is searched for a change of sign.
_RATIOS = np.concatenate([[0.0], np.logspace(-6, 8, 43)])
_MIN_PATIENTS = 3
_RANK_TOLERANCE = 1e-9


@dataclass(frozen=True)
class ConstrainedLda:
    """Difference between arms at each visit after baseline, treated minus reference.

    Attributes
    ----------
    estimate
        Difference of the means per visit on the scale of `Y`.
    se
        Its standard error.
    df
        Degrees of freedom of t: patients minus the rank of intercept, strata and arm.
    ci_low, ci_high
        Confidence interval from the t distribution.
    p_value
        Two-sided p-value of t.
    variance_between, variance_within
        Variance of the patients' intercepts, and of the values around them.
    log_likelihood
        Restricted log-likelihood.
    n_patients
        Patients with a value at any visit.
    """

    estimate: FloatArray
    se: FloatArray
    df: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    p_value: FloatArray
    variance_between: float
    variance_within: float
    log_likelihood: float
    n_patients: int


@dataclass(frozen=True)
class RandomIntercept:
    """Coefficients of a mixed model, their standard errors, and the parts of the variance."""

    coefficients: FloatArray
    se: FloatArray
    variance_between: float
    variance_within: float
    log_likelihood: float


class _Profile(NamedTuple):
    coefficients: FloatArray
    unit_se: FloatArray
    variance: float
    deviance: float
    # Derivative of the deviance by the ratio of the variances.
    score: float


def constrained_lda(
    Y: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    strata: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> ConstrainedLda:
    r"""Difference between arms at each visit, from all values of all patients.

    Constrained longitudinal data analysis: :math:`y_{it} = \gamma_{s(i)} + \tau_t + \beta_t\,
    \mathrm{arm}_i\,[t \ge 1] + b_i + \varepsilon_{it}`, the arms equal at baseline, as randomised.
    A patient with any value takes part; values may be missing at random given those that are there.
    Small strata are pooled as in `hiaim_sc.stats.covariates`.

    NaN: a visit at which an arm has no value; everything with fewer than three patients, one arm
    only, or fewer than two observations beyond the coefficients; the variances where no patient has
    two values; what follows from them where the model leaves none within patients.

    Parameters
    ----------
    Y
        Analysed values, shape (n_patients, n_visits), the first visit the baseline; NaN if missing.
    arm
        1 for treated, 0 for reference.
    strata
        Label of each patient's stratum.
    confidence
        Level of the interval.

    Examples
    --------
    >>> Y = [[1, 2], [2, 4], [3, 3], [1, 5], [2, 5], [3, 8]]
    >>> result = constrained_lda(Y, [0, 0, 0, 1, 1, 1])
    >>> result.estimate.round(6).tolist(), result.df.tolist()
    ([3.0], [4.0])

    References
    ----------
    Liang and Zeger 2000, Sankhya B 62:134-148
    """
    values = real_matrix(Y, "Y", missing=True)
    if values.shape[1] < 2:
        message = f"Y has {values.shape[1]} visit(s), expected a baseline and at least one more"
        raise ValueError(message)
    treated = arm_vector(arm, len(values))
    codes = stratum_codes(strata, len(values))
    require_confidence(confidence)
    present = ~np.isnan(values).all(axis=1)
    values, treated = values[present], treated[present]
    levels = pool_small_strata(codes[present])
    between = np.column_stack([np.ones(len(levels)), *(levels == s for s in np.unique(levels)[1:])])
    fit, estimate, se = _arm_effects(values, treated, between)
    rank = np.linalg.matrix_rank(np.column_stack([between, treated])) if len(values) else 0
    df = np.where(np.isnan(estimate), np.nan, float(len(values) - rank))
    _, p_value, half_width = t_inference(estimate, se, df, confidence)
    return ConstrainedLda(
        estimate=estimate,
        se=se,
        df=df,
        ci_low=estimate - half_width,
        ci_high=estimate + half_width,
        p_value=p_value,
        variance_between=fit.variance_between,
        variance_within=fit.variance_within,
        log_likelihood=fit.log_likelihood,
        n_patients=len(values),
    )


def fit_random_intercept(
    values: FloatArray, design: FloatArray, patient: IntArray
) -> RandomIntercept:
    """Linear mixed model with a random intercept per patient, by restricted maximum likelihood.

    Parameters
    ----------
    values
        One per observation.
    design
        Fixed effects, shape (n_observations, n_columns): fewer columns than rows, of full rank.
    patient
        Code of each observation's patient, 0, 1, ..., none left out.
    """
    # The rest of least squares has the same likelihood, and no large constant to lose digits to.
    first = np.linalg.lstsq(design, values)[0]
    left = values - design @ first
    if left @ left <= NEGLIGIBLE**2 * (values @ values):
        return RandomIntercept(first, np.full(len(first), np.nan), 0.0, 0.0, np.nan)
    is_split = np.bincount(patient).max() > 1
    ratio = _best_ratio(left, design, patient) if is_split else 0.0
    fit = _profile(ratio, left, design, patient)
    known = 1.0 if ratio < _RATIOS[-1] else np.nan
    return RandomIntercept(
        coefficients=first + fit.coefficients,
        se=np.sqrt(fit.variance) * fit.unit_se * known,
        variance_between=ratio * fit.variance if is_split else np.nan,
        variance_within=fit.variance if is_split else np.nan,
        log_likelihood=-fit.deviance / 2 * known,
    )


def _arm_effects(
    values: FloatArray, treated: BoolArray, between: FloatArray
) -> tuple[RandomIntercept, FloatArray, FloatArray]:
    """The fit, and effect of the arm with its standard error at each visit after baseline."""
    patient, visit = np.nonzero(~np.isnan(values))
    visits = (visit[:, None] == np.arange(1, values.shape[1])).astype(np.float64)
    design = np.column_stack([between[patient], visits, visits * treated[patient, None]])
    estimate, se = np.full((2, visits.shape[1]), np.nan)
    undefined = RandomIntercept(estimate, se, np.nan, np.nan, np.nan)
    if len(values) < _MIN_PATIENTS:
        return undefined, estimate, se
    # Any largest independent set of columns holds all those that can be estimated.
    _, triangle, pivot = qr(design, mode="economic", pivoting=True)
    size = np.abs(np.diag(triangle))
    kept = np.sort(pivot[: len(size)][size > _RANK_TOLERANCE * size[0]])
    effects = design.shape[1] - visits.shape[1] + np.arange(visits.shape[1])
    found = np.array([bool(estimable(design, np.eye(design.shape[1])[j])) for j in effects])
    if not found.any() or len(design) - len(kept) < 2:
        return undefined, estimate, se
    fit = fit_random_intercept(values[patient, visit], design[:, kept], patient)
    position = np.searchsorted(kept, effects[found])
    estimate[found], se[found] = fit.coefficients[position], fit.se[position]
    return fit, estimate, se


def _best_ratio(*data: npt.NDArray) -> float:
    def score(ratio: float) -> float:
        return _profile(ratio, *data).score

    scores = pairwise([score(ratio) for ratio in _RATIOS])
    starts = [i for i, (low, high) in enumerate(scores) if low < 0 <= high]
    minima = [brentq(score, _RATIOS[i], _RATIOS[i + 1], xtol=1e-15) for i in starts]
    candidates = [0.0, *minima, float(_RATIOS[-1])]
    return min(candidates, key=lambda ratio: _profile(ratio, *data).deviance)


def _profile(ratio: float, values: FloatArray, design: FloatArray, patient: IntArray) -> _Profile:
    """Generalised least squares at one ratio, by least squares on partly centred values."""
    sizes = np.bincount(patient)
    member = (np.arange(len(sizes))[:, None] == patient).astype(np.float64)
    shrink = 1 / np.sqrt(1 + ratio * sizes)
    both = np.column_stack([design, values])
    both = both - (((1 - shrink) / sizes)[:, None] * (member @ both))[patient]
    orthogonal, triangle = np.linalg.qr(both[:, :-1])
    coefficients = solve_triangular(triangle, orthogonal.T @ both[:, -1])
    left = both[:, -1] - both[:, :-1] @ coefficients
    freedom = len(values) - design.shape[1]
    variance = float(left @ left) / freedom
    # Sums per patient, weighted by the inverse covariance: of the design in the basis, of the rest.
    seen, rest = shrink[:, None] * (member @ orthogonal), shrink * (member @ left)
    inverse = solve_triangular(triangle, np.eye(len(triangle)))
    log_determinants = np.log1p(ratio * sizes).sum() + 2 * np.log(np.abs(np.diag(triangle))).sum()
    return _Profile(
        coefficients=coefficients,
        unit_se=np.sqrt((inverse**2).sum(axis=1)),
        variance=variance,
        deviance=float(freedom * (np.log(2 * np.pi * variance) + 1) + log_determinants),
        score=float((sizes * shrink**2).sum() - (seen**2).sum() - rest @ rest / variance),
    )
