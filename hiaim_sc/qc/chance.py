"""Two of scipy.stats's functions, which takes half a second of every worker to import."""

from __future__ import annotations

import numpy as np
from scipy.special import gammainc


def chance_of_at_least(observed: np.ndarray, mean: np.ndarray) -> np.ndarray:
    r"""Chance that a Poisson count is at least what was observed.

    .. math:: P(X \ge k) = P(k, \mu)

    the regularised lower incomplete gamma function; 1 for :math:`k = 0`.
    """
    return gammainc(observed, mean)


def absolute_deviation(values: np.ndarray) -> float:
    """Raw median absolute deviation from the median."""
    return float(np.median(np.abs(values - np.median(values))))
