"""What the panel's genes say in each T and NK cell: counted once, weighed for many sets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.annotate.expression import GeneLevels, fit_levels, weigh_set
from hiaim_sc.annotate.markers import count_markers

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd
    import scipy.sparse as sp

    from hiaim_sc.annotate.kinds import GeneSet
    from hiaim_sc.storage import ReadableCounts

_MOST_FITTED = 50_000  # cells, evenly through the table, that the levels are found from
_CHUNK = 20_000
_CLEARLY_ON = 1.5


@dataclass(frozen=True)
class MarkerEvidence:
    """Counts of the panel's genes in each cell, alone and with its neighbours, and their levels.

    Attributes
    ----------
    own, pooled
        (n_cells, genes) counts of the cell, and of it and its neighbours.
    own_total, pooled_total
        (n_cells,) counts of all genes alike.
    levels
        Of each gene off and on.
    """

    own: np.ndarray
    pooled: np.ndarray
    own_total: np.ndarray
    pooled_total: np.ndarray
    levels: GeneLevels

    @classmethod
    def of(
        cls, cells: ReadableCounts, panel: pd.DataFrame, smooth: sp.csr_matrix
    ) -> MarkerEvidence:
        """From counts; ``smooth`` averages over a cell and its neighbours."""
        counts = count_markers(cells, panel)
        own = counts.to_numpy(dtype=np.float32)
        total = cells.obs["total_counts"].to_numpy(dtype=np.float32)
        size = np.float32(np.diff(smooth.indptr).max(initial=1))
        pool = (smooth * size).astype(np.float32)
        pooled, pooled_total = np.asarray(pool @ own), np.asarray(pool @ total)
        last = max(len(own) - 1, 0)
        rows = np.unique(np.linspace(0, last, _MOST_FITTED).astype(np.int64))[: len(own)]
        levels = fit_levels(list(counts), pooled[rows].astype(float), pooled_total[rows])
        return cls(own, pooled, total, pooled_total, levels)

    def __len__(self) -> int:
        return len(self.own)

    def take(self, rows: np.ndarray) -> MarkerEvidence:
        """These cells alone."""
        return MarkerEvidence(
            self.own[rows],
            self.pooled[rows],
            self.own_total[rows],
            self.pooled_total[rows],
            self.levels,
        )

    def weigh(self, sets: Sequence[GeneSet], *, pooled: bool) -> np.ndarray:
        """(n_cells, sets) evidence for each set of genes for and against, by `weigh_set`."""
        counts, total = (self.pooled, self.pooled_total) if pooled else (self.own, self.own_total)
        columns = [tuple(self._columns(genes) for genes in part) for part in sets]
        found = np.zeros((len(counts), len(sets)))
        for start in range(0, len(counts), _CHUNK):
            rows = slice(start, start + _CHUNK)
            on_off = self.levels.weigh(counts[rows].astype(float), total[rows].astype(float))
            for number, (positive, negative) in enumerate(columns):
                found[rows, number] = weigh_set(on_off, positive, negative)
        return found

    def is_on(self, *genes: str, clearly: bool = True) -> np.ndarray:
        """(n_cells,) whether any of these genes is on in the cell and its neighbours.

        Clearly on is an evidence above 1.5, else above 0; false of all where none was measured.
        """
        least = _CLEARLY_ON if clearly else 0.0
        columns = self._columns(genes)
        found = np.zeros(len(self), dtype=bool)
        for start in range(0, len(self), _CHUNK):
            rows = slice(start, start + _CHUNK)
            total = self.pooled_total[rows].astype(float)
            on_off = self.levels.weigh(self.pooled[rows].astype(float), total)
            found[rows] = (on_off[:, columns] > least).any(axis=1)
        return found

    def has_any(self, *genes: str) -> np.ndarray:
        """(n_cells,) whether the cell itself has a count of any of these genes."""
        return np.asarray((self.own[:, self._columns(genes)] > 0).any(axis=1))

    def measures(self, *genes: str) -> bool:
        """Whether any of these genes was measured."""
        return bool(self._columns(genes))

    def _columns(self, genes: Sequence[str]) -> list[int]:
        found = (self.levels.column(gene) for gene in genes)
        return [column for column in found if column is not None]
