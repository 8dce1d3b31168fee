"""How right labels of simulated cells are: by compartment, lineage and state, and between arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.names import COARSE_OF_CELL_TYPE

if TYPE_CHECKING:
    from pathlib import Path

KEY = ["library_id", "cell_barcode"]
_LINEAGE_OF_TYPE = {"CD4 T": "CD4", "CD8 T": "CD8", "gd T": "gd"}
LYMPHOCYTES = ("T", "NK")


def join_truth(cells: pd.DataFrame, truth: pd.DataFrame, arms: pd.DataFrame) -> pd.DataFrame:
    """Cells that pass QC and are one cell each, with what they truly are and their patient's arm.

    Parameters
    ----------
    cells
        Release table `cells`.
    truth
        The simulator's `cells.tsv`.
    arms
        ``patient_id arm``.
    """
    table = cells[cells["qc_pass"].astype(bool)].merge(truth, on=KEY, suffixes=("", "_true"))
    table = table[~table["is_doublet"].astype(bool)].merge(arms, on="patient_id")
    lineage = table["cell_type_true"].replace(_LINEAGE_OF_TYPE)
    cycling = table["cell_type_true"] == "proliferating T"
    coarse = table["cell_type_true"].map(COARSE_OF_CELL_TYPE)
    own = table["cell_type_true"].isin(["Treg", "MAIT", *_LINEAGE_OF_TYPE])
    lineage = lineage.mask(cycling, table["lineage"]).where(own | cycling, coarse)
    return table.assign(cell_type_lineage_true=lineage)


def measure(table: pd.DataFrame) -> dict[str, float]:
    """Shares of right labels, NK recall and precision, and NK errors by arm.

    ``states`` is over T, NK and innate lymphoid cells. ``nk_error_difference`` is the difference
    between arms of the mean over patients of the NK cells missed or falsely called, as a share of
    the patient's NK cells in the blood after the baseline; ``nk_share_bias_difference`` the same of
    the called less the true share of NK among all cells.
    """
    right = {
        name: float((table[column] == table[f"{column}_true"]).mean())
        for name, column in (
            ("compartments", "cell_type_coarse"),
            ("lineages", "cell_type_lineage"),
        )
    }
    lymphoid = table[table["cell_type_coarse_true"].isin(LYMPHOCYTES)]
    is_nk, called = table["cell_type_coarse_true"] == "NK", table["cell_type_coarse"] == "NK"
    found = {
        **right,
        "states": float((lymphoid["cell_state"] == lymphoid["cell_state_true"]).mean()),
        "nk_recall": float(called[is_nk].mean()),
        "nk_precision": float(is_nk[called].mean()),
    }
    for name in ("CD4", "CD8", "Treg", "gd", "MAIT"):
        truly, said = table["cell_type_lineage_true"] == name, table["cell_type_lineage"] == name
        found[f"{name}_recall"] = float(said[truly].mean())
        found[f"{name}_precision"] = float(truly[said].mean())
    return found | _compare_arms(table, is_nk, called)


def _compare_arms(table: pd.DataFrame, is_nk: pd.Series, called: pd.Series) -> dict[str, float]:
    blood = (table["tissue"] == "blood") & (table["visit"] != table["visit"].min())
    wrong = (is_nk != called)[blood]
    by = [table.loc[blood, "arm"], table.loc[blood, "patient_id"]]
    n_wrong, n_nk = wrong.groupby(by).sum(), is_nk[blood].groupby(by).sum()
    error = (n_wrong / n_nk).groupby("arm").mean()
    bias = (called.astype(float) - is_nk)[blood].groupby(by).mean().groupby("arm").mean()
    return {
        "nk_error_difference": float(np.ptp(error)),
        "nk_share_bias_difference": float(np.ptp(bias)),
    }


def read_truth(study: Path, truth: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The true cells, and the arm of each patient."""
    cells = pd.read_csv(truth / "cells.tsv", sep="\t", keep_default_na=False, low_memory=False)
    return cells, pd.read_csv(study / "allocation.tsv", sep="\t", dtype="str")
