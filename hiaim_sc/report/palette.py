"""Colours that keep their meaning from figure to figure and from release to release.

The hues are those of Okabe and Ito, which people with any common colour vision tell apart; shades
of one hue stand for the cell types of one compartment.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import matplotlib.colors as mcolors

from hiaim_sc.names import COARSE_OF_CELL_TYPE

if TYPE_CHECKING:
    from collections.abc import Iterable

INK: Final = "#222222"
MUTED: Final = "#6b6b6b"
RULE: Final = "#d4d4d4"
KEPT: Final = "#0072b2"
BLINDED: Final = "#b00020"

# told apart in any order and in grey to a fair degree
CYCLE: Final = (
    "#0072b2",
    "#e69f00",
    "#009e73",
    "#cc79a7",
    "#d55e00",
    "#56b4e9",
    "#8c6d31",
    "#5e3c99",
    "#b2b200",
    "#999999",
)
COMPARTMENT_COLOURS: Final = {
    "T": "#0072b2",
    "NK": "#e69f00",
    "B": "#009e73",
    "plasma": "#66c2a5",
    "myeloid": "#d55e00",
    "epithelial": "#cc79a7",
    "stroma": "#8c6d31",
    "other": "#56b4e9",
    "ambiguous": "#a6a6a6",
    "unassigned": "#d9d9d9",
}
LOSS_COLOURS: Final = {
    "no_gex": "#d9d9d9",
    "low_counts": "#56b4e9",
    "low_genes": "#009e73",
    "high_mt": "#d55e00",
    "doublet": "#e69f00",
}


def pick_colours(names: Iterable[str]) -> dict[str, str]:
    """A colour per name, by sorted position; the cycle starts again after ten names."""
    return {name: CYCLE[i % len(CYCLE)] for i, name in enumerate(sorted(set(names)))}


def pick_arm_colours(arms: Iterable[str]) -> dict[str, str]:
    """Grey for the reference, which stands first, and strong colours for the others."""
    reference, *others = arms
    return {reference: MUTED, **dict(zip(others, ("#d55e00", "#0072b2", "#009e73"), strict=False))}


def pick_cell_type_colours(cell_types: Iterable[str]) -> dict[str, str]:
    """The compartment's colour, in shades from dark to light where a compartment has several.

    A shade depends on the label alone, not on which labels are present, so that a cell type looks
    the same in every release. Labels outside ``names.COARSE_OF_CELL_TYPE`` are grey.
    """
    shades = _shades()
    return {name: shades.get(name, "#7f7f7f") for name in cell_types}


def _shades() -> dict[str, str]:
    members: dict[str, list[str]] = {}
    for name, compartment in COARSE_OF_CELL_TYPE.items():
        members.setdefault(compartment, []).append(name)
    return {
        name: _lighten(COMPARTMENT_COLOURS[compartment], i / len(names))
        for compartment, names in members.items()
        for i, name in enumerate(names)
    }


def _lighten(colour: str, share: float) -> str:
    """The colour moved towards white; ``share`` 0 leaves it, 1 would give three quarters white."""
    red, green, blue = (c + (1.0 - c) * 0.75 * share for c in mcolors.to_rgb(colour))
    return mcolors.to_hex((red, green, blue))
