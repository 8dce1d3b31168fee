"""P-values adjusted for their number. NaN are no tests: they stay NaN and are not counted."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import false_discovery_control

from hiaim_sc.stats._arrays import real_vector

if TYPE_CHECKING:
    import numpy.typing as npt

    from hiaim_sc.stats._arrays import BoolArray, FloatArray


def benjamini_hochberg(p: npt.ArrayLike) -> FloatArray:
    r"""False discovery rate that calls each test, :math:`\min_{j \ge i} m\,p_{(j)}/j`.

    Parameters
    ----------
    p
        P-values, NaN where there was no test.

    References
    ----------
    Benjamini and Hochberg 1995, doi:10.1111/j.2517-6161.1995.tb02031.x
    """
    values, tested = _p_values(p)
    adjusted = np.full(len(values), np.nan)
    if tested.any():
        adjusted[tested] = false_discovery_control(values[tested], method="bh")
    return adjusted


def holm(p: npt.ArrayLike) -> FloatArray:
    r"""Family-wise error rate that calls each test, :math:`\max_{j \le i} (m-j+1)\,p_{(j)}`.

    Parameters
    ----------
    p
        P-values, NaN where there was no test.

    References
    ----------
    Holm 1979, Scandinavian Journal of Statistics 6:65.
    """
    values, tested = _p_values(p)
    adjusted = np.full(len(values), np.nan)
    order = np.flatnonzero(tested)[np.argsort(values[tested], kind="stable")]
    steps = values[order] * np.arange(len(order), 0, -1)
    adjusted[order] = np.minimum(np.maximum.accumulate(steps), 1.0)
    return adjusted


def _p_values(p: npt.ArrayLike) -> tuple[FloatArray, BoolArray]:
    values = real_vector(p, "p", missing=True)
    tested = ~np.isnan(values)
    if ((values[tested] < 0) | (values[tested] > 1)).any():
        message = "p has values outside 0 to 1"
        raise ValueError(message)
    return values, tested
