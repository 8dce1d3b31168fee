"""Which cells count: metrics, limits, doublets. Cells are flagged with reasons, never removed."""

from hiaim_sc.qc.cells import CellQc, assess_cells
from hiaim_sc.qc.hashtags import exclude_unassigned

__all__ = ["CellQc", "assess_cells", "exclude_unassigned"]
