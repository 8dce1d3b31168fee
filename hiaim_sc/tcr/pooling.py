"""Receptors of all libraries in one table, with what clones are defined by."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from hiaim_sc.study import place_cells, pool_tables
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
    receptors: Mapping[str, pd.DataFrame],
    cell_qc: Mapping[str, pd.DataFrame],
    layout: pd.DataFrame,
    cell_samples: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Receptors of the libraries in `layout`, as `define_clones` takes them.

    Parameters
    ----------
    receptors
        By library_id (`call_receptors`).
    cell_qc
        By library_id; a cell that is not in it is no predicted doublet.
    layout
        A row per library in the analysis and sample; receptors of other libraries are left out.
    cell_samples
        The sample of each cell of the pooled libraries; a cell of no sample is of no patient, and
        is left out.

    Returns
    -------
    pandas.DataFrame
        `library_id`, receptor and chains of each cell, `patient_id`, `predicted_doublet`.
    """
    tables = {}
    for name, table in receptors.items():
        qc = cell_qc.get(name, _NO_QC)
        flagged = qc.loc[qc["predicted_doublet"], "cell_barcode"]
        tables[name] = table[_COLUMNS].assign(predicted_doublet=table["cell_barcode"].isin(flagged))
    pooled = pool_tables(tables, [*_COLUMNS, "predicted_doublet"])
    placed = place_cells(pooled, layout, cell_samples)[[*pooled.columns, "patient_id"]]
    placed = placed.dropna(subset="patient_id").astype({"patient_id": "str"})
    return placed.sort_values(["library_id", "cell_barcode"], ignore_index=True)
