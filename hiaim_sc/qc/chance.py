"""The upper tail of a Poisson count; scipy.stats takes half a second of every worker to import."""

from __future__ import annotations

from typing import TYPE_CHECKING

from scipy.special import gammainc

if TYPE_CHECKING:
    import numpy as np


def chance_of_at_least(observed: np.ndarray, mean: np.ndarray) -> np.ndarray:
    r"""Chance that a Poisson count is at least what was observed.

    .. math:: P(X \ge k) = P(k, \mu)

    the regularised lower incomplete gamma function; 1 for :math:`k = 0`.
    """
    return gammainc(observed, mean)
