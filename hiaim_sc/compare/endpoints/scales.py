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
    return Measured(value, float(empirical_logit(min(value * n_cells, n_cells), n_cells)))
