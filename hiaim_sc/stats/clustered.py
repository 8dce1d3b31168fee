r"""Standard errors from the patients themselves, where a model of their values only weighs them.

The variance of a coefficient :math:`\sum_i w_i'y_i` is estimated by :math:`\sum_i (w_i'
(I - H_i)^{-1/2} e_i)^2` over patients i, e being residuals and H the hat matrix: it holds whatever
the variances and correlations within a patient, and where those are as assumed its expectation is
the variance (CR2 of Bell and McCaffrey 2002). Satterthwaite's degrees of freedom of that sum count
the patients whose residuals it has: those without a value at a visit tell little of its spread.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from hiaim_sc.stats._arrays import FloatArray, IntArray

# Share of a value's variance below which its residual has none.
_NONE = 1e-9
# Share of a coefficient's variance that the residuals may miss.
_SAME = 1e-5


def clustered_errors(
    orthogonal: FloatArray, weights: FloatArray, residuals: FloatArray, patient: IntArray
) -> tuple[FloatArray, FloatArray]:
    """Standard error and degrees of freedom of each coefficient.

    NaN where a coefficient rests on values that one patient alone determines, such as the only one
    of an arm: no residual tells how far they lie off.

    Parameters
    ----------
    orthogonal
        Orthonormal basis of the design, a row per observation, the values scaled to be independent.
    weights
        Of the observations in each coefficient, a column per coefficient.
    residuals
        One per observation.
    patient
        Code of each observation's patient, 0, 1, ..., none left out.

    References
    ----------
    Bell and McCaffrey 2002, Survey Methodology 28:169-181
    """
    adjusted = np.empty_like(weights)
    for i in range(patient.max() + 1):
        rows = patient == i
        basis = orthogonal[rows]
        size, axes = np.linalg.eigh(np.eye(len(basis)) - basis @ basis.T)
        root = np.where(size > _NONE, 1 / np.sqrt(np.maximum(size, _NONE)), 0.0)
        adjusted[rows] = (axes * root) @ (axes.T @ weights[rows])
    member = (np.arange(patient.max() + 1)[:, None] == patient).astype(np.float64)
    se = np.sqrt(((member @ (adjusted * residuals[:, None])) ** 2).sum(axis=0))
    # Its square is a quadratic form of independent values, of the matrix D - SS' with D diagonal.
    diagonal, df = member @ adjusted**2, np.full(weights.shape[1], np.nan)
    for j, (d, column) in enumerate(zip(diagonal.T, adjusted.T, strict=True)):
        S = member @ (column[:, None] * orthogonal)
        mean = d.sum() - (S**2).sum()
        squares = (d**2).sum() - 2 * d @ (S**2).sum(axis=1) + ((S.T @ S) ** 2).sum()
        is_whole = math.isclose(mean, (weights[:, j] ** 2).sum(), rel_tol=_SAME)
        df[j] = mean**2 / squares if is_whole else np.nan
    return np.where(np.isnan(df), np.nan, se), df
