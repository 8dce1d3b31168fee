"""Which cells count: metrics, limits, doublets, ambient RNA, sex. None is removed."""

from hiaim_sc.qc.cells import CellQc, assess_cells
from hiaim_sc.qc.correction import (
    CorrectedCounts,
    correct_counts,
    leave_counts,
    why_not_corrected,
)
from hiaim_sc.qc.hashtags import exclude_unassigned
from hiaim_sc.qc.sex import count_sex_genes

__all__ = [
    "CellQc",
    "CorrectedCounts",
    "assess_cells",
    "correct_counts",
    "count_sex_genes",
    "exclude_unassigned",
    "leave_counts",
    "why_not_corrected",
]
