"""Principal components of the selected genes, cells in chunks: memory does not grow with cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp
from scipy.linalg import eigh

from hiaim_sc.integrate.gather import take_columns
from hiaim_sc.storage import row_reader

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from hiaim_sc.storage import ReadableCounts

_TARGET_SUM = 1e4
_CLIP = 10.0
_CHUNK = 4000


@dataclass(frozen=True)
class PrincipalComponents:
    """Coordinates of cells, and what made them.

    Attributes
    ----------
    genes
        (n_genes,) their ids.
    coordinates
        (n_cells, n_pcs) float32.
    loadings
        (n_genes, n_pcs); the largest loading of each component is positive.
    mean, sd
        (n_genes,) of log1p of counts per 10,000.
    variance_ratio
        (n_pcs,) share of the variance of the scaled genes.
    """

    genes: np.ndarray
    coordinates: np.ndarray
    loadings: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    variance_ratio: np.ndarray

    def as_dict(self) -> dict[str, Any]:
        """Loadings, means, sds and variance ratios with the ids of their genes."""
        return {
            "genes": self.genes,
            "loadings": self.loadings,
            "mean": self.mean,
            "sd": self.sd,
            "variance_ratio": self.variance_ratio,
        }


def reduce_dimensions(counts: ReadableCounts, n_pcs: int) -> PrincipalComponents:
    """Principal components of log-normalised, scaled and clipped counts.

    Counts are brought to 10,000 per cell (of ``obs["total_counts"]``), log1p, scaled to unit
    variance per gene and clipped at 10. The eigenvectors of the genes' covariance are found from
    chunks of cells, with the sums of products in float64; only what a cell holds is multiplied.

    Parameters
    ----------
    counts
        (n_cells, n_genes) CSR counts, of which the columns ``var["highly_variable"]`` are used;
        where they are stored, a chunk is in memory at a time.
    n_pcs
        Components wanted; fewer when cells or genes are fewer.
    """
    from hiaim_sc.integrate.products import add_products  # compiled: not for every worker

    source = CountSource.of(counts, counts.var["highly_variable"].to_numpy(dtype=bool))
    mean, sd = source.moments()
    n_genes, n_cells = len(mean), source.n_cells
    scale = _Scale.of(mean, sd)
    products, centre = np.zeros((n_genes, n_genes)), np.zeros(n_genes)
    for block in map(scale.apply, source.normalised()):
        add_products(block.data, block.indices, block.indptr, products)
        centre += np.bincount(block.indices, block.data, n_genes)
    centre /= n_cells
    covariance = products  # its upper triangle; one such matrix is enough
    covariance -= n_cells * np.outer(centre, centre)
    covariance /= n_cells - 1
    spread = np.trace(covariance)
    n_found = min(n_pcs, n_cells - 1, n_genes)
    values, loadings = eigh(
        covariance,
        lower=False,
        overwrite_a=True,
        subset_by_index=[n_genes - n_found, n_genes - 1],
    )
    values, loadings = values[::-1], np.ascontiguousarray(loadings[:, ::-1])
    largest = loadings[np.abs(loadings).argmax(axis=0), np.arange(n_found)]
    loadings *= np.where(largest < 0, -1.0, 1.0)
    weights = loadings.astype(np.float32)
    shift = (centre @ loadings).astype(np.float32)
    coordinates = [scale.apply(block) @ weights - shift for block in source.normalised()]
    ratio = values / max(spread, np.finfo(float).tiny)
    return PrincipalComponents(
        source.genes, np.vstack(coordinates), loadings, mean, sd, np.maximum(ratio, 0.0)
    )


@dataclass(frozen=True)
class CountSource:
    """Log-normalised counts of some genes, cells in chunks.

    Attributes
    ----------
    rows
        Counts of the cells from one position to before another.
    total
        (n_cells,) counts over all genes.
    place
        (n_genes,) column of each gene of the source, -1 where it is not wanted.
    genes
        Ids of those that are.
    """

    rows: Callable[[int, int], sp.csr_matrix]
    total: np.ndarray
    place: np.ndarray
    genes: np.ndarray

    @classmethod
    def of(cls, counts: ReadableCounts, wanted: np.ndarray) -> CountSource:
        """Counts in memory or stored; `wanted` is a boolean per gene."""
        place = np.where(wanted, np.cumsum(wanted) - 1, -1)
        genes = np.asarray(counts.var.index[wanted], dtype=object)
        return cls(
            row_reader(counts), counts.obs["total_counts"].to_numpy(dtype=np.float64), place, genes
        )

    @property
    def n_cells(self) -> int:
        """Number of cells."""
        return len(self.total)

    def count_values(self) -> int:
        """How many values are stored, of wanted genes or not."""
        starts = range(0, self.n_cells, _CHUNK)
        return sum(self.rows(start, start + _CHUNK).nnz for start in starts)

    def normalised(self) -> Iterator[sp.csr_matrix]:
        """log1p of counts per 10,000, float32, a chunk of cells after the other."""
        for start in range(0, self.n_cells, _CHUNK):
            block = take_columns(self.rows(start, start + _CHUNK), self.place, len(self.genes))
            scale = _TARGET_SUM / np.maximum(self.total[start : start + _CHUNK], 1.0)
            by_count = np.repeat(scale.astype(np.float32), np.diff(block.indptr))
            values = np.log1p(block.data.astype(np.float32) * by_count)
            yield sp.csr_matrix((values, block.indices, block.indptr), shape=block.shape)

    def moments(self) -> tuple[np.ndarray, np.ndarray]:
        """Mean and standard deviation of each gene."""
        n_genes = len(self.genes)
        total, square = np.zeros((2, n_genes))
        for block in self.normalised():
            values = block.data.astype(np.float64)
            total += np.bincount(block.indices, values, n_genes)
            square += np.bincount(block.indices, values**2, n_genes)
        mean = total / self.n_cells
        variance = (square - self.n_cells * mean**2) / max(self.n_cells - 1, 1)
        sd = np.sqrt(np.maximum(variance, 0.0))
        return mean, np.where(sd > 0, sd, 1.0)


@dataclass(frozen=True)
class _Scale:
    """Scaling to unit variance and clipping of the stored values, up to a constant per gene.

    With z = mean / sd and x the values over sd, clip(x - z, -10, 10) is ``clip(x, low, z + 10) -
    low`` plus ``low - z`` where low = max(z - 10, 0): the first is 0 where x is, the second the
    same for all cells, so that neither covariances nor centred coordinates need it.
    """

    sd: np.ndarray
    low: np.ndarray
    high: np.ndarray

    @classmethod
    def of(cls, mean: np.ndarray, sd: np.ndarray) -> _Scale:
        z = mean / sd
        parts = (1 / sd, np.maximum(z - _CLIP, 0.0), z + _CLIP)
        return cls(*(part.astype(np.float32) for part in parts))

    def apply(self, block: sp.csr_matrix) -> sp.csr_matrix:
        gene = block.indices
        values = block.data * self.sd[gene]
        np.clip(values, self.low[gene], self.high[gene], out=values)
        values -= self.low[gene]
        return sp.csr_matrix((values, gene, block.indptr), shape=block.shape)
