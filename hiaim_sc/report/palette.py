"""Colours that keep their meaning from figure to figure and from release to release.

The hues are those of Okabe and Ito, which people with any common colour vision tell apart. The
cell types of one compartment lie close in hue.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

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
# within a compartment's hue, but neighbours on a UMAP must still be told apart
CELL_TYPE_COLOURS: Final = {
    "CD4 T": "#0072b2",
    "CD8 T": "#56b4e9",
    "Treg": "#5e3c99",
    "gd T": "#1b9e9e",
    "MAIT": "#9e9ac8",
    "iNKT": "#c2a5cf",
    "proliferating T": "#08306b",
    "T": "#9ecae1",
    "NK CD56bright": "#b07a00",
    "NK CD56dim": "#f0b429",
    "proliferating NK": "#7a5200",
    "NK": "#ffdf80",
    "ILC": "#c8a951",
    "B": "#009e73",
    "plasma": "#84d0b0",
    "monocyte": "#d55e00",
    "macrophage": "#fc9272",
    "DC": "#a63603",
    "pDC": "#fdae6b",
    "mast": "#67000d",
    "neutrophil": "#fdd0a2",
    "epithelial": "#cc79a7",
    "fibroblast": "#8c6d31",
    "pericyte": "#5c4a1f",
    "endothelial": "#cbb677",
    "erythrocyte": "#b30000",
    "platelet": "#e7298a",
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
    """A cell type's own colour; grey for a label that ``CELL_TYPE_COLOURS`` does not have."""
    return {name: CELL_TYPE_COLOURS.get(name, "#7f7f7f") for name in cell_types}
