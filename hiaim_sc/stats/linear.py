"""Linear models of one number per patient: arm against arm, and what a design can tell."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import stats

from hiaim_sc.stats._arrays import arm_vector, real_matrix, real_vector, require_confidence
from hiaim_sc.stats.covariates import NEGLIGIBLE, covariate_basis, residuals

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import BoolArray, FloatArray

# Share of the arm's own variation below which the covariates have explained the arm away.
ALIAS_TOLERANCE = 1e-9
_RANK_TOLERANCE = 1e-9
# Share of a contrast below which a column takes no part in its alias.
_PART_TOLERANCE = 1e-8


@dataclass(frozen=True)
class Ancova:
    """Adjusted difference between arms, treated minus reference.

    Attributes
    ----------
    estimate
        Difference of the means on the scale of `y`.
    se
        Its standard error.
    df
        Residual degrees of freedom, patients minus the rank of the design.
    ci_low, ci_high
        Confidence interval from the t distribution.
    statistic
        t, the estimate over its standard error.
    p_value
        Two-sided p-value of t.
    n_reference, n_treated
        Patients in each arm.
    """

    estimate: float
    se: float
    df: int
    ci_low: float
    ci_high: float
    statistic: float
    p_value: float
    n_reference: int
    n_treated: int


@dataclass(frozen=True)
class Estimability:
    """Whether a contrast can be estimated from a design; true or false where a bool is asked.

    Attributes
    ----------
    estimable
        Whether the contrast lies in the row space of the design.
    aliased
        Names of the columns that cannot be told apart from the contrast; empty when estimable.
    rank
        Rank of the design.
    n_columns
        Columns of the design.
    variance
        Variance of the estimated contrast in units of the residual variance; NaN when not
        estimable. The ratio of two designs' variances is the price of the columns they differ in.
    """

    estimable: bool
    aliased: tuple[str, ...]
    rank: int
    n_columns: int
    variance: float

    def __bool__(self) -> bool:
        return self.estimable


@dataclass(frozen=True)
class ArmFit:
    """Least squares of many columns on one design.

    Attributes
    ----------
    estimate
        Arm coefficient per column; NaN where the covariates explain the arm.
    unit_variance
        Variance of the coefficient in units of the residual variance.
    residual_variance
        Per column; NaN without degrees of freedom, or where the covariates explain the column.
    df
        Residual degrees of freedom.
    """

    estimate: FloatArray
    unit_variance: float
    residual_variance: FloatArray
    df: int


def ancova(
    y: npt.ArrayLike,
    arm: npt.ArrayLike,
    *,
    baseline: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
    confidence: float = 0.95,
) -> Ancova:
    r"""Difference between arms, adjusted for baseline and strata, by ordinary least squares.

    :math:`y = \beta_0 + \beta_1\,\mathrm{arm} + \beta_2\,\mathrm{baseline} + \sum_s \gamma_s +
    \varepsilon`; the estimate is :math:`\beta_1`. How small strata and missing baselines enter
    stands in `hiaim_sc.stats.covariates`. Everything is NaN where the covariates explain the arm
    (one arm only, say); the error and what follows from it, without a degree of freedom or where
    the covariates explain `y`.

    Parameters
    ----------
    y
        The analysed value of each patient. Select the patients that have one.
    arm
        1 for treated, 0 for reference; numbers or booleans.
    baseline
        Value before treatment, NaN where missing.
    strata
        Label of each patient's stratum.
    confidence
        Level of the interval.

    Examples
    --------
    >>> result = ancova([2, 3, 5, 4, 6, 7], [0, 0, 0, 1, 1, 1], baseline=[1, 2, 3, 1, 2, 3])
    >>> round(result.estimate, 6), round(result.p_value, 6)
    (2.333333, 0.003336)
    """
    values = real_vector(y, "y")
    treated = arm_vector(arm, len(values))
    require_confidence(confidence)
    basis = covariate_basis(len(values), baseline=baseline, strata=strata)
    fit = fit_arm(values[:, None], treated, basis)
    estimate = float(fit.estimate[0])
    se = float(np.sqrt(fit.residual_variance[0] * fit.unit_variance))
    statistic, p_value, half_width = t_inference(estimate, se, fit.df, confidence)
    return Ancova(
        estimate=estimate,
        se=se,
        df=fit.df,
        ci_low=estimate - float(half_width),
        ci_high=estimate + float(half_width),
        statistic=float(statistic),
        p_value=float(p_value),
        n_reference=int((~treated).sum()),
        n_treated=int(treated.sum()),
    )


def fit_arm(values: FloatArray, treated: BoolArray, basis: FloatArray) -> ArmFit:
    """Arm coefficient of each column, the covariates projected out of both sides.

    Parameters
    ----------
    values
        Shape (n_patients, n_columns).
    treated
        Arm of each patient.
    basis
        As `covariate_basis` returns it.
    """
    arm_left = residuals(treated.astype(np.float64)[:, None], basis)[:, 0]
    information = float(arm_left @ arm_left)
    if information <= ALIAS_TOLERANCE * max(len(treated), 1):
        undefined = np.full(values.shape[1], np.nan)
        return ArmFit(undefined, np.nan, undefined, max(len(treated) - basis.shape[1], 0))
    df = len(treated) - basis.shape[1] - 1
    left = residuals(values, basis)
    estimate = arm_left @ left / information
    unexplained = left - np.outer(arm_left, estimate)
    squares = (unexplained**2).sum(axis=0)
    # A perfect fit leaves rounding behind, which is no variance.
    squares = np.where(squares <= NEGLIGIBLE**2 * (values**2).sum(axis=0), 0.0, squares)
    known = (left**2).any(axis=0) & (df > 0)
    variance = np.where(known, squares / max(df, 1), np.nan)
    return ArmFit(estimate, 1.0 / information, variance, df)


def t_inference(
    estimate: npt.ArrayLike, se: npt.ArrayLike, df: npt.ArrayLike, confidence: float
) -> tuple[FloatArray, FloatArray, FloatArray]:
    """T statistic, two-sided p-value and half width of the interval; NaN where df is 0."""
    freedom = np.where(np.asarray(df) > 0, df, np.nan)
    with np.errstate(divide="ignore", invalid="ignore"):
        statistic = np.asarray(estimate) / np.asarray(se)
    p_value = 2 * stats.t.sf(np.abs(statistic), freedom)
    half_width = stats.t.ppf((1 + confidence) / 2, freedom) * np.asarray(se)
    return statistic, p_value, half_width


def estimable(X: pd.DataFrame | npt.ArrayLike, contrast: npt.ArrayLike) -> Estimability:
    r"""Whether the contrast :math:`c'\beta` can be estimated: :math:`c X^+ X = c`.

    If not, `aliased` names the columns with a part in the direction of the null space of X that c
    has: effects that the data cannot tell from the contrast.

    Parameters
    ----------
    X
        Design, a row per observation. Names come from the columns of a table, else they are
        "0", "1", ...
    contrast
        One weight per column.
    """
    design = real_matrix(np.asarray(X), "X")
    n_columns = design.shape[1]
    weights = real_vector(contrast, "contrast", length=n_columns)
    names = [str(name) for name in X.columns] if isinstance(X, pd.DataFrame) else None
    length = np.sqrt((design**2).sum(axis=0))
    length = np.where(length > 0, length, 1.0)
    _, size, right = np.linalg.svd(design / length, full_matrices=True)
    rank = int((size > _RANK_TOLERANCE * size.max(initial=0.0)).sum())
    seen, null = right[:rank], right[rank:]
    scaled = weights / length
    part = np.abs(null.T @ (null @ scaled))
    is_part = part > _PART_TOLERANCE * max(
        float(np.abs(scaled).max(initial=0.0)), np.nextafter(0, 1)
    )
    is_estimable = not is_part.any()
    variance = float((((seen @ scaled) / size[:rank]) ** 2).sum())
    return Estimability(
        estimable=is_estimable,
        aliased=tuple(
            (names or list(map(str, range(n_columns))))[i] for i in np.flatnonzero(is_part)
        ),
        rank=rank,
        n_columns=n_columns,
        variance=variance if is_estimable else float("nan"),
    )
