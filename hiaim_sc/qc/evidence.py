"""Signs of a doublet that need no neighbours: too many chains, markers of two compartments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

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
_T_CELLS = 0
_MIN_TYPICAL = 5.0
# Of a donor's T cells 10-30 % truly carry a second alpha chain and 1-5 % seem to carry a second
# beta chain; both at once is hard to explain by one cell, and three of a kind harder.
EXTRA_VJ, EXTRA_VDJ, TWO_FULL, MULTICHAIN = 0.1, 0.5, 0.9, 1.0


@dataclass(frozen=True)
class ReceptorCounts:
    """Productive receptor chains by cell, all (n_cells,).

    Attributes
    ----------
    n_vj, n_vdj
        Chains of each arm, before the cut to two of each.
    is_mixed
        Receptors of two kinds at once (`receptor_type` ambiguous).
    """

    n_vj: np.ndarray
    n_vdj: np.ndarray
    is_mixed: np.ndarray

    def __add__(self, other: ReceptorCounts) -> ReceptorCounts:
        return ReceptorCounts(
            self.n_vj + other.n_vj, self.n_vdj + other.n_vdj, self.is_mixed | other.is_mixed
        )

    def take(self, rows: np.ndarray) -> ReceptorCounts:
        """The same for some of the cells."""
        return ReceptorCounts(self.n_vj[rows], self.n_vdj[rows], self.is_mixed[rows])

    @property
    def has_receptor(self) -> np.ndarray:
        """Whether a productive chain was read."""
        return (self.n_vj + self.n_vdj) > 0

    def evidence(self) -> np.ndarray:
        """Evidence in [0, 1] that the chains are of two cells."""
        return np.select(
            [
                (self.n_vj > 2) | (self.n_vdj > 2) | self.is_mixed,
                (self.n_vj == 2) & (self.n_vdj == 2),
                self.n_vdj == 2,
                self.n_vj == 2,
            ],
            [MULTICHAIN, TWO_FULL, EXTRA_VDJ, EXTRA_VJ],
            default=0.0,
        )


@dataclass(frozen=True)
class LineageModel:
    """What a cell of each compartment typically shows of its markers.

    Attributes
    ----------
    typical
        (n_compartments,) median marker counts of the compartment's own cells, at least 5.
    """

    typical: np.ndarray

    @classmethod
    def fit(cls, marker_counts: np.ndarray) -> Self:
        """From (n_cells, n_compartments); a cell's own compartment is that of most counts."""
        typical = np.full(marker_counts.shape[1], _MIN_TYPICAL)
        if len(marker_counts):
            top = marker_counts.argmax(axis=1)
            for column in range(marker_counts.shape[1]):
                own = marker_counts[(top == column) & (marker_counts[:, column] > 0), column]
                typical[column] = max(float(np.median(own)) if len(own) else 0.0, _MIN_TYPICAL)
        return cls(typical)

    def evidence(self, marker_counts: np.ndarray, has_receptor: np.ndarray) -> np.ndarray:
        """Evidence in [0, 1]: how far a cell fills its second compartment.

        A compartment is filled to the marker counts over the typical ones, at most 1. A receptor
        fills the T compartment whatever its marker counts are. (n_cells,).
        """
        filled = np.minimum(marker_counts / self.typical, 1.0)
        filled[:, _T_CELLS] = np.maximum(filled[:, _T_CELLS], has_receptor)
        return np.sort(filled, axis=1)[:, -2]


def marker_columns(counts: AnnData) -> np.ndarray:
    """Which genes are markers of each of `COMPARTMENT_MARKERS`. (n_genes, n_compartments) bool."""
    marks: dict[str, list[int]] = {}
    for column, markers in enumerate(COMPARTMENT_MARKERS.values()):
        for gene in markers.split():
            marks.setdefault(gene, []).append(column)
    belongs = np.zeros((counts.n_vars, len(COMPARTMENT_MARKERS)), dtype=bool)
    for row, symbol in enumerate(counts.var["symbol"]):
        if symbol in marks:
            belongs[row, marks[symbol]] = True
    return belongs


def count_markers(counts: AnnData) -> np.ndarray:
    """Marker counts per compartment of `COMPARTMENT_MARKERS`. (n_cells, n_compartments) int."""
    matrix: Any = counts.X
    return np.asarray(matrix @ marker_columns(counts).astype(np.int64))


def count_receptors(receptors: pd.DataFrame | None, cell_barcodes: pd.Index) -> ReceptorCounts:
    """Chains of each cell, in the order given; 0 where it has no receptor."""
    n_cells = len(cell_barcodes)
    if receptors is None:
        zeros = np.zeros(n_cells, dtype=np.int64)
        return ReceptorCounts(zeros, zeros, zeros > 0)
    table = receptors.set_index("cell_barcode").reindex(cell_barcodes)
    is_mixed = (table["receptor_type"] == "ambiguous") | (table["chain_pairing"] == "ambiguous")
    return ReceptorCounts(
        table["n_VJ"].fillna(0).to_numpy(dtype=np.int64),
        table["n_VDJ"].fillna(0).to_numpy(dtype=np.int64),
        is_mixed.to_numpy(dtype=bool),
    )
