"""A comparison's estimate on the scale people think in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

# scale in `comparisons` -> what the estimate is the logarithm of; another stays a difference
RATIO_KINDS: Final = {
    "ln": "ratio",
    "logit": "odds ratio",
    "-ln(1 - x)": "ratio of overlaps",
}
# Kinds that fall where the endpoint rises: the estimate is minus their logarithm.
FALLING_KINDS: Final = frozenset({"ratio of overlaps"})


@dataclass(frozen=True)
class Effect:
    """Treated against reference, adjusted as the comparison was.

    Attributes
    ----------
    kind
        ``ratio`` (of geometric means), ``odds ratio``, ``ratio of overlaps`` or ``difference``.
    estimate, low, high
        Point and 95 % interval; for ratios back-transformed by exp.
    """

    kind: str
    estimate: float
    low: float
    high: float

    @property
    def null(self) -> float:
        """The value that means no difference."""
        return 0.0 if self.kind == "difference" else 1.0


def back_transform(row: Mapping[str, Any]) -> Effect:
    """The effect of one row of `comparisons` on its natural scale.

    With an endpoint analysed as ln(y) the difference of means b is a ratio of geometric means
    exp(b); analysed as logit(p) it is an odds ratio exp(b). Turnover, 1 - overlap, is analysed as
    -ln of the overlap: exp(-b) is the ratio of the overlaps, below 1 where turnover is higher.
    Otherwise it stays a difference.
    """
    kind = RATIO_KINDS.get(str(row["scale"]), "difference")
    values = np.array([row["estimate"], row["ci_low"], row["ci_high"]], dtype=float)
    if kind in FALLING_KINDS:
        values = -values[[0, 2, 1]]
    natural = values if kind == "difference" else np.exp(values)
    return Effect(kind, *(float(value) for value in natural))
