"""Where the cells called for an antigen are: in which sample, of which type, of how many clones."""

from __future__ import annotations

from typing import Final

import pandas as pd

from hiaim_sc.names import RELEASE_TABLES

_CELL: Final = ["library_id", "cell_barcode"]
_SAMPLE: Final = ["patient_id", "sample_id", "tissue", "visit", "session_phase"]
_GROUP: Final = [*_SAMPLE, "dna_barcode", "cell_type"]
_UNKNOWN: Final = "unassigned"


def locate_specific_cells(specificity: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """The release table ``specific_cells``: a row per sample, antigen and cell type with a call.

    Cells that pass QC, of samples that are known. With the visits side by side it says how the
    cells and clones of an antigen change.

    Parameters
    ----------
    specificity
        Release table.
    cells
        Release table.

    Returns
    -------
    ``patient_id sample_id tissue visit session_phase dna_barcode cell_type n_cells n_clones
    largest_clone n_cells_of_type``: cells called, their clones (cells without one have none), the
    cells of the largest of these, and all cells of that type in the sample.
    """
    columns = list(RELEASE_TABLES["specific_cells"])
    known = cells[cells["qc_pass"] & cells["sample_id"].notna()]
    known = known[[*_CELL, *_SAMPLE, "cell_type"]].astype({"cell_type": "str"})
    known["cell_type"] = known["cell_type"].fillna(_UNKNOWN)
    called = specificity[[*_CELL, "dna_barcode", "clone_key"]].merge(known, on=_CELL)
    if called.empty:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    table = called.groupby(_GROUP, as_index=False).agg(
        n_cells=("cell_barcode", "size"),
        n_clones=("clone_key", "nunique"),
        largest_clone=("clone_key", _largest),
    )
    of_type = known.groupby(["sample_id", "cell_type"]).size()
    places = pd.MultiIndex.from_frame(table[["sample_id", "cell_type"]])
    table["n_cells_of_type"] = of_type.reindex(places).to_numpy()
    return table[columns]


def _largest(clone_keys: pd.Series) -> int:
    return int(clone_keys.value_counts().max()) if clone_keys.notna().any() else 0
