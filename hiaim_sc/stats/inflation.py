"""What further covariates would cost the comparison of two arms."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.stats._arrays import arm_vector, real_matrix
from hiaim_sc.stats.covariates import covariate_basis
from hiaim_sc.stats.linear import estimable

if TYPE_CHECKING:
    import numpy.typing as npt


def variance_inflation(
    arm: npt.ArrayLike,
    columns: npt.ArrayLike,
    *,
    baseline: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
) -> float:
    r"""Variance of the adjusted difference with further columns over that without them.

    1 where the columns have nothing to do with the arm. Of groups that only the arm is adjusted
    for it is :math:`1 / (1 - V^2)`, V being Cramer's of group and arm: 2 at V = 0.71. Infinite
    where the arm is the columns', NaN where it is the baseline's and the strata's already.

    Parameters
    ----------
    arm
        1 for treated, 0 for reference; numbers or booleans.
    columns
        Shape (n_patients, n_columns), such as the share of each patient's libraries in each batch.
    baseline, strata
        What the difference is adjusted for anyway, as in `hiaim_sc.stats.ancova`.

    Examples
    --------
    >>> is_first = np.array([1, 1, 1, 0, 0, 0, 0, 1])
    >>> round(variance_inflation([1, 1, 1, 1, 0, 0, 0, 0], is_first[:, None]), 6)
    1.333333
    """
    further = real_matrix(columns, "columns")
    treated = arm_vector(arm, len(further)).astype(float)
    basis = covariate_basis(len(further), baseline=baseline, strata=strata)
    designs = (np.column_stack([treated, basis]), np.column_stack([treated, basis, further]))
    without, with_them = (estimable(design, np.eye(design.shape[1])[0]) for design in designs)
    if without and not with_them:
        return math.inf
    return with_them.variance / without.variance if without else math.nan
