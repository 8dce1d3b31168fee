"""Principal components of the selected genes, cells in chunks: memory does not grow with cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import scipy.sparse as sp

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

_TARGET_SUM = 1e4
_CLIP = 10.0
_CHUNK = 4000


@dataclass(frozen=True)
class PrincipalComponents:
    """Coordinates of cells, and what made them.

    Attributes
    ----------
    coordinates
        (n_cells, n_pcs) float32.
    loadings
        (n_genes, n_pcs); the largest loading of each component is positive.
    mean, sd
        (n_genes,) of log1p of counts per 10,000.
    variance_ratio
        (n_pcs,) share of the variance of the scaled genes.
    """

    coordinates: np.ndarray
    loadings: np.ndarray
    mean: np.ndarray
    sd: np.ndarray
    variance_ratio: np.ndarray

    def as_dict(self, genes: AnnData) -> dict[str, Any]:
        """Loadings, means, sds and variance ratios with the ids of their genes."""
        return {
            "genes": np.asarray(genes.var_names, dtype=object),
            "loadings": self.loadings,
            "mean": self.mean,
            "sd": self.sd,
            "variance_ratio": self.variance_ratio,
        }


def reduce_dimensions(counts: AnnData, n_pcs: int) -> PrincipalComponents:
    """Principal components of log-normalised, scaled and clipped counts.

    Counts are brought to 10,000 per cell (of ``obs["total_counts"]``), log1p, scaled to unit
    variance per gene and clipped at 10. The eigenvectors of the gene x gene Gram matrix are found
    from chunks of cells, products in float32 and sums in float64.

    Parameters
    ----------
    counts
        ``X`` (n_cells, n_genes) CSR counts.
    n_pcs
        Components wanted; fewer when cells or genes are fewer.
    """
    mean, sd = _moments(counts)
    n_cells, n_genes = counts.shape
    gram = np.zeros((n_genes, n_genes))
    centre = np.zeros(n_genes)
    for chunk in _scaled(counts, mean, sd):
        gram += (chunk.T @ chunk).astype(np.float64)
        centre += chunk.sum(axis=0, dtype=np.float64)
    centre /= n_cells
    covariance = (gram - n_cells * np.outer(centre, centre)) / (n_cells - 1)
    values, vectors = np.linalg.eigh(covariance)
    n_found = min(n_pcs, n_cells - 1, n_genes)
    order = np.argsort(values)[::-1][:n_found]
    loadings = vectors[:, order]
    largest = loadings[np.abs(loadings).argmax(axis=0), np.arange(n_found)]
    loadings *= np.where(largest < 0, -1.0, 1.0)
    weights = loadings.astype(np.float32)
    coordinates = [
        (chunk - centre.astype(np.float32)) @ weights for chunk in _scaled(counts, mean, sd)
    ]
    ratio = values[order] / max(values.sum(), np.finfo(float).tiny)
    return PrincipalComponents(np.vstack(coordinates), loadings, mean, sd, ratio)


def _normalised(counts: AnnData) -> Iterator[sp.csr_matrix]:
    total = counts.obs["total_counts"].to_numpy(dtype=np.float64)
    matrix = sp.csr_matrix(counts.X)
    for start in range(0, counts.n_obs, _CHUNK):
        block = matrix[start : start + _CHUNK].astype(np.float64)
        scale = _TARGET_SUM / np.maximum(total[start : start + _CHUNK], 1.0)
        yield sp.csr_matrix(sp.diags_array(scale) @ block).log1p()


def _moments(counts: AnnData) -> tuple[np.ndarray, np.ndarray]:
    total = np.zeros(counts.n_vars)
    square = np.zeros(counts.n_vars)
    for block in _normalised(counts):
        total += np.asarray(block.sum(axis=0)).ravel()
        square += np.asarray(block.power(2).sum(axis=0)).ravel()
    mean = total / counts.n_obs
    variance = (square - counts.n_obs * mean**2) / max(counts.n_obs - 1, 1)
    sd = np.sqrt(np.maximum(variance, 0.0))
    return mean, np.where(sd > 0, sd, 1.0)


def _scaled(counts: AnnData, mean: np.ndarray, sd: np.ndarray) -> Iterator[np.ndarray]:
    for block in _normalised(counts):
        dense = (block.toarray() - mean) / sd
        yield np.clip(dense, -_CLIP, _CLIP).astype(np.float32)
