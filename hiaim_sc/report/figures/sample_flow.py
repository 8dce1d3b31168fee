"""Samples from expected to compared, and where the others stayed."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.labels import capitalise, label_reason, label_visit
from hiaim_sc.report.palette import KEPT, MUTED, RULE

if TYPE_CHECKING:
    import pandas as pd
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

type Step = tuple[str, int, str]


@styled
def sample_flow(flow: pd.DataFrame) -> Figure:
    """A panel per tissue and visit: how many samples remain after each step, and why others do not.

    Parameters
    ----------
    flow
        `flow_of_samples`; its rows of level ``sample`` are drawn. A group's first row starts from
        `n_in`, each later bar subtracts the `n_lost` of all rows of that step.
    """
    samples = flow[flow["level"] == "sample"]
    if samples.empty:
        return empty_figure("No samples are expected.")
    groups = list(dict.fromkeys(samples["arm_blind_group"].astype(str)))
    n_columns = _count_columns(groups)
    n_rows = -(-len(groups) // n_columns)
    steps = {
        group: tabulate_steps(samples[samples["arm_blind_group"] == group]) for group in groups
    }
    depth = max(len(found) for found in steps.values())
    figure = new_figure(height=0.5 + n_rows * (0.55 + 0.38 * depth))
    panels = figure.subplots(n_rows, n_columns, squeeze=False, sharex=True)
    most = max(found[0][1] for found in steps.values())
    for axes in panels.ravel()[len(groups) :]:
        axes.remove()
    for axes, group in zip(panels.ravel(), groups, strict=False):
        _draw_group(axes, group, steps[group], most)
    return figure


def tabulate_steps(rows: pd.DataFrame) -> list[Step]:
    """Name, samples left and reasons of loss per step of one group; ``expected`` comes first."""
    ordered = rows.assign(order=np.arange(len(rows)))
    first = ordered.groupby("step")["n_in"].transform("max")
    ordered = ordered.assign(largest=first).sort_values(
        ["largest", "order"], ascending=[False, True], kind="stable"
    )
    left = int(ordered["n_in"].max())
    steps: list[Step] = [("expected", left, "")]
    for name, found in ordered.groupby("step", sort=False):
        left -= int(found["n_lost"].sum())
        lost = found[found["n_lost"] > 0]
        reasons = [
            f"{int(n)} {label_reason(str(reason))}"
            for n, reason in zip(lost["n_lost"], lost["reason"], strict=True)
        ]
        steps.append((str(name).replace("_", " "), left, ", ".join(reasons)))
    return steps


def _draw_group(axes: Axes, group: str, steps: list[Step], most: int) -> None:
    rows = range(len(steps))
    left = [n for _, n, _ in steps]
    before = [left[0], *left[:-1]]
    axes.barh(rows, before, color=RULE, height=0.58)
    axes.barh(rows, left, color=KEPT, height=0.58)
    for row, n in zip(rows, left, strict=True):
        inside = n > 0.12 * most
        axes.text(
            n / 2 if inside else n,
            row,
            f"{n}" if inside else f" {n}",
            ha="center" if inside else "left",
            va="center",
            color="white" if inside else MUTED,
            fontsize=9,
            weight="bold",
        )
        reason = steps[row][2]
        if reason:
            axes.text(0, row + 0.35, f"lost: {reason}", va="top", fontsize=7.8, color=MUTED)
    axes.set_yticks(list(rows), [name for name, _, _ in steps])
    axes.set_ylim(len(steps) - 0.2, -0.5)
    axes.set_xlim(0, most)
    axes.set_xticks([])
    axes.tick_params(left=False)
    for spine in axes.spines.values():
        spine.set_visible(False)
    axes.set_title(_title(group), fontsize=9.5)


def _title(group: str) -> str:
    return capitalise(", ".join(label_visit(part) for part in _parts(group)))


def _parts(group: str) -> list[str]:
    return [part for part in re.split(r"[\s,;|/]+", group) if part]


def _count_columns(groups: list[str]) -> int:
    """Visits stand side by side, tissues below each other, where the names say which is which."""
    parts = [_parts(group) for group in groups]
    if all(len(found) >= 2 for found in parts):
        columns = max(1, -(-len(groups) // len({found[0] for found in parts})))
        return min(columns, 4)
    return min(len(groups), 3)
