r"""What a sample of n cells can see of a clone with a given share of all cells.

A clone of frequency f is missing from n cells with probability :math:`(1-f)^n`.
"""

from __future__ import annotations

import math

import numpy as np

from hiaim_sc.stats._arrays import require_confidence, whole_number


def chance_unseen(frequency: float, n: int) -> float:
    """Probability that none of n cells is of a clone of this frequency.

    Parameters
    ----------
    frequency
        Share of the clone in what was sampled.
    n
        Cells.
    """
    _require_frequency(frequency)
    return float((1 - frequency) ** whole_number(n, "n", at_least=0))


def detection_limit(n: int, confidence: float = 0.95) -> float:
    r"""Smallest frequency that n cells show with this confidence, :math:`1 - (1-\gamma)^{1/n}`.

    It is also the upper bound of the frequency of a clone that is not among them. NaN without
    cells.

    Parameters
    ----------
    n
        Cells.
    confidence
        :math:`\gamma`.

    Examples
    --------
    >>> round(detection_limit(2995), 6)
    0.001
    """
    require_confidence(confidence)
    cells = whole_number(n, "n", at_least=0)
    return math.nan if cells == 0 else float(-np.expm1(math.log1p(-confidence) / cells))


def cells_to_detect(frequency: float, confidence: float = 0.95) -> int:
    r"""Fewest cells that show a clone of this frequency, :math:`\ln(1-\gamma)/\ln(1-f)` rounded up.

    Parameters
    ----------
    frequency
        Share of the clone, above 0.
    confidence
        :math:`\gamma`.
    """
    require_confidence(confidence)
    _require_frequency(frequency)
    if frequency in (0, 1):
        message = f"frequency must lie between 0 and 1, got {frequency!r}"
        raise ValueError(message)
    return math.ceil(math.log1p(-confidence) / math.log1p(-frequency))


def _require_frequency(frequency: float) -> None:
    if not 0 <= frequency <= 1:
        message = f"frequency must lie between 0 and 1, got {frequency!r}"
        raise ValueError(message)
