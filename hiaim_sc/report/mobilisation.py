"""What a bout of exercise does at once, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import t

from hiaim_sc.report.formats import format_amount, format_estimate
from hiaim_sc.report.labels import capitalise, label_endpoint, label_visit

if TYPE_CHECKING:
    import pandas as pd

_SUFFIX = "_acute"


def describe_mobilisation(endpoints: pd.DataFrame) -> list[str]:
    """A sentence per endpoint and visit: geometric mean of the ratio over patients, with interval.

    The interval is that of the mean logarithm by the t distribution. Patients of all arms stand
    together: it is a change within patients, not a comparison of arms.

    Parameters
    ----------
    endpoints
        Release table; only the endpoints ``*_acute`` count.
    """
    is_acute = endpoints["endpoint"].astype(str).str.endswith(_SUFFIX)
    known = endpoints[is_acute & endpoints["value_analysed"].notna()]
    found = []
    for (endpoint, visit), rows in known.groupby(["endpoint", "visit"], sort=False):
        logarithms = rows["value_analysed"].to_numpy(dtype=float)
        label = f"{capitalise(label_endpoint(str(endpoint)))}, {label_visit(str(visit))}"
        patients = format_amount(len(logarithms), "patient")
        mean = float(logarithms.mean())
        if len(logarithms) < 2:
            found.append(f"{label}: {np.exp(mean):.2f}-fold ({patients}, so no interval).")
            continue
        error = logarithms.std(ddof=1) / np.sqrt(len(logarithms))
        half = float(t.ppf(0.975, len(logarithms) - 1) * error)
        ratio = format_estimate(*np.exp([mean, mean - half, mean + half]).tolist())
        numbers = ratio.replace(" (", "-fold, 95 % interval ").rstrip(")")
        found.append(f"{label}: {numbers} ({patients} of all arms together).")
    return found
