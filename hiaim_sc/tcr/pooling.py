"""Receptors of all libraries in one table, with what clones are defined by."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.study import pool_tables
from hiaim_sc.tcr.receptors import RECEPTOR_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping


def pool_receptors(
    receptors: Mapping[str, pd.DataFrame], cell_qc: Mapping[str, pd.DataFrame], layout: pd.DataFrame
) -> pd.DataFrame:
    """Receptors of the libraries in `layout`, with `library_id, patient_id, predicted_doublet`.

    Parameters
    ----------
    receptors
        By library_id (`call_receptors`).
    cell_qc
        By library_id; a cell that is not in it is no predicted doublet.
    layout
        A row per library in the analysis; receptors of other libraries are left out.
    """
    patient = layout.set_index("library_id")["patient_id"]
    pooled = pool_tables(
        {name: table for name, table in receptors.items() if name in patient.index},
        RECEPTOR_COLUMNS,
    )
    cells = ["library_id", "cell_barcode"]
    flagged = pool_tables(
        {
            name: table.loc[table["predicted_doublet"], ["cell_barcode"]]
            for name, table in cell_qc.items()
        },
        ["cell_barcode"],
    )
    is_flagged = pd.MultiIndex.from_frame(pooled[cells]).isin(
        pd.MultiIndex.from_frame(flagged[cells])
    )
    return pooled.assign(
        patient_id=pooled["library_id"].map(patient).astype("str"), predicted_doublet=is_flagged
    )
