"""How much of the blood's CD8 T cells are of clones that may recognise the tumour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hiaim_sc.compare.endpoints.scales import as_share
from hiaim_sc.names import PUTATIVE

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.compare.endpoints.repertoires import Repertoires
    from hiaim_sc.compare.samples import Row

_ENDPOINT = "blood_ptr_frac"


def measure_reactive(repertoires: Repertoires, phenotypes: pd.DataFrame) -> list[Row]:
    """``blood_ptr_frac`` of each blood sample: CD8 T cells in putative tumour-reactive clones.

    Of those with a clone. The clones of a patient are one set for all visits, called in all their
    tumour samples. A patient none of whose clones could be judged has no value: for the reason
    that the tumour samples have, else ``below_cell_min``. Nothing is expected where no tumour
    sample is planned, or the genes were not measured.

    Parameters
    ----------
    repertoires
        Of CD8 T cells.
    phenotypes
        Release table ``clone_phenotypes``.
    """
    not_measured = (phenotypes["reason"] == "genes_not_measured").to_numpy()
    if "tumor" not in repertoires.depth or (len(phenotypes) and not_measured.all()):
        return []
    judged = phenotypes[phenotypes["label"].isin([PUTATIVE, "other"])]
    reactive = set(phenotypes.loc[phenotypes["label"] == PUTATIVE, "clone_key"])
    reasons = _explain(repertoires, set(judged["patient_id"]))
    located = repertoires.located
    return [
        _measure(repertoires, sample, reactive, reasons[sample.patient_id])
        for sample in located[located["tissue"] == "blood"].itertuples()
    ]


def _explain(repertoires: Repertoires, judged: set[str]) -> dict[str, str]:
    """Why a patient has no set of clones; empty where there is one."""
    located = repertoires.located
    tumour = located[located["tissue"] == "tumor"]
    first = tumour.groupby("patient_id")["reason_missing"].first()
    has_cells = set(tumour.loc[tumour["reason_missing"] == "", "patient_id"])
    return {
        patient: ""
        if patient in judged
        else "below_cell_min"
        if patient in has_cells
        else first.get(patient, "not_collected")
        for patient in located["patient_id"].unique()
    }


def _measure(repertoires: Repertoires, sample: Any, reactive: set[str], reason: str) -> Row:
    minimum = repertoires.options.min_t_cells
    row = repertoires.start(sample, _ENDPOINT, "logit") | {"depth": None}
    row["reason_missing"] = repertoires.why_missing(sample, minimum) or reason
    if not row["reason_missing"]:
        counts = repertoires.of(sample)
        n_cells = int(counts.sum())
        share = float(counts[counts.index.isin(reactive)].sum() / n_cells)
        row["value"], row["value_analysed"] = as_share(share, n_cells)
    return row
