"""How much of each sample the annotation leaves open; the arm is not known here."""

from __future__ import annotations

import pandas as pd

from hiaim_sc.names import RELEASE_TABLES

_SAMPLE = ["sample_id", "patient_id", "tissue", "visit", "session_phase"]


def summarise_annotation(cells: pd.DataFrame) -> pd.DataFrame:
    """The release table `annotation_qc`: a row per sample with cells that pass QC.

    Shares are of the sample's cells with expression that pass, of its T cells
    (``frac_t_without_lineage``), or of its T and NK cells (``frac_state_unassigned``).

    Parameters
    ----------
    cells
        Release table `cells`.
    """
    columns = list(RELEASE_TABLES["annotation_qc"])
    kept = cells[cells["qc_pass"].astype(bool) & cells["cell_type_evidence"].notna()]
    if kept.empty:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    coarse, lineage = kept["cell_type_coarse"], kept["cell_type_lineage"]
    is_t, is_lymphoid = coarse == "T", coarse.isin(["T", "NK"])
    marks = kept[_SAMPLE].assign(
        n_cells=1,
        frac_ambiguous=(coarse == "ambiguous").astype(float),
        frac_unassigned=(coarse == "unassigned").astype(float),
        frac_overridden=(kept["cell_type_evidence"] == "override").astype(float),
        frac_t_without_lineage=(lineage == "T").astype(float).where(is_t),
        frac_state_unassigned=(kept["cell_state"] == "unassigned").astype(float).where(is_lymphoid),
        mean_score=kept["cell_type_score"].astype(float),
    )
    how = dict.fromkeys(columns, "mean") | {"n_cells": "sum"}
    how = {name: rule for name, rule in how.items() if name not in _SAMPLE}
    table = marks.groupby(_SAMPLE, sort=True).agg(how).reset_index()
    return table[columns].sort_values("sample_id", ignore_index=True)
