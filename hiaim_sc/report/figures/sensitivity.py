"""The planned comparisons with each choice undone, side by side."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from hiaim_sc.report.canvas import empty_figure, mark_blinded, new_figure, styled
from hiaim_sc.report.effects import FALLING_KINDS, RATIO_KINDS
from hiaim_sc.report.labels import capitalise, label_endpoint
from hiaim_sc.report.palette import INK, KEPT, MUTED
from hiaim_sc.report.values import read_flag

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS: Final = 3
_PLANNED: Final = "as planned"
# settings of which only the range is shown: one row for all patients, one for all batches
_RANGES: Final = ("leave one patient out", "leave one batch out")
_OTHER_SIGN: Final = "#d55e00"


@styled
def sensitivity(table: pd.DataFrame) -> Figure:
    """A panel per comparison, a row per setting: estimate and 95 % interval on the analysed scale.

    The line is the planned estimate, the dotted one no difference. Leaving out one patient, or one
    batch, is one row: from the least to the greatest estimate. Orange points lie on the other side
    of no difference than the planned one. A setting that gives no estimate has an empty row.

    Parameters
    ----------
    table
        Rows of one family of the release table `sensitivity`.
    """
    if table.empty:
        return empty_figure("No planned comparison could be made.")
    panels = list(table.groupby(["endpoint", "tissue", "contrast"], sort=False))
    settings = _list_settings(table)
    many = len(set(table["contrast"])) > 1
    n_rows = math.ceil(len(panels) / _COLUMNS)
    figure = new_figure(height=0.4 + n_rows * (0.75 + 0.19 * len(settings)), width=12.0)
    grid = figure.subplots(n_rows, _COLUMNS, squeeze=False, sharey=True)
    for axes, (key, rows) in zip(grid.ravel(), panels, strict=False):
        _draw_panel(axes, rows, settings)
        axes.set_title(_title(key, many=many), fontsize=8.5)
    for axes in grid.ravel()[len(panels) :]:
        axes.remove()
    labels = [f"{setting}: {value}" if value else setting for setting, value in settings]
    grid[0, 0].set_yticks(range(len(settings)), labels, fontsize=7.5)
    grid[0, 0].set_ylim(len(settings) - 0.4, -0.6)
    if any(read_flag(flag) for flag in table["blinded"]):
        mark_blinded(figure)
    return figure


def _list_settings(table: pd.DataFrame) -> list[tuple[str, str]]:
    """Setting and value of each row, in the table's order; the ranges come last."""
    pairs = table[["setting", "value"]].fillna("").drop_duplicates()
    single = pairs[~pairs["setting"].isin(_RANGES)].itertuples(index=False, name=None)
    found = list(single)
    return found + [(name, "") for name in _RANGES if (pairs["setting"] == name).any()]


def _title(key: Any, *, many: bool) -> str:
    endpoint, tissue, contrast = key
    label = capitalise(label_endpoint(endpoint))
    label = label if len(label) <= 44 else label[:42].rsplit(" ", 1)[0] + " …"
    place = ", ".join(filter(None, (tissue, contrast if many else "")))
    return f"{label}\n{place}" if place else label


def _draw_panel(axes: Axes, rows: pd.DataFrame, settings: list[tuple[str, str]]) -> None:
    rows = rows.assign(value=rows["value"].fillna(""))
    planned = rows.loc[rows["setting"] == _PLANNED, "estimate"].iloc[0]
    axes.axvline(0, color=MUTED, linewidth=0.8, linestyle=":")
    axes.axvline(planned, color=KEPT, linewidth=0.8, alpha=0.6)
    for y, (setting, value) in enumerate(settings):
        found = rows[rows["setting"] == setting]
        if setting in _RANGES:
            _draw_range(axes, y, found["estimate"].dropna().to_numpy(), planned)
        else:
            for row in found[found["value"] == value].to_dict("records"):
                _draw_row(axes, y, row, planned)
    axes.set_xlim(*_limits(rows))
    axes.tick_params(axis="y", left=False, labelsize=7.5)
    axes.tick_params(axis="x", labelsize=7.5)
    axes.spines["left"].set_visible(False)
    scale = str(rows["scale"].dropna().iloc[0]) if rows["scale"].notna().any() else ""
    kind = RATIO_KINDS.get(scale, "difference")
    sign = "\u2212" if kind in FALLING_KINDS else ""
    axes.set_xlabel(kind if kind == "difference" else f"{sign}ln {kind}", fontsize=7.5)


def _draw_row(axes: Axes, y: int, row: dict[str, Any], planned: float) -> None:
    estimate = row["estimate"]
    if not np.isfinite(estimate):
        return
    axes.plot([row["ci_low"], row["ci_high"]], [y, y], color=INK, linewidth=1)
    axes.plot(estimate, y, "s", markersize=4, color=_colour(estimate, planned))


def _draw_range(axes: Axes, y: int, estimates: np.ndarray, planned: float) -> None:
    if len(estimates):
        axes.plot(estimates, np.full(len(estimates), y), "|", color=MUTED, markersize=6)
        for end in (estimates.min(), estimates.max()):
            axes.plot(end, y, "|", color=_colour(end, planned), markersize=9, markeredgewidth=2)


def _colour(estimate: float, planned: float) -> str:
    return KEPT if estimate * planned > 0 else _OTHER_SIGN


def _limits(rows: pd.DataFrame) -> tuple[float, float]:
    """Wide enough for every estimate and the planned interval; a wider interval is cut."""
    planned = rows[rows["setting"] == _PLANNED]
    ends = pd.concat([rows["estimate"], planned["ci_low"], planned["ci_high"]]).dropna().to_numpy()
    low, high = min(0.0, ends.min()), max(0.0, ends.max())
    margin = 0.06 * (high - low) or 1.0
    return low - margin, high + margin
