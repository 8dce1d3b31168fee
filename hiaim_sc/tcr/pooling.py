"""Receptors of all libraries in one table, with what clones are defined by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from hiaim_sc.study import pool_tables
from hiaim_sc.tcr.chains import CHAIN_COLUMNS

if TYPE_CHECKING:
    from collections.abc import Mapping

# what clones are defined by; the rest of a million receptors would fill the memory
_COLUMNS: Final = [
    *("cell_barcode", "receptor_type", "receptor_subtype", "chain_pairing"),
    *CHAIN_COLUMNS,
]
_NO_QC: Final = pd.DataFrame(
    {"cell_barcode": pd.Series(dtype="str"), "predicted_doublet": pd.Series(dtype=bool)}
)


def pool_receptors(
    receptors: Mapping[str, pd.DataFrame], cell_qc: Mapping[str, pd.DataFrame], layout: pd.DataFrame
) -> pd.DataFrame:
    """Receptors of the libraries in `layout`, as `define_clones` takes them.

    Parameters
    ----------
    receptors
        By library_id (`call_receptors`).
    cell_qc
        By library_id; a cell that is not in it is no predicted doublet.
    layout
        A row per library in the analysis; receptors of other libraries are left out.

    Returns
    -------
    pandas.DataFrame
        `library_id`, receptor and chains of each cell, `patient_id`, `predicted_doublet`.
    """
    patient = layout.set_index("library_id")["patient_id"]
    tables = {}
    for name, table in receptors.items():
        if name in patient.index:
            qc = cell_qc.get(name, _NO_QC)
            flagged = qc.loc[qc["predicted_doublet"], "cell_barcode"]
            tables[name] = table[_COLUMNS].assign(
                patient_id=patient[name], predicted_doublet=table["cell_barcode"].isin(flagged)
            )
    pooled = pool_tables(tables, [*_COLUMNS, "patient_id", "predicted_doublet"])
    return pooled.astype({"patient_id": "str"})
