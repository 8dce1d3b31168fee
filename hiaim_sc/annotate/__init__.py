"""What each cell is, from a marker panel, its neighbours, its cluster and its receptor."""

from hiaim_sc.annotate.cells import annotate_cells
from hiaim_sc.annotate.panel import panel_genes, read_panel

__all__ = ["annotate_cells", "panel_genes", "read_panel"]
