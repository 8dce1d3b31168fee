r"""A linear mixed model with a random intercept per patient, fitted by REML.

The covariance of one patient's n values is :math:`\sigma^2 (I + \theta J)` with J all ones. Given
:math:`\theta`, the ratio of the variances between and within patients, all else has a closed form;
:math:`\theta` is 0 or the root of the profiled score, whichever has the higher likelihood. This
covariance weighs the values; the errors are those of `hiaim_sc.stats.clustered` and hold where the
values spread or correlate otherwise.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, NamedTuple

import numpy as np
from scipy.linalg import solve_triangular
from scipy.optimize import brentq

from hiaim_sc.stats.clustered import clustered_errors
from hiaim_sc.stats.covariates import NEGLIGIBLE

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import FloatArray, IntArray

# Ratios of the variances between which the score is searched for a change of sign.
_RATIOS = np.concatenate([[0.0], np.logspace(-6, 8, 43)])


@dataclass(frozen=True)
class RandomIntercept:
    """Coefficients of a mixed model, their errors and degrees of freedom, parts of the variance."""

    coefficients: FloatArray
    se: FloatArray
    df: FloatArray
    variance_between: float
    variance_within: float
    log_likelihood: float


class _Profile(NamedTuple):
    coefficients: FloatArray
    variance: float
    deviance: float
    # Derivative of the deviance by the ratio of the variances.
    score: float
    # Orthonormal basis of the whitened design, the weights of its rows, and what is left.
    orthogonal: FloatArray
    weights: FloatArray
    left: FloatArray


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
        se, df = np.full((2, len(first)), np.nan)
        return RandomIntercept(first, se, df, 0.0, 0.0, np.nan)
    is_split = np.bincount(patient).max() > 1
    ratio = _best_ratio(left, design, patient) if is_split else 0.0
    fit = _profile(ratio, left, design, patient)
    known = 1.0 if ratio < _RATIOS[-1] else np.nan
    se, df = clustered_errors(fit.orthogonal, fit.weights, fit.left, patient)
    return RandomIntercept(
        coefficients=first + fit.coefficients,
        se=se * known,
        df=df * known,
        variance_between=ratio * fit.variance if is_split else np.nan,
        variance_within=fit.variance if is_split else np.nan,
        log_likelihood=-fit.deviance / 2 * known,
    )


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
        variance=variance,
        deviance=float(freedom * (np.log(2 * np.pi * variance) + 1) + log_determinants),
        score=float((sizes * shrink**2).sum() - (seen**2).sum() - rest @ rest / variance),
        orthogonal=orthogonal,
        weights=orthogonal @ inverse.T,
        left=left,
    )
