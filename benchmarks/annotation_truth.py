"""How right labels of simulated cells are: by compartment, lineage and state, and between arms."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.names import COARSE_OF_CELL_TYPE

if TYPE_CHECKING:
    from pathlib import Path

KEY = ["library_id", "cell_barcode"]
LINEAGES = ("CD4", "CD8", "Treg", "gd", "MAIT")
FLAGS = ("proliferating", "stressed", "activated")
_LINEAGE_OF_TYPE = {"CD4 T": "CD4", "CD8 T": "CD8", "gd T": "gd"}
_LYMPHOID = ("T", "NK")


def read_truth(study: Path, truth: Path) -> tuple[pd.DataFrame, pd.DataFrame]:
    """The true cells, and the arm of each patient."""
    cells = pd.read_csv(truth / "cells.tsv", sep="\t", keep_default_na=False, low_memory=False)
    return cells, pd.read_csv(study / "allocation.tsv", sep="\t", dtype="str")


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
    lineage = lineage.mask(cycling, table["lineage"])
    lineage = lineage.where(lineage.isin(LINEAGES), coarse)
    return table.assign(cell_type_lineage_true=lineage)


def choose_lymphoid(table: pd.DataFrame) -> pd.DataFrame:
    """Those that truly are T, NK or innate lymphoid cells."""
    return table[table["cell_type_coarse_true"].isin(_LYMPHOID)]


def measure(table: pd.DataFrame) -> dict[str, float]:
    """Shares of right labels; recall and precision of NK, of each lineage of T, and of flags.

    ``states`` is over T, NK and innate lymphoid cells; innate lymphoid cells count as NK.
    """
    lymphoid = choose_lymphoid(table)
    found = {
        "compartments": _share_right(table, "cell_type_coarse"),
        "lineages": _share_right(table, "cell_type_lineage"),
        "states": _share_right(lymphoid, "cell_state"),
        "unassigned states": float((lymphoid["cell_state"] == "unassigned").mean()),
    }
    for name in ("NK", *LINEAGES):
        truly, said = table["cell_type_lineage_true"] == name, table["cell_type_lineage"] == name
        found |= _recall_precision(name, truly, said)
    for name in FLAGS:
        truly, said = (lymphoid[c].str.contains(name) for c in ("flags", "cell_flags"))
        found |= _recall_precision(name, truly, said)
    return found


def _share_right(table: pd.DataFrame, column: str) -> float:
    return float((table[column] == table[f"{column}_true"]).mean())


def _recall_precision(name: str, truly: pd.Series, said: pd.Series) -> dict[str, float]:
    return {
        f"{name} recall": float(said[truly].mean()),
        f"{name} precision": float(truly[said].mean()),
    }


def count_nk_errors(table: pd.DataFrame) -> pd.DataFrame:
    """Errors with NK in each patient's blood at each visit.

    Returns
    -------
    ``arm patient_id visit missed false bias``: NK cells missed and cells falsely called NK, both
    as a share of the sample's NK cells, and the called less the true share of NK in all cells.
    """
    blood = table[table["tissue"] == "blood"]
    is_nk = blood["cell_type_coarse_true"] == "NK"
    called = blood["cell_type_coarse"] == "NK"
    by = [blood["arm"], blood["patient_id"], blood["visit"]]
    count = {
        name: flags.groupby(by).sum()
        for name, flags in (("missed", is_nk & ~called), ("false", called & ~is_nk), ("nk", is_nk))
    }
    n_cells = is_nk.groupby(by).size()
    return pd.DataFrame(
        {
            "missed": count["missed"] / count["nk"],
            "false": count["false"] / count["nk"],
            "bias": (count["false"] - count["missed"]) / n_cells,
        }
    ).reset_index()


def compare_arms(errors: pd.DataFrame, arms: tuple[str, str]) -> pd.DataFrame:
    """Treated less reference arm after the baseline: mean difference and its standard error.

    A row each for ``missed``, ``false`` and ``bias``, over patients.
    """
    later = (
        errors[errors["visit"] != "baseline"].groupby(["arm", "patient_id"]).mean(numeric_only=True)
    )
    mean = later.groupby("arm").mean()
    error = later.groupby("arm").var() / later.groupby("arm").count()
    return pd.DataFrame(
        {
            "difference": mean.loc[arms[1]] - mean.loc[arms[0]],
            "standard_error": np.sqrt(error.loc[arms[0]] + error.loc[arms[1]]),
        }
    )
