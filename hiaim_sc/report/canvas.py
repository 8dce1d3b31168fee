"""Figures without global state, written to the same bytes each time."""

from __future__ import annotations

import functools
import io
from typing import TYPE_CHECKING, Final

import matplotlib.style
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.transforms import Bbox

from hiaim_sc.report.palette import BLINDED, INK, MUTED, RULE

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from matplotlib.axes import Axes

# fonts ship with matplotlib, so text is as wide on every machine
STYLE: Final = {
    "font.family": ["DejaVu Sans"],
    "font.size": 9.0,
    "axes.titlesize": 10.0,
    "axes.titleweight": "bold",
    "axes.titlelocation": "left",
    "axes.labelsize": 9.0,
    "axes.labelcolor": INK,
    "axes.edgecolor": MUTED,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.linewidth": 0.8,
    "axes.axisbelow": True,
    "grid.color": RULE,
    "grid.linewidth": 0.6,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.labelcolor": INK,
    "ytick.labelcolor": INK,
    "xtick.labelsize": 8.5,
    "ytick.labelsize": 8.5,
    "text.color": INK,
    "legend.frameon": False,
    "legend.fontsize": 8.5,
    "svg.hashsalt": "hiaim-sc",
    "svg.fonttype": "path",
    "path.simplify": True,
}
WIDTH: Final = 9.0
DPI: Final = 150


def styled[**P, R](draw: Callable[P, R]) -> Callable[P, R]:
    """The function run with the house style, whatever the user's own matplotlib settings."""

    @functools.wraps(draw)
    def run(*args: P.args, **kwargs: P.kwargs) -> R:
        with matplotlib.style.context(["default", STYLE]):
            return draw(*args, **kwargs)

    return run


def new_figure(*, height: float, width: float = WIDTH) -> Figure:
    """An empty figure with its own canvas; sizes in inches."""
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    return figure


@styled
def empty_figure(message: str) -> Figure:
    """A figure that says why there is nothing to draw."""
    figure = new_figure(height=1.2)
    figure.text(0.5, 0.5, message, ha="center", va="center", color=MUTED, fontsize=10)
    return figure


def strip_axes(axes: Axes) -> None:
    """Leave the axes without ticks and frame."""
    axes.set_xticks([])
    axes.set_yticks([])
    for spine in axes.spines.values():
        spine.set_visible(False)


def mark_blinded(figure: Figure) -> None:
    """Write across the figure that its arm labels are random."""
    width, height = figure.get_size_inches()
    figure.text(
        0.5,
        0.5,
        "BLINDED: labels are random",
        ha="center",
        va="center",
        fontsize=min(40.0, 5.2 * float(width)),
        rotation=min(25.0, 9.0 * float(height)),
        color=BLINDED,
        alpha=0.16,
        weight="bold",
        zorder=10,
    )


@styled
def render_svg(figure: Figure) -> bytes:
    """The figure as SVG without date or program version: the same bytes each time."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="svg", metadata={"Date": None, "Creator": None}, dpi=DPI)
    return buffer.getvalue()


@styled
def render_png(figure: Figure) -> bytes:
    """The figure as PNG at 150 dots per inch."""
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", metadata={"Software": None}, dpi=DPI)
    return buffer.getvalue()


@styled
def lay_out(figure: Figure) -> None:
    """Give everything in the figure its place, for good.

    Left to itself, matplotlib measures every text anew for each file that it saves. The last bits
    of what its solver finds depend on where in memory things lie, and with them names in the SVG;
    places are rounded to a billionth of the figure.
    """
    engine = figure.get_layout_engine()
    if engine is not None and figure.axes:
        figure.set_dpi(DPI)
        engine.execute(figure)
        figure.set_layout_engine(None)
        for axes in figure.axes:
            corners = np.round(axes.get_position(original=True).extents, 9)
            axes.set_position(Bbox.from_extents(*corners))


def write_figure(figure: Figure, folder: Path, name: str) -> bytes:
    """Write ``name.png`` and ``name.svg``; the folder is made where absent. Returns the SVG."""
    lay_out(figure)
    folder.mkdir(parents=True, exist_ok=True)
    (folder / f"{name}.png").write_bytes(render_png(figure))
    svg = render_svg(figure)
    (folder / f"{name}.svg").write_bytes(svg)
    return svg
