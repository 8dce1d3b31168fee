"""What each cell is, from a marker panel, its neighbours, its cluster and its receptor."""

from hiaim_sc.annotate.cells import annotate_cells
from hiaim_sc.annotate.panel import panel_genes, read_panel, without_signatures
from hiaim_sc.annotate.signatures import read_signatures, score_signatures

__all__ = [
    "annotate_cells",
    "panel_genes",
    "read_panel",
    "read_signatures",
    "score_signatures",
    "without_signatures",
]
