"""Each patient's own course."""

from __future__ import annotations

import textwrap
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from matplotlib.lines import Line2D

from hiaim_sc.report.canvas import empty_figure, mark_blinded, new_figure, styled
from hiaim_sc.report.formats import format_amount
from hiaim_sc.report.labels import SHARE_ENDPOINTS, capitalise, label_endpoint, label_visit
from hiaim_sc.report.palette import KEPT, MUTED, pick_arm_colours

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_COLUMNS: Final = 4


@styled
def paired_lines(
    endpoints: pd.DataFrame,
    *,
    visits: Sequence[str],
    arms: pd.Series | None = None,
    arm_names: Sequence[str] = (),
    blinded: bool = False,
) -> Figure:
    """A panel per endpoint and tissue, a thin line per patient, a thick one for the median.

    Parameters
    ----------
    endpoints
        Release table `endpoints`; values at rest on their natural scale. Measurements
        (``assay:analyte``) are left to other figures.
    visits
        In the design's order.
    arms
        patient_id -> arm; only the comparison has it. Without it all patients are drawn alike.
    arm_names
        Reference first, which is grey; the names in `arms`, sorted, when empty.
    blinded
        Whether these arms are random labels, which is then written across the figure.
    """
    found = endpoints[
        endpoints["value"].notna()
        & (endpoints["session_phase"] == "rest")
        & ~endpoints["endpoint"].astype(str).str.contains(":")
    ]
    groups = sorted(set(zip(found["tissue"], found["endpoint"], strict=True)))
    if not groups:
        return empty_figure("No endpoint has a value yet.")
    n_rows = -(-len(groups) // _COLUMNS)
    figure = new_figure(height=0.6 + 2.35 * n_rows, width=10.0)
    panels = figure.subplots(n_rows, min(_COLUMNS, len(groups)), squeeze=False).ravel()
    colours = {"": KEPT} if arms is None else pick_arm_colours(arm_names or sorted(set(arms)))
    for axes in panels[len(groups) :]:
        axes.remove()
    for axes, (tissue, endpoint) in zip(panels, groups, strict=False):
        chosen = found[(found["tissue"] == tissue) & (found["endpoint"] == endpoint)]
        table = chosen.pivot_table(index="patient_id", columns="visit", values="value")
        table = table.reindex(columns=list(visits)).astype(float)
        is_share = endpoint in SHARE_ENDPOINTS
        _draw_panel(axes, table * (100 if is_share else 1), arms, colours)
        title = f"{capitalise(label_endpoint(endpoint))}, {tissue}{' (%)' if is_share else ''}"
        axes.set_title(textwrap.fill(title, 30), fontsize=8)
    if arms is not None:
        handles = [Line2D([], [], color=colour, linewidth=2.5) for colour in colours.values()]
        figure.legend(handles, list(colours), loc="outside upper left", ncols=len(colours))
    if blinded and arms is not None:
        mark_blinded(figure)
    return figure


def _draw_panel(
    axes: Axes, table: pd.DataFrame, arms: pd.Series | None, colours: dict[str, str]
) -> None:
    x = np.arange(table.shape[1])
    owner = pd.Series("", index=table.index) if arms is None else arms.reindex(table.index)
    for arm, colour in colours.items():
        values = table[owner == arm]
        for line in values.to_numpy():
            has = np.isfinite(line)
            axes.plot(
                x[has], line[has], "-o", color=colour, linewidth=0.8, markersize=2.5, alpha=0.55
            )
        middle = values.median()
        has = middle.notna().to_numpy()
        axes.plot(x[has], middle[has], "-D", color=colour, linewidth=2.6, markersize=5)
    n_patients = int(table.notna().any(axis=1).sum())
    axes.set_xticks(x, [label_visit(visit) for visit in table.columns])
    axes.set_xlim(-0.35, len(x) - 0.65)
    axes.set_ylim(bottom=min(0.0, float(np.nanmin(table.to_numpy()))))
    axes.text(
        0.98,
        0.02,
        format_amount(n_patients, "patient"),
        transform=axes.transAxes,
        ha="right",
        fontsize=7,
        color=MUTED,
    )
