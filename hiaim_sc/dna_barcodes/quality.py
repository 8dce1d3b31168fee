"""How each multimer behaved in each library: background, calls, and whether it is sticky."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.dna_barcodes.panel import describe_panel
from hiaim_sc.dna_barcodes.tables import empty_table

if TYPE_CHECKING:
    from hiaim_sc.config import DnaBarcodeOptions
    from hiaim_sc.dna_barcodes.specificity import Specificity

ANTIGENS_QC_COLUMNS: Final = (
    "library_id",
    "dna_barcode",
    "peptide",
    "hla",
    "is_control",
    "n_cells",
    "n_sticky_cells",
    "background_mean",
    "background_size",
    "n_held",
    "n_receptors",
    "n_receptors_stray",
    "frac_stray",
    "is_sticky",
    "n_called",
    "n_hla_mismatch",
)
# A background holds `max_p_held` of unrelated receptors; twice that is no longer background.
_STRAY_FOLD: Final = 2.0
_KEY: Final = ["library_id", "dna_barcode"]
_CELL: Final = ["library_id", "cell_barcode"]


def assess_antigens(
    background: pd.DataFrame,
    held: pd.DataFrame,
    stained: pd.DataFrame,
    clone_cells: pd.DataFrame,
    calls: Specificity,
    antigens: pd.DataFrame | None,
    options: DnaBarcodeOptions,
) -> pd.DataFrame:
    """The release table ``antigens_qc``: a row per library and dna_barcode, controls among them.

    Parameters
    ----------
    background, held, stained
        Of `measure_staining`, all libraries with `library_id`.
    clone_cells
        `library_id cell_barcode clone_key`.
    calls
        As `call_specificity` returns them.
    antigens
        `dna_barcode`, and where known `peptide hla is_control`.
    options
        `max_p_held`.

    Returns
    -------
    pandas.DataFrame
        `ANTIGENS_QC_COLUMNS`. `n_sticky_cells`: cells of the library that hold too much of the
        panel; `n_held`: cells above the background; `n_receptors`: clones, and cells without one,
        of cells that are not sticky; `n_receptors_stray`: those of them with a cell that holds the
        dna_barcode and with none called for it, `frac_stray` their share; `is_sticky`: a share of
        more than twice `max_p_held`; `n_hla_mismatch`: cells that would be called but for HLA.
    """
    if background.empty:
        return empty_table(ANTIGENS_QC_COLUMNS)
    stray = _count_stray(held, stained, clone_cells, calls.cells)
    table = background.drop(columns="is_control").rename(
        columns={"mean": "background_mean", "size": "background_size"}
    )
    panel = describe_panel(sorted(set(table["dna_barcode"])), antigens).reset_index()
    table = table.merge(panel, on="dna_barcode", how="left")
    keys = pd.MultiIndex.from_frame(table[_KEY])
    sticky = stained.groupby("library_id")["is_sticky"].sum()
    table["n_sticky_cells"] = table["library_id"].map(sticky).astype(np.int64)
    table["n_receptors"] = table["library_id"].map(_count_receptors(stained, clone_cells))
    counted = {
        "n_receptors_stray": stray,
        "n_called": calls.cells.groupby(_KEY).size(),
        "n_hla_mismatch": calls.mismatched.groupby(_KEY).size(),
    }
    for name, counts in counted.items():
        table[name] = counts.reindex(keys, fill_value=0).to_numpy(dtype=np.int64)
    table["n_receptors"] = table["n_receptors"].fillna(0).astype(np.int64)
    table["frac_stray"] = table["n_receptors_stray"] / table["n_receptors"].clip(lower=1)
    table["is_sticky"] = table["frac_stray"] > _STRAY_FOLD * options.max_p_held
    return table.sort_values(_KEY, ignore_index=True)[list(ANTIGENS_QC_COLUMNS)]


def _with_receptor(cells: pd.DataFrame, clone_cells: pd.DataFrame) -> pd.DataFrame:
    """Cells with `receptor`: their clone, or where they have none, themselves."""
    table = cells.merge(clone_cells[[*_CELL, "clone_key"]], on=_CELL, how="left")
    itself = table["library_id"].str.cat(table["cell_barcode"], sep="\t")
    return table.assign(receptor=table["clone_key"].where(table["clone_key"].notna(), itself))


def _count_receptors(stained: pd.DataFrame, clone_cells: pd.DataFrame) -> pd.Series:
    asked = _with_receptor(stained.loc[~stained["is_sticky"], _CELL], clone_cells)
    return asked.groupby("library_id")["receptor"].nunique()


def _count_stray(
    held: pd.DataFrame, stained: pd.DataFrame, clone_cells: pd.DataFrame, called: pd.DataFrame
) -> pd.Series:
    """Receptors of each library that hold a dna_barcode and have no cell called for it."""
    asked = stained.loc[~stained["is_sticky"], _CELL]
    found = _with_receptor(held[[*_CELL, "dna_barcode"]].merge(asked, on=_CELL), clone_cells)
    marked = called[[*_CELL, "dna_barcode"]].assign(is_called=True)
    found = found.merge(marked, on=[*_CELL, "dna_barcode"], how="left")
    found["is_called"] = found["is_called"].astype("boolean").fillna(value=False)
    is_called = found.groupby([*_KEY, "receptor"])["is_called"].any()
    return (~is_called.astype(bool)).groupby(_KEY).sum()
