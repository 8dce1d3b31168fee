"""A value, and the same on the scale on which it is analysed."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from hiaim_sc.stats import empirical_logit


class Measured(NamedTuple):
    """A value on its natural and on its analysed scale."""

    value: float
    analysed: float


def as_is(value: float) -> Measured:
    """Analysed as it is."""
    return Measured(value, value)


def as_log(value: float, least: float = 0.0) -> Measured:
    """Analysed as its logarithm; ``least`` stands in for a value below it."""
    return Measured(value, float(np.log(max(value, least))))


def as_number(value: float) -> Measured:
    """A number of clones, analysed as ``ln(value + 1/2)``."""
    return Measured(value, float(np.log(value + 0.5)))


def as_share(value: float, n_cells: int) -> Measured:
    """A share of so many cells, analysed as the logit with half counts."""
    # a sum of probabilities ends a rounding error outside
    share = min(max(value, 0.0), 1.0)
    return Measured(share, float(empirical_logit(share * n_cells, n_cells)))


def as_mean_number(drawn: np.ndarray) -> Measured:
    """A number of clones in each subsample: its mean, and the mean of ``ln(number + 1/2)``.

    The mean of the logarithm, not the logarithm of the mean: a subsample of m cells looks the same
    whatever the depth of the sample, but a mean over many is smoother where the sample is deeper,
    and the logarithm of a smoother mean is larger.
    """
    return Measured(float(drawn.mean()), float(np.log(drawn + 0.5).mean()))


def as_mean_share(cells: np.ndarray, depth: int) -> Measured:
    """So many of m cells in each subsample: the mean share, and the mean of its logit."""
    return Measured(float(cells.mean() / depth), float(np.mean(empirical_logit(cells, depth))))
