"""Two measurements of one thing, and changes that go together; without the arm."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import stats

from hiaim_sc.compare.endpoints import CHANGES
from hiaim_sc.compare.units import read_unit
from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from collections.abc import Iterator

    from hiaim_sc.config import StudyConfig

_PLACE = ["endpoint", "tissue", "visit"]
_LEAST = 3
_TOO_FEW = f"fewer than {_LEAST} patients with both"
_BLAND_ALTMAN = "Bland-Altman, first minus second"
_CORRELATIVE = "Spearman correlation of changes since the baseline; correlative"


def measure_agreement(endpoints: pd.DataFrame, config: StudyConfig) -> pd.DataFrame:
    r"""The release table ``agreement``.

    The plan's pairs by Bland and Altman: ``bias`` is the mean over patients of the first endpoint
    minus the second, the limits of agreement lie 1.96 standard deviations to each side, ``r`` is
    Pearson's. Per cent become fractions and cells per volume 10^9 per litre; where the two are not
    of one unit even so, ``reason_empty`` says so and there are no numbers. What the plan calls the
    exercise response by the rank correlation of each exposure's change since the baseline with each
    response's, on their analysed scales: conditional on what happened after randomisation, so
    never a comparison of arms.

    Parameters
    ----------
    endpoints
        Release table with ``unit``.
    config
        Visits and plan.

    Returns
    -------
    Columns of the release table, the tissue of the sequenced endpoint, and the 95 % interval of r:
    :math:`\tanh(\mathrm{artanh}\, r \pm 1.96\, s)` with :math:`s^2 = 1/(n-3)` for Pearson's and
    :math:`(1 + r^2/2)/(n-3)` for Spearman's r (Bonett and Wright 2000, doi:10.1007/BF02294183).
    Fewer than three patients: no numbers; fewer than four: r without an interval.

    References
    ----------
    Bland and Altman 1986, doi:10.1016/S0140-6736(86)90837-8
    """
    at_rest = endpoints[endpoints["session_phase"] == "rest"]
    known = at_rest[at_rest["value"].notna()].set_index("patient_id").sort_index()
    values = {tuple(place): rows for place, rows in known.groupby(_PLACE)}
    rows = [*_compare_pairs(values, config), *_correlate(values, config)]
    table = pd.DataFrame(rows).reindex(columns=list(RELEASE_TABLES["agreement"]))
    for name in ("bias", "loa_low", "loa_high", "r", "r_low", "r_high"):
        table[name] = table[name].astype("float64")
    return table


def _compare_pairs(values: dict[Any, pd.DataFrame], config: StudyConfig) -> Iterator[dict]:
    for one, other in config.analysis_plan.agreement:
        for visit in config.design.visits:
            first = {place: rows for place, rows in values.items() if place[0] == one}
            found = [(place, rows) for place, rows in first.items() if place[2] == visit]
            second = values.get((other, "", visit))
            for (_, tissue, _), rows in found:
                if second is not None:
                    known = {"endpoint_1": one, "endpoint_2": other, "visit": visit}
                    yield {**known, "tissue": tissue, **_bland_altman(rows, second)}


def _bland_altman(one: pd.DataFrame, other: pd.DataFrame) -> dict[str, Any]:
    units = [read_unit(_unit(rows)) for rows in (one, other)]
    values = [
        rows["value"].astype(float) * unit.factor
        for rows, unit in zip((one, other), units, strict=True)
    ]
    both = pd.concat(values, axis=1, join="inner").to_numpy()
    row: dict[str, Any] = {"n": len(both), "method": _BLAND_ALTMAN}
    if units[0].name != units[1].name or not units[0].name:
        named = [_unit(rows) or "no unit" for rows in (one, other)]
        return {**row, "reason_empty": f"not of one unit: {named[0]} and {named[1]}"}
    row["method"] = f"{_BLAND_ALTMAN}, in {units[0].name}"
    if len(both) < _LEAST:
        return {**row, "reason_empty": _TOO_FEW}
    difference = both[:, 0] - both[:, 1]
    bias, spread = float(difference.mean()), float(difference.std(ddof=1))
    limits = {"loa_low": bias - 1.96 * spread, "loa_high": bias + 1.96 * spread}
    row |= {"reason_empty": "", "bias": bias, **limits}
    return {**row, **_correlation(both, stats.pearsonr, 0.0)}


def _unit(rows: pd.DataFrame) -> str:
    unit = rows["unit"].iloc[0]
    return "" if pd.isna(unit) else str(unit)


def _correlate(values: dict[Any, pd.DataFrame], config: StudyConfig) -> Iterator[dict]:
    design, plan = config.design, config.analysis_plan
    measured = sorted({name for name, tissue, _ in values if tissue == ""})
    exposures = plan.exposures or tuple(measured)
    changes = dict(_changes(values, design.baseline, design.follow_ups))
    for (one, tissue_1, visit), first in changes.items():
        for (other, tissue_2, again), second in changes.items():
            is_pair = one in exposures and other in plan.responses and one != other
            if is_pair and visit == again and tissue_1 == "":
                both = pd.concat([first, second], axis=1, join="inner").to_numpy()
                known = {"endpoint_1": one, "endpoint_2": other, "visit": visit}
                known |= {"tissue": tissue_2, "n": len(both), "method": _CORRELATIVE}
                known["reason_empty"] = _TOO_FEW if len(both) < _LEAST else ""
                yield {**known, **_correlation(both, stats.spearmanr, 0.5)}


def _changes(
    values: dict[Any, pd.DataFrame], baseline: str, visits: tuple[str, ...]
) -> Iterator[tuple[Any, pd.Series]]:
    for (endpoint, tissue, visit), rows in values.items():
        after = rows["value_analysed"].astype(float)
        if endpoint in CHANGES:
            yield (endpoint, tissue, visit), after
        elif visit in visits and (endpoint, tissue, baseline) in values:
            before = values[(endpoint, tissue, baseline)]["value_analysed"].astype(float)
            yield (endpoint, tissue, visit), (after - before).dropna()


def _correlation(both: np.ndarray, statistic: Any, inflation: float) -> dict[str, float]:
    if len(both) < _LEAST or (np.ptp(both, axis=0) == 0).any():
        return {}
    r = float(statistic(both[:, 0], both[:, 1]).statistic)
    if len(both) == _LEAST or abs(r) >= 1:
        return {"r": r}
    spread = math.sqrt((1 + inflation * r**2) / (len(both) - 3))
    low, high = (math.tanh(math.atanh(r) + side * 1.96 * spread) for side in (-1, 1))
    return {"r": r, "r_low": low, "r_high": high}
