r"""Many features in few patients: t tests that borrow variance from each other.

References
----------
Smyth 2004, doi:10.2202/1544-6115.1027. Implemented from the formulas.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.special import digamma, polygamma

from hiaim_sc.stats._arrays import arm_vector, real_matrix, require_confidence, variance_vector
from hiaim_sc.stats.covariates import covariate_basis
from hiaim_sc.stats.linear import fit_arm, t_inference

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import BoolArray, FloatArray

# A variance this much below the median is one that a constant feature left behind.
_LEAST_VARIANCE = 1e-5
_DF_BRACKET = (1e-6, 1e12)


@dataclass(frozen=True)
class VariancePrior:
    """Scaled inverse chi-square distribution of the features' variances, and what it does to them.

    Attributes
    ----------
    df
        Prior degrees of freedom d0; infinite when the variances differ no more than by chance, 0
        when fewer than two features have one.
    variance
        Prior variance s0 squared; NaN when `df` is 0.
    squeezed
        Posterior variance per feature.
    squeezed_df
        Degrees of freedom per feature, prior and residual together.
    """

    df: float
    variance: float
    squeezed: FloatArray
    squeezed_df: FloatArray


@dataclass(frozen=True)
class ModeratedT:
    """Difference between arms per feature, treated minus reference.

    Attributes
    ----------
    estimate
        Adjusted difference of the means.
    se
        Its moderated standard error.
    df
        Prior and residual degrees of freedom together.
    ci_low, ci_high
        Confidence interval.
    statistic
        Moderated t.
    p_value
        Two-sided p-value, not adjusted for the number of features.
    prior_df, prior_variance
        What the features share, see `VariancePrior`.
    """

    estimate: FloatArray
    se: FloatArray
    df: FloatArray
    ci_low: FloatArray
    ci_high: FloatArray
    statistic: FloatArray
    p_value: FloatArray
    prior_df: float
    prior_variance: float


def moderated_t(
    Y: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    baseline: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> ModeratedT:
    r"""Adjusted difference between arms of each feature, with squeezed variances.

    Per feature the model of `ancova`; then
    :math:`\tilde s^2 = (d_0 s_0^2 + d s^2)/(d_0 + d)` with :math:`d_0 + d` degrees of freedom, at
    most the residual ones of all features together.

    Parameters
    ----------
    Y
        Shape (n_patients, n_features): logits of proportions, changes of log counts.
    arm
        1 for treated, 0 for reference.
    baseline
        Values before treatment in the shape of `Y`, NaN where missing.
    strata
        Label of each patient's stratum.
    confidence
        Level of the intervals.
    """
    values = real_matrix(Y, "Y")
    treated = arm_vector(arm, len(values))
    require_confidence(confidence)
    estimate, unit_variance, variance, df = _fit_features(values, treated, baseline, strata)
    prior = squeeze_variances(variance, df)
    se = np.sqrt(prior.squeezed * unit_variance)
    statistic, p_value, half_width = t_inference(estimate, se, prior.squeezed_df, confidence)
    return ModeratedT(
        estimate=estimate,
        se=se,
        df=prior.squeezed_df,
        ci_low=estimate - half_width,
        ci_high=estimate + half_width,
        statistic=statistic,
        p_value=p_value,
        prior_df=prior.df,
        prior_variance=prior.variance,
    )


def squeeze_variances(variance: npt.ArrayLike, df: npt.ArrayLike) -> VariancePrior:
    r"""Prior fitted to the variances of all features by the moments of their logarithms.

    With :math:`e = \ln s^2 - \psi(d/2) + \ln(d/2)`: :math:`\psi'(d_0/2) = \mathrm{var}(e) -
    \overline{\psi'(d/2)}`, :math:`s_0^2 = \exp(\bar e + \psi(d_0/2) - \ln(d_0/2))`. Variances below
    1e-5 of their median are lifted to it before the fit (the posterior takes them as they are).

    Parameters
    ----------
    variance
        Residual variance per feature; NaN is kept and left out of the fit.
    df
        Residual degrees of freedom per feature.
    """
    s2 = variance_vector(variance, "variance", missing=True)
    d = variance_vector(np.broadcast_to(np.asarray(df, dtype=np.float64), s2.shape), "df")
    known = ~np.isnan(s2) & (d > 0)
    median = float(np.median(s2[known])) if known.any() else 0.0
    if known.sum() < 2 or median <= 0:
        return VariancePrior(0.0, float("nan"), s2, d)
    prior_df, prior_variance = _fit_prior(np.maximum(s2[known], _LEAST_VARIANCE * median), d[known])
    if np.isinf(prior_df):
        squeezed = np.where(known, prior_variance, np.nan)
    else:
        squeezed = (prior_df * prior_variance + d * s2) / (prior_df + d)
    squeezed_df = np.minimum(prior_df + d, d[known].sum())
    return VariancePrior(prior_df, prior_variance, squeezed, squeezed_df)


def _fit_prior(s2: FloatArray, d: FloatArray) -> tuple[float, float]:
    e = np.log(s2) - digamma(d / 2) + np.log(d / 2)
    excess = float(e.var(ddof=1) - polygamma(1, d / 2).mean())
    low, high = _DF_BRACKET
    if excess <= polygamma(1, high):
        return float("inf"), float(np.exp(e.mean()))
    half = float(brentq(lambda value: float(polygamma(1, value)) - excess, low, high, xtol=1e-12))
    return 2 * half, float(np.exp(e.mean() + digamma(half) - np.log(half)))


def _fit_features(
    values: FloatArray,
    treated: BoolArray,
    baseline: npt.ArrayLike | None,
    strata: npt.ArrayLike | None,
) -> tuple[FloatArray, FloatArray, FloatArray, FloatArray]:
    """Estimate, unit variance, residual variance and df per feature."""
    n_patients, n_features = values.shape
    if baseline is None:
        fit = fit_arm(values, treated, covariate_basis(n_patients, strata=strata))
        ones = np.ones(n_features)
        return fit.estimate, ones * fit.unit_variance, fit.residual_variance, ones * fit.df
    before = real_matrix(baseline, "baseline", shape=values.shape, missing=True)
    fits = [
        fit_arm(
            values[:, [feature]],
            treated,
            covariate_basis(n_patients, baseline=before[:, feature], strata=strata),
        )
        for feature in range(n_features)
    ]
    return (
        np.array([fit.estimate[0] for fit in fits]),
        np.array([fit.unit_variance for fit in fits]),
        np.array([fit.residual_variance[0] for fit in fits]),
        np.array([float(fit.df) for fit in fits]),
    )
