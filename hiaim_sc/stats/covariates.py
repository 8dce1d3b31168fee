r"""What a comparison of arms is adjusted for: baseline and strata, built blind to the arm.

Everything here is blind to the arm, so that the re-randomisation test, which redraws the arm over
the same covariates, stays exact.

- Strata with fewer than `MIN_LEVEL_SIZE` patients are pooled into one level. If that level is still
  smaller, it joins the smallest other stratum (ties: the first in sorted order). A level of one
  patient would take that patient out of the comparison. The pooling concerns these covariates only:
  labels are redrawn within the strata as randomised.
- A missing baseline is set to the mean of the (pooled) stratum, or of all patients where the
  stratum has none; with at least `MIN_LEVEL_SIZE` missing an indicator of being missing is added
  (White and Thompson 2005, doi:10.1002/sim.1981). A baseline that nobody has is left out.
- Constant and collinear columns cost nothing: the covariates are the space that the columns span.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.stats._arrays import real_vector, stratum_codes

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import BoolArray, FloatArray, IntArray

MIN_LEVEL_SIZE = 4
# Relative size below which a singular value of the scaled columns counts as 0.
_RANK_TOLERANCE = 1e-9
# Relative size below which what is left of a column after projection is rounding, not data.
NEGLIGIBLE = 1e-12


def covariate_basis(
    n_patients: int, *, baseline: npt.ArrayLike | None = None, strata: npt.ArrayLike | None = None
) -> FloatArray:
    """Orthonormal basis of intercept, strata and baseline, shape (n_patients, rank).

    Parameters
    ----------
    n_patients
        Number of patients.
    baseline
        Value before treatment per patient, NaN where missing.
    strata
        Label of the stratum per patient.
    """
    levels = pool_small_strata(stratum_codes(strata, n_patients))
    columns = [np.ones(n_patients)]
    columns += [(levels == level).astype(np.float64) for level in np.unique(levels)[1:]]
    if baseline is not None:
        values = real_vector(baseline, "baseline", length=n_patients, missing=True)
        columns += _baseline_columns(values, levels)
    return _span(np.column_stack(columns))


def pool_small_strata(codes: IntArray) -> IntArray:
    """Stratum codes with the strata of fewer than `MIN_LEVEL_SIZE` patients made one.

    Parameters
    ----------
    codes
        Code of each patient's stratum, 0 or more, ascending in the sorted order of the strata.
    """
    sizes = np.bincount(codes)
    small = sizes < MIN_LEVEL_SIZE
    is_pooled = small[codes]
    other = len(sizes)
    if 0 < is_pooled.sum() < MIN_LEVEL_SIZE and not small.all():
        other = int(np.argmin(np.where(small, np.iinfo(np.int64).max, sizes)))
    return np.where(is_pooled, other, codes)


def residuals(values: FloatArray, basis: FloatArray) -> FloatArray:
    """What is left of each column after projection on the basis; exactly 0 where it is rounding.

    Parameters
    ----------
    values
        Shape (n_patients, n_columns).
    basis
        As `covariate_basis` returns it, the intercept within its span.
    """
    if len(values) == 0:
        return values
    left = values - values.mean(axis=0)
    left = left - basis @ (basis.T @ left)
    size = np.sqrt((values**2).sum(axis=0))
    negligible = np.sqrt((left**2).sum(axis=0)) <= NEGLIGIBLE * size
    return np.where(negligible, 0.0, left)


def _baseline_columns(values: FloatArray, levels: IntArray) -> list[FloatArray]:
    missing = np.isnan(values)
    if missing.all():
        return []
    columns = [_standardise(_impute(values, missing, levels))]
    if missing.sum() >= MIN_LEVEL_SIZE:
        columns.append(missing.astype(np.float64))
    return columns


def _impute(values: FloatArray, missing: BoolArray, levels: IntArray) -> FloatArray:
    filled = np.where(missing, values[~missing].mean(), values)
    for level in np.unique(levels[missing]):
        inside = levels == level
        if (inside & ~missing).any():
            filled[inside & missing] = values[inside & ~missing].mean()
    return filled


def _standardise(values: FloatArray) -> FloatArray:
    centred = values - values.mean()
    spread = np.sqrt((centred**2).mean())
    if spread <= NEGLIGIBLE * np.abs(values).max():
        return np.zeros_like(values)
    return centred / spread


def _span(columns: FloatArray) -> FloatArray:
    length = np.sqrt((columns**2).sum(axis=0))
    scaled = columns / np.where(length > 0, length, 1.0)
    left, size, _ = np.linalg.svd(scaled, full_matrices=False)
    return left[:, size > _RANK_TOLERANCE * size.max(initial=0.0)]
