"""Signs of a doublet that need no neighbours: too many receptor chains, two compartments' markers."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd
    from anndata import AnnData

# Genes that hardly any cell of another compartment expresses. T and NK share one: their programmes
# overlap, and so would their doublets.
COMPARTMENT_MARKERS = {
    "T or NK": "CD3D CD3E CD3G CD2 TRAC KLRD1 NKG7 NCR1 GNLY KLRF1",
    "B or plasma": "MS4A1 BANK1 PAX5 CD19 CD79A CD79B JCHAIN MZB1 IGHG1 IGHA1 SDC1 TNFRSF17",
    "myeloid": "LYZ SPI1 S100A8 S100A9 FCN1 VCAN CD14 C1QA C1QB CD68 MSR1 MRC1 CD1C CLEC10A",
    "epithelial": "EPCAM CLDN7 CLDN4 KRT8 KRT18 KRT19",
    "stroma": "COL1A1 COL1A2 COL3A1 COL6A2 LUM DCN",
    "endothelial": "CDH5 CLDN5 VWF ERG PLVAP",
}
# Of the T cells of one donor, 10-30 % truly carry a second alpha chain and 1-5 % seem to carry a
# second beta chain; both at once, or three of a kind, is hard to explain by one cell.
EXTRA_VJ, EXTRA_VDJ, TWO_FULL, MULTICHAIN = 0.1, 0.5, 0.9, 1.0
_MIN_TYPICAL = 5.0


def receptor_evidence(n_vj: np.ndarray, n_vdj: np.ndarray, is_mixed: np.ndarray) -> np.ndarray:
    """Evidence in [0, 1] from the numbers of productive chains.

    Parameters
    ----------
    n_vj, n_vdj
        (n_cells,) productive VJ and VDJ chains before the cut to two of each.
    is_mixed
        (n_cells,) bool: receptors of two kinds at once (`receptor_type` ambiguous).
    """
    return np.select(
        [
            (n_vj > 2) | (n_vdj > 2) | is_mixed,
            (n_vj == 2) & (n_vdj == 2),
            n_vdj == 2,
            n_vj == 2,
        ],
        [MULTICHAIN, TWO_FULL, EXTRA_VDJ, EXTRA_VJ],
        default=0.0,
    )


def count_markers(counts: AnnData) -> np.ndarray:
    """Marker counts per compartment. (n_cells, n_compartments) int, in order of the table."""
    symbols = counts.var["symbol"].astype(str)
    belongs = np.column_stack(
        [symbols.isin(markers.split()).to_numpy() for markers in COMPARTMENT_MARKERS.values()]
    )
    return np.asarray(counts.X @ belongs.astype(np.int64))


def typical_markers(marker_counts: np.ndarray) -> np.ndarray:
    """Median marker counts of each compartment's own cells, at least 5. (n_compartments,)."""
    top = marker_counts.argmax(axis=1)
    has_any = marker_counts.max(axis=1, initial=0) > 0
    typical = np.full(marker_counts.shape[1], _MIN_TYPICAL)
    for column in range(marker_counts.shape[1]):
        own = marker_counts[(top == column) & has_any, column]
        if len(own):
            typical[column] = max(float(np.median(own)), _MIN_TYPICAL)
    return typical


def lineage_evidence(
    marker_counts: np.ndarray, typical: np.ndarray, has_receptor: np.ndarray
) -> np.ndarray:
    """Evidence in [0, 1]: how far the cell fills its second compartment.

    A compartment is filled to the cell's marker counts over those that are typical of the compartment,
    at most 1. A receptor fills the T compartment whatever its marker counts are.

    Parameters
    ----------
    marker_counts
        (n_cells, n_compartments).
    typical
        (n_compartments,) as `typical_markers` gives it.
    has_receptor
        (n_cells,) bool: a productive T-cell receptor chain was read.
    """
    filled = np.minimum(marker_counts / typical, 1.0)
    filled[:, 0] = np.maximum(filled[:, 0], has_receptor)
    return np.sort(filled, axis=1)[:, -2]


def receptor_counts(
    receptors: pd.DataFrame | None, cell_barcodes: pd.Index
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """`n_VJ`, `n_VDJ` and whether the receptor is of two kinds, by cell; 0 where there is none."""
    n_cells = len(cell_barcodes)
    if receptors is None:
        return np.zeros(n_cells, int), np.zeros(n_cells, int), np.zeros(n_cells, bool)
    table = receptors.set_index("cell_barcode").reindex(cell_barcodes)
    is_mixed = (table["receptor_type"] == "ambiguous") | (table["chain_pairing"] == "ambiguous")
    return (
        table["n_VJ"].fillna(0).to_numpy(dtype=int),
        table["n_VDJ"].fillna(0).to_numpy(dtype=int),
        is_mixed.fillna(value=False).to_numpy(dtype=bool),
    )
