"""A patient's visits together: the difference between arms at each, from all values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.linalg import qr

from hiaim_sc.stats._arrays import arm_vector, real_matrix, require_confidence, stratum_codes
from hiaim_sc.stats.covariates import pool_small_strata
from hiaim_sc.stats.linear import estimable, t_inference
from hiaim_sc.stats.random_intercept import RandomIntercept, fit_random_intercept

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import BoolArray, FloatArray

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
        Its standard error, from the residuals of the patients.
    df
        Degrees of freedom of t, by Satterthwaite.
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
    A patient with any value takes part; values may be missing at random given those that are there,
    as far as the random intercept tells how those hang together. Errors and degrees of freedom rest
    on the patients with a value at the visit: their spread there may be another than at baseline.
    Small strata are pooled as in `hiaim_sc.stats.covariates`.

    NaN: a visit at which an arm has no value; everything with fewer than three patients, one arm
    only, or fewer than two observations beyond the coefficients; the error where an arm has one
    value; the variances where no patient has two values; what follows from them where the model
    leaves none within patients.

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
    >>> result.estimate.round(6).tolist(), result.df.round(6).tolist()
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
    fit, (estimate, se, df) = _arm_effects(values, treated, between)
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


def _arm_effects(
    values: FloatArray, treated: BoolArray, between: FloatArray
) -> tuple[RandomIntercept, FloatArray]:
    """The fit; effect of the arm, standard error and df as rows, a visit after baseline each."""
    patient, visit = np.nonzero(~np.isnan(values))
    visits = (visit[:, None] == np.arange(1, values.shape[1])).astype(np.float64)
    design = np.column_stack([between[patient], visits, visits * treated[patient, None]])
    effects = np.full((3, visits.shape[1]), np.nan)
    estimate, se, df = effects
    undefined = RandomIntercept(estimate, se, df, np.nan, np.nan, np.nan)
    if len(values) < _MIN_PATIENTS:
        return undefined, effects
    # Any largest independent set of columns holds all those that can be estimated.
    _, triangle, pivot = qr(design, mode="economic", pivoting=True)
    size = np.abs(np.diag(triangle))
    kept = np.sort(pivot[: len(size)][size > _RANK_TOLERANCE * size[0]])
    columns = design.shape[1] - visits.shape[1] + np.arange(visits.shape[1])
    found = np.array([bool(estimable(design, np.eye(design.shape[1])[j])) for j in columns])
    if not found.any() or len(design) - len(kept) < 2:
        return undefined, effects
    fit = fit_random_intercept(values[patient, visit], design[:, kept], patient)
    position = np.searchsorted(kept, columns[found])
    effects[:, found] = np.array([fit.coefficients, fit.se, fit.df])[:, position]
    return fit, effects
