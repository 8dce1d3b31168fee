"""What names in tables are called in front of people.

A name without an entry is shown as it is, with underscores as spaces: a new endpoint or reason is
never hidden for want of a label.
"""

from __future__ import annotations

import re
from typing import Final

from hiaim_sc.names import COMPOSITION

ENDPOINT_LABELS: Final = {
    "blood_nk_frac": "NK cells among lymphocytes",
    "blood_nk_abs": "NK cells in blood, 10^9 per litre",
    "tum_T_frac": "T cells among all cells",
    "tum_NK_frac": "NK cells among all cells",
    "tum_T_frac_cd45": "T cells among immune cells",
    "tum_NK_frac_cd45": "NK cells among immune cells",
    "tum_NK_T": "NK to T cell log-ratio",
    "nexp_m": "number of expanded CD8 T clones",
    "expfrac_m": "CD8 T cells in expanded clones",
    "n_called_m": "number of CD8 T clones that grew",
    "blood_tumour_dual": "CD8 T cells in clones expanded in both tissues",
    "called_frac_m": "CD8 T cells in clones that grew",
    "gain_m": "share gained by CD8 T clones since baseline",
    "turnover": "turnover of CD8 T clones since baseline",
    "simpson": "Simpson concentration of CD8 T clones",
    "clonality_m": "clonality of CD8 T cells",
    "gini_m": "Gini coefficient of CD8 T clones",
    "hill_0_m": "number of CD8 T clones",
    "hill_1_m": "effective number of CD8 T clones, order 1",
    "hill_2_m": "effective number of CD8 T clones, order 2",
    "share_bt": "tumour CD8 T cells whose clone is in blood",
    "ctm_frac": "blood CD8 T cells whose clone is in the tumour",
    "overlap_bt": "overlap of CD8 T clones of tumour and blood",
    "novel_tum": "tumour CD8 T cells of clones unseen at baseline",
    "blood_ptr_frac": "CD8 T cells in putative tumour-reactive clones",
    "pmhc_breadth": "antigens recognised, of those screened",
    "pmhc_mag": "T cells that recognise an antigen",
    "cells_kept": "cells that pass quality control",
    "median_counts": "median UMIs of a cell",
    "tcr_capture": "T cells with both receptor chains",
    "clone_depth": "T cells with a clone",
    "days_from_plan": "days from the planned to the actual day",
    "days_since_infusion": "days since the last infusion",
}
_CELL_TYPE_LABELS: Final = {
    "gd": "gamma delta T cells",
    "myeloid": "myeloid cells",
    "epithelial": "epithelial cells",
    "plasma": "plasma cells",
    "stroma": "stroma cells",
}
_STARTRAC_LABELS: Final = {"expa": "expansion", "migr": "migration", "tran": "transition"}
_ACUTE = "_acute"
# values between 0 and 1 that are shown as per cent
SHARE_ENDPOINTS: Final = frozenset(
    (
        "blood_nk_frac",
        "tum_T_frac",
        "tum_NK_frac",
        "tum_T_frac_cd45",
        "tum_NK_frac_cd45",
        "expfrac_m",
        "blood_tumour_dual",
        "called_frac_m",
        "gain_m",
        "share_bt",
        "ctm_frac",
        "novel_tum",
        "blood_ptr_frac",
        "pmhc_breadth",
        "pmhc_mag",
        "tcr_capture",
        *(f"comp_{name}" for names in COMPOSITION.values() for name in names),
    )
)
REASON_LABELS: Final = {
    # samples
    "not_collected": "not collected",
    "not_yet_sequenced": "not yet sequenced",
    "lesion_unsafe": "lesion unsafe to biopsy",
    "died": "died",
    "withdrew": "withdrew",
    "failed_lab": "failed in the laboratory",
    "failed_qc": "failed quality control",
    "no_vdj": "no receptor sequencing",
    "below_cell_min": "too few cells",
    "below_depth": "too few cells with a receptor",
    "swap_unresolved": "possible sample swap",
    # cells
    "no_gex": "no expression profile",
    "low_counts": "too few molecules",
    "low_genes": "too few genes",
    "high_mt": "high mitochondrial share",
    "doublet": "doublet",
    # comparisons
    "aliased": "batch and arm cannot be told apart",
    "phases_mixed": "rest and post-bout samples mixed",
}
VERDICT_LABELS: Final = {
    "pass": "passed",
    "warn": "passed with a warning",
    "quarantined": "left out",
}


def label_endpoint(endpoint: str) -> str:
    """An endpoint in words; a measurement ``assay:analyte`` as ``analyte (assay)``."""
    if endpoint in ENDPOINT_LABELS:
        return ENDPOINT_LABELS[endpoint]
    if endpoint.endswith(_ACUTE):
        return f"{label_endpoint(endpoint.removesuffix(_ACUTE))}, after a bout over at rest"
    kind, _, rest = endpoint.partition("_")
    if kind == "comp":
        return f"{_CELL_TYPE_LABELS.get(rest, f'{rest} cells')} among all of known type"
    if kind == "startrac":
        index, _, cluster = rest.partition("_")
        return f"{_STARTRAC_LABELS.get(index, index)} of {_spaced(cluster)} cells (STARTRAC)"
    assay, colon, analyte = endpoint.partition(":")
    return f"{_spaced(analyte)} ({_spaced(assay)})" if colon else _spaced(endpoint)


def label_reason(reason: str) -> str:
    """A reason in words; a sentence, which may name a file, stays as it is."""
    is_code = " " not in reason
    return REASON_LABELS.get(reason, _spaced(reason) if is_code else reason)


def label_visit(visit: str) -> str:
    """A visit in words: ``week6`` as ``week 6``."""
    return re.sub(r"(?<=[A-Za-z])(?=\d)", " ", _spaced(visit))


def label_place(tissue: str, visit: str, session_phase: str = "rest") -> str:
    """Where and when: ``blood, week 6``; a phase other than rest is said."""
    phase = "" if session_phase in ("", "rest") else _spaced(session_phase)
    return ", ".join(filter(None, (_spaced(tissue), label_visit(visit), phase)))


def capitalise(text: str) -> str:
    """The text with a capital first letter and the rest untouched."""
    return text[:1].upper() + text[1:]


def _spaced(name: str) -> str:
    return name.replace("_", " ")
