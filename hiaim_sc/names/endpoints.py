"""The endpoints from sequencing, by the family in which they are adjusted together."""

from __future__ import annotations

from typing import Final

# Types of T cell between which clones are followed (STARTRAC).
T_CLUSTERS: Final = ("CD4 T", "CD8 T", "Treg", "proliferating T")
STARTRAC_INDICES: Final = ("expa", "migr", "tran")

STARTRAC: Final = tuple(
    f"startrac_{index}_{cluster.replace(' ', '_')}"
    for cluster in T_CLUSTERS
    for index in STARTRAC_INDICES
)
# Cell types (compartments, T cells by lineage) whose shares make up a sample, by tissue.
COMPOSITION: Final = {
    "blood": ("CD4", "CD8", "Treg", "gd", "MAIT", "NK", "B", "myeloid"),
    "tumor": (
        "CD4",
        "CD8",
        "Treg",
        "gd",
        "MAIT",
        "NK",
        "B",
        "plasma",
        "myeloid",
        "epithelial",
        "stroma",
    ),
}

_CLONAL = (
    "nexp_m n_called_m expfrac_m simpson clonality_m gini_m hill_0_m hill_1_m hill_2_m "
    "called_frac_m gain_m turnover"
)
# Family -> endpoints whose p-values are adjusted together; a plan may say otherwise.
FAMILIES: Final[dict[str, tuple[str, ...]]] = {
    "blood_composition": ("blood_nk_frac", "blood_nk_abs", "blood_nk_frac_acute"),
    "blood_cell_types": tuple(f"comp_{name}" for name in COMPOSITION["blood"]),
    "tumour_composition": (
        "tum_T_frac",
        "tum_NK_frac",
        "tum_T_frac_cd45",
        "tum_NK_frac_cd45",
        "tum_NK_T",
    ),
    "tumour_cell_types": tuple(f"comp_{name}" for name in COMPOSITION["tumor"]),
    "blood_clonal": (*_CLONAL.split(), "ctm_frac"),
    "tumour_clonal": tuple(f"{_CLONAL} blood_tumour_dual share_bt overlap_bt novel_tum".split()),
    "startrac": STARTRAC,
    "pmhc": ("pmhc_breadth", "pmhc_mag"),
    "reactive_clones": ("blood_ptr_frac",),
    # not biology: what else may differ between arms
    "nuisances": (
        "cells_kept",
        "median_counts",
        "tcr_capture",
        "clone_depth",
        "days_from_plan",
        "days_since_infusion",
    ),
}
# Every endpoint from sequencing; measurements are `<assay>:<analyte>`.
ENDPOINTS: Final = frozenset(name for family in FAMILIES.values() for name in family)
