"""Words for cells: their types, and why one is not counted."""

from __future__ import annotations

from typing import Final

CELL_TYPES_COARSE: Final = (
    "T",
    "NK",
    "B",
    "plasma",
    "myeloid",
    "epithelial",
    "stroma",
    "other",
    "ambiguous",
    "unassigned",
)
T_LINEAGES: Final = ("CD4", "CD8", "Treg", "gd", "MAIT", "iNKT")
# fine label -> compartment. `cell_type_lineage` is the compartment, or one of T_LINEAGES within T.
COARSE_OF_CELL_TYPE: Final = {
    "CD4 T": "T",
    "CD8 T": "T",
    "Treg": "T",
    "gd T": "T",
    "MAIT": "T",
    "iNKT": "T",
    "proliferating T": "T",
    "T": "T",
    "NK CD56bright": "NK",
    "NK CD56dim": "NK",
    "proliferating NK": "NK",
    "ILC": "NK",
    "NK": "NK",
    "B": "B",
    "plasma": "plasma",
    "monocyte": "myeloid",
    "macrophage": "myeloid",
    "DC": "myeloid",
    "pDC": "myeloid",
    "mast": "myeloid",
    "neutrophil": "myeloid",
    "epithelial": "epithelial",
    "fibroblast": "stroma",
    "pericyte": "stroma",
    "endothelial": "stroma",
    "erythrocyte": "other",
    "platelet": "other",
    "ambiguous": "ambiguous",
    "unassigned": "unassigned",
}

# Labels that say why there is none.
OPEN_LABELS: Final = ("ambiguous", "unassigned")
# The columns that say what a cell is, the coarsest first.
LABEL_LEVELS: Final = ("cell_type_coarse", "cell_type_lineage", "cell_type", "cell_state")

# Why a cell is not counted; several are joined with ";" in `qc_reason`, in this order.
QC_REASONS: Final = (
    "no_gex",
    "low_counts",
    "low_genes",
    "high_mt",
    "doublet",
    "hashtag_doublet",
    "hashtag_unassigned",
)
# T cells whose clones are described for themselves.
CELL_CLASSES: Final = ("T", "CD8", "CD4")
