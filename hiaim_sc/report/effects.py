"""A comparison's estimate on the scale people think in."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final

import numpy as np
from scipy.optimize import brentq
from scipy.stats import f, ncf

if TYPE_CHECKING:
    from collections.abc import Mapping

# scale in `comparisons` -> what exp(estimate) is; every other scale stays a difference
RATIO_KINDS: Final = {
    "ln": "ratio",
    "log": "ratio",
    "ln_half": "ratio",
    "logit": "odds ratio",
    "logit0": "odds ratio",
}


@dataclass(frozen=True)
class Effect:
    """Treated against reference, adjusted as the comparison was.

    Attributes
    ----------
    kind
        ``ratio`` (of geometric means), ``odds ratio`` or ``difference``.
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
    exp(b); analysed as logit(p) it is an odds ratio exp(b); otherwise it stays a difference.
    """
    kind = RATIO_KINDS.get(str(row["scale"]), "difference")
    values = np.array([row["estimate"], row["ci_low"], row["ci_high"]], dtype=float)
    low_to_high = values if kind == "difference" else np.exp(values)
    return Effect(kind, *(float(value) for value in low_to_high))


def detectable_effect(
    n_reference: int, n_treated: int, *, alpha: float = 0.05, power: float = 0.8
) -> float:
    r"""Smallest standardised difference that a two-sided t test finds with the given power.

    Solves :math:`P(F > f_{1-\alpha}) =` power for d, where F has the non-central F distribution
    with 1 and :math:`\nu = n_0 + n_1 - 2` degrees of freedom and non-centrality
    :math:`d^2 n_0 n_1 / (n_0 + n_1)`: the square of the non-central t of the test. Adjustment for a
    baseline that predicts the outcome makes smaller differences detectable. NaN with fewer than 2
    patients in an arm.
    """
    if min(n_reference, n_treated) < 2:
        return float("nan")
    df = n_reference + n_treated - 2
    critical = f.ppf(1 - alpha, 1, df)
    per_unit = n_reference * n_treated / (n_reference + n_treated)

    def excess(d: float) -> float:
        return float(ncf.sf(critical, 1, df, d * d * per_unit)) - power

    highest = 1.0
    while excess(highest) < 0:
        highest *= 2.0
    return float(brentq(excess, 1e-6, highest))
