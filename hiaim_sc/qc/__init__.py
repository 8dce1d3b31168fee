"""Which cells count: metrics, limits, doublets. Cells are flagged with reasons, never removed."""

from hiaim_sc.qc.cells import CellQc, assess_cells

__all__ = ["CellQc", "assess_cells"]
