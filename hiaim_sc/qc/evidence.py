"""Signs of a doublet that need no neighbours: too many chains, markers of two compartments."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from hiaim_sc.qc.chance import chance_of_at_least

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.storage import Counts

# Genes that hardly any cell of another compartment expresses. T and NK share one: their programmes
# overlap, and so would their doublets.
COMPARTMENT_MARKERS = {
    "T or NK": "CD3D CD3E CD3G CD2 TRAC KLRD1 NKG7 NCR1 GNLY KLRF1",
    "B or plasma": "MS4A1 BANK1 PAX5 CD19 CD79A CD79B JCHAIN MZB1 IGHG1 IGHA1 SDC1 TNFRSF17",
    "mast": "CPA3 TPSAB1 TPSB2",
    "myeloid": "LYZ SPI1 S100A8 S100A9 FCN1 VCAN CD14 C1QA C1QB CD68 MSR1 MRC1 CD1C CLEC10A",
    "epithelial": "EPCAM CLDN7 CLDN4 KRT8 KRT18 KRT19",
    "stroma": "COL1A1 COL1A2 COL3A1 COL6A2 LUM DCN",
    "endothelial": "CDH5 CLDN5 VWF ERG PLVAP",
}
_T_CELLS = 0
_MAX_LOG10_P = 10.0
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
    def n_arms(self) -> np.ndarray:
        """Of how many of the two arms a productive chain was read."""
        return (self.n_vj > 0).astype(np.int64) + (self.n_vdj > 0)

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
    """How many markers of each compartment ambient RNA brings into a cell.

    Attributes
    ----------
    ambient
        (n_compartments,) expected marker counts per count of a cell.
    """

    ambient: np.ndarray

    @classmethod
    def fit(cls, marker_counts: np.ndarray, total: np.ndarray, fraction: float) -> Self:
        """From (n_cells, n_compartments) and (n_cells,) counts of good cells.

        The ambient RNA is `fraction` of a cell's counts and has the cells' mean profile.
        """
        return cls(fraction * marker_counts.sum(axis=0) / max(float(total.sum()), 1.0))

    def strengths(self, marker_counts: np.ndarray, total: np.ndarray) -> np.ndarray:
        """Minus log10 of the chance that ambient RNA brings so many, at most 10, over 10."""
        mean = np.maximum(np.outer(total, self.ambient), 1e-3)
        chance = np.maximum(chance_of_at_least(marker_counts, mean), 10.0**-_MAX_LOG10_P)
        return -np.log10(chance) / _MAX_LOG10_P


@dataclass(frozen=True)
class Signs:
    """What is read of cells, or of doublets made of them, all (n_cells, ...).

    Attributes
    ----------
    chains
        Receptor chains.
    markers
        (n_cells, n_compartments) marker counts.
    total
        Counts.
    """

    chains: ReceptorCounts
    markers: np.ndarray
    total: np.ndarray

    def pair(self, first: np.ndarray, second: np.ndarray) -> Signs:
        """Of doublets of these cells."""
        return Signs(
            self.chains.take(first) + self.chains.take(second),
            self.markers[first] + self.markers[second],
            self.total[first] + self.total[second],
        )

    def evidence(self, lineages: LineageModel) -> np.ndarray:
        """Evidence in [0, 1] of two cells: receptor, lineage, foreign receptor. (n_cells, 3).

        `ReceptorCounts.evidence`; the strength of the second compartment's markers; and 0.5 for
        each arm of a receptor on a cell whose markers are of another compartment than T, where a
        stray contig is more frequent than a doublet.
        """
        strengths = lineages.strengths(self.markers, self.total)
        is_other = strengths.argmax(axis=1) != _T_CELLS
        foreign = np.where(is_other, 0.5 * self.chains.n_arms, 0.0)
        return np.column_stack([self.chains.evidence(), np.sort(strengths, axis=1)[:, -2], foreign])


def marker_columns(counts: Counts) -> np.ndarray:
    """Which genes are markers of each of `COMPARTMENT_MARKERS`. (n_genes, n_compartments) bool."""
    marks: dict[str, list[int]] = {}
    for column, markers in enumerate(COMPARTMENT_MARKERS.values()):
        for gene in markers.split():
            marks.setdefault(gene, []).append(column)
    belongs = np.zeros((counts.n_vars, len(COMPARTMENT_MARKERS)), dtype=bool)
    for row, symbol in enumerate(counts.var["symbol"].tolist()):
        if symbol in marks:
            belongs[row, marks[symbol]] = True
    return belongs


def count_markers(counts: Counts) -> np.ndarray:
    """Marker counts per compartment of `COMPARTMENT_MARKERS`. (n_cells, n_compartments) int."""
    belongs = marker_columns(counts)
    markers = np.flatnonzero(belongs.any(axis=1))
    matrix: Any = counts.X
    # few columns of many: taken out first, they need no pass over all counts for each compartment
    return np.asarray(matrix[:, markers] @ belongs[markers].astype(np.int64))


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
