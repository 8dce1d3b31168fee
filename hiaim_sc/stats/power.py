"""What a comparison of two arms can detect."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy.optimize import brentq
from scipy.stats import f, ncf

from hiaim_sc.stats._arrays import real_vector, whole_number
from hiaim_sc.stats.covariates import covariate_basis, residuals

if TYPE_CHECKING:
    import numpy.typing as npt


@dataclass(frozen=True)
class BlindedSpread:
    """How much the patients' values differ, whatever their arm.

    Attributes
    ----------
    sd
        Standard deviation; NaN below two patients.
    residual_sd
        The same of what baseline and strata leave unexplained; NaN without a degree of freedom.
    n_covariates
        Columns that baseline and strata take, the intercept left out.
    n
        Patients.
    """

    sd: float
    residual_sd: float
    n_covariates: int
    n: int


def blinded_spread(
    y: npt.ArrayLike,
    *,
    baseline: npt.ArrayLike | None = None,
    strata: npt.ArrayLike | None = None,
) -> BlindedSpread:
    """Spread of one value per patient, with and without what the covariates explain.

    An effect of treatment is part of it: with arms of equal size and an effect of d residual
    standard deviations the residual variance is about :math:`1 + d^2/4` times that within arms.

    Parameters
    ----------
    y
        The analysed value of each patient.
    baseline
        Value before treatment, NaN where missing.
    strata
        Label of each patient's stratum.
    """
    values = real_vector(y, "y")
    basis = covariate_basis(len(values), baseline=baseline, strata=strata)
    left = residuals(values[:, None], basis)[:, 0]
    df = len(values) - basis.shape[1]
    return BlindedSpread(
        sd=float(values.std(ddof=1)) if len(values) > 1 else float("nan"),
        residual_sd=float(np.sqrt(left @ left / df)) if df > 0 else float("nan"),
        n_covariates=max(basis.shape[1] - 1, 0),
        n=len(values),
    )


def detectable_effect(
    n_reference: int,
    n_treated: int,
    *,
    n_covariates: int = 0,
    alpha: float = 0.05,
    power: float = 0.8,
) -> float:
    r"""Smallest standardised difference that a two-sided t test finds with the given power.

    Solves :math:`P(F > f_{1-\alpha}) =` power for d, where F has the non-central F distribution
    with 1 and :math:`\nu = n_0 + n_1 - 2 - c` degrees of freedom and non-centrality
    :math:`d^2 n_0 n_1 / (n_0 + n_1)`: the square of the non-central t of the test. d is in units of
    the residual standard deviation. NaN with fewer than 2 patients in an arm, or without a degree
    of freedom.

    Parameters
    ----------
    n_reference, n_treated
        Patients in each arm.
    n_covariates
        Columns c of the model besides intercept and arm.
    alpha
        Two-sided level.
    power
        Probability of finding the difference, between `alpha` and 1.

    Examples
    --------
    >>> round(detectable_effect(27, 27), 3)
    0.777
    """
    if not 0 < alpha < power < 1:
        message = f"alpha must lie between 0 and power, power below 1; got {alpha!r} and {power!r}"
        raise ValueError(message)
    numbers = {"n_reference": n_reference, "n_treated": n_treated, "n_covariates": n_covariates}
    for name, number in numbers.items():
        whole_number(number, name, at_least=0)
    df = n_reference + n_treated - 2 - n_covariates
    if min(n_reference, n_treated) < 2 or df < 1:
        return float("nan")
    critical = f.ppf(1 - alpha, 1, df)
    per_unit = n_reference * n_treated / (n_reference + n_treated)

    def excess(d: float) -> float:
        return float(ncf.sf(critical, 1, df, d * d * per_unit)) - power

    highest = 1.0
    while excess(highest) < 0:
        highest *= 2.0
    return float(brentq(excess, 1e-6, highest))
