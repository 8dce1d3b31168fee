"""Differences between arms with their intervals."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
from matplotlib.ticker import FixedLocator, NullLocator

from hiaim_sc.report.canvas import empty_figure, mark_blinded, new_figure, strip_axes, styled
from hiaim_sc.report.contrasts import split_contrast
from hiaim_sc.report.effects import Effect, back_transform
from hiaim_sc.report.formats import (
    format_count,
    format_estimate,
    format_p_cell,
)
from hiaim_sc.report.labels import capitalise, label_endpoint, label_place, label_reason
from hiaim_sc.report.palette import INK, KEPT, MUTED
from hiaim_sc.report.values import read_flag, read_number, read_text

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_KINDS: Final = {
    "odds ratio": "Odds ratio (shares)",
    "ratio": "Ratio of geometric means (counts)",
    "ratio of overlaps": "Ratio of overlaps with the baseline (below 1: more turnover)",
    "difference": "Difference of means",
}
_WIDEST: Final = 64.0
_COLUMNS: Final = (0.02, 0.30, 0.80)
_LONGEST_LABEL, _LONGEST_REASON = 48, 60  # characters: a longer one takes the room of the intervals


@styled
def forest(comparisons: pd.DataFrame) -> Figure:
    """A row per comparison: estimate and 95 % interval, patients per arm and p.

    Endpoints analysed as a logarithm or logit are shown back-transformed on a logarithmic axis (1
    is no difference), the others as differences (0 is no difference). A hollow point has no p. A
    comparison that could not be made keeps its row and says why. Blinded tables give a watermark.

    Parameters
    ----------
    comparisons
        Release table `comparisons`.
    """
    if comparisons.empty:
        return empty_figure("There is nothing to compare yet.")
    rows = [dict(row) for row in comparisons.to_dict("records")]
    effects = [back_transform(row) for row in rows]
    groups = [
        (kind, [i for i, effect in enumerate(effects) if effect.kind == kind]) for kind in _KINDS
    ]
    groups = [(kind, members) for kind, members in groups if members]
    sizes = [len(members) + 1.6 for _, members in groups]
    figure = new_figure(height=1.1 + 0.34 * sum(sizes), width=12.0)
    panels = figure.subplots(
        len(groups), 2, squeeze=False, height_ratios=sizes, width_ratios=(1.2, 1)
    )
    ratio_limits = _limits([effect for effect in effects if effect.null == 1.0])
    for (axes, words), (kind, members) in zip(panels, groups, strict=True):
        chosen = [effects[i] for i in members]
        limits = _limits(chosen) if kind == "difference" else ratio_limits
        _draw_panel(axes, [rows[i] for i in members], chosen, limits)
        axes.set_title(_title(kind, rows))
        _write_panel(words, [rows[i] for i in members], chosen, axes.get_ylim())
    _head_columns(panels[0, 1], rows)
    if any(read_flag(row["blinded"]) for row in rows):
        mark_blinded(figure)
    return figure


def _title(kind: str, rows: list[dict[str, Any]]) -> str:
    pairs = {split_contrast(str(row["contrast"])) for row in rows}
    if len(pairs) > 1:
        return _KINDS[kind]
    treated, reference = pairs.pop()
    joint = "minus" if kind == "difference" else "against"
    return f"{_KINDS[kind]}, {treated} {joint} {reference}"


def _draw_panel(
    axes: Axes,
    rows: list[dict[str, Any]],
    effects: list[Effect],
    limits: tuple[float, float],
) -> None:
    null = effects[0].null
    axes.axvline(null, color=MUTED, linewidth=1)
    for y, (row, effect) in enumerate(zip(rows, effects, strict=True)):
        if np.isfinite(effect.estimate):
            _draw_effect(axes, y, effect, limits, is_tested=np.isfinite(read_number(row["p_perm"])))
    axes.set_yticks(range(len(rows)), _row_labels(rows))
    axes.set_ylim(len(rows) - 0.4, -0.6)
    axes.tick_params(axis="y", left=False)
    axes.spines["left"].set_visible(False)
    if null == 1.0:
        axes.set_xscale("log")
        axes.xaxis.set_major_locator(FixedLocator(_powers_of_two(limits)))
        axes.xaxis.set_minor_locator(NullLocator())
        axes.xaxis.set_major_formatter(lambda value, _: f"{value:g}")
    axes.set_xlim(*limits)
    axes.grid(axis="x")


def _draw_effect(
    axes: Axes, y: int, effect: Effect, limits: tuple[float, float], *, is_tested: bool
) -> None:
    low, high = np.clip([effect.low, effect.high], *limits)
    axes.plot([low, high], [y, y], color=INK, linewidth=1.6, solid_capstyle="butt")
    for end, full, marker in ((low, effect.low, "<"), (high, effect.high, ">")):
        if np.isfinite(full) and end != full:
            axes.plot(end, y, marker=marker, color=INK, markersize=5, clip_on=False)
    axes.plot(
        np.clip(effect.estimate, *limits),
        y,
        "s",
        markersize=6.5,
        markeredgecolor=KEPT,
        markerfacecolor=KEPT if is_tested else "white",
    )


def _limits(effects: list[Effect]) -> tuple[float, float]:
    """Symmetric about no difference; ratios go no further than 64-fold."""
    if not effects:
        return 0.5, 2.0
    ends = np.array([[e.low, e.high, e.estimate] for e in effects], dtype=float).ravel()
    ends = ends[np.isfinite(ends)]
    if effects[0].null == 0.0:
        reach = 1.1 * float(np.abs(ends).max(initial=0.0)) or 1.0
        return -reach, reach
    folds = np.clip(ends, 1 / _WIDEST, _WIDEST)
    reach = max(2.0, 1.15 * float(np.exp(np.abs(np.log(folds)).max(initial=0.0))))
    return 1 / reach, reach


def _powers_of_two(limits: tuple[float, float]) -> list[float]:
    top = int(np.floor(np.log2(limits[1])))
    step = 1 if top <= 3 else 2
    return [2.0**power for power in range(-(top // step) * step, top + 1, step)]


def _row_labels(rows: list[dict[str, Any]]) -> list[str]:
    many = len({row["contrast"] for row in rows}) > 1
    labels = []
    for row in rows:
        place = label_place(row["tissue"], row["visit"], row["session_phase"])
        contrast = f", {row['contrast']}" if many else ""
        endpoint = _shorten(label_endpoint(row["endpoint"]), _LONGEST_LABEL)
        labels.append(f"{capitalise(endpoint)}\n{place}{contrast}")
    return labels


def _shorten(text: str, longest: int) -> str:
    return text if len(text) <= longest else text[: longest - 2].rsplit(" ", 1)[0] + " …"


def _write_panel(
    axes: Axes,
    rows: list[dict[str, Any]],
    effects: list[Effect],
    height: tuple[float, float],
) -> None:
    strip_axes(axes)
    axes.set_ylim(*height)
    for y, (row, effect) in enumerate(zip(rows, effects, strict=True)):
        _write_columns(axes, y, row, effect)


def _write_columns(axes: Axes, y: int, row: dict[str, Any], effect: Effect) -> None:
    place = axes.get_yaxis_transform()
    if not np.isfinite(effect.estimate):
        reason = label_reason(read_text(row["reason_empty"]) or "no estimate")
        said = _shorten(f"not compared: {reason}", _LONGEST_REASON)  # whole in the table
        axes.text(_COLUMNS[1], y, said, transform=place, va="center", color=MUTED)
        values = [_per_arm(row), "", ""]
    else:
        p = format_p_cell(read_number(row["p_perm"])) or "no test"
        values = [_per_arm(row), format_estimate(effect.estimate, effect.low, effect.high), p]
    for x, value in zip(_COLUMNS, values, strict=True):
        axes.text(x, y, value, transform=place, va="center")


def _per_arm(row: dict[str, Any]) -> str:
    counts = (format_count(read_number(row[name])) or "0" for name in ("n_treated", "n_reference"))
    return " / ".join(counts)


def _head_columns(axes: Axes, rows: list[dict[str, Any]]) -> None:
    pairs = {split_contrast(str(row["contrast"])) for row in rows}
    treated, reference = pairs.pop() if len(pairs) == 1 else ("treated", "reference")
    heads = (f"patients\n{treated} /\n{reference}", "estimate (95 % interval)", "p")
    for x, head in zip(_COLUMNS, heads, strict=True):
        axes.text(x, 1.02, head, transform=axes.transAxes, va="bottom", color=MUTED, fontsize=8)
