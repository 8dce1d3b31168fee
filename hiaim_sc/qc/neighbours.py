"""How many simulated doublets are among a cell's nearest neighbours: the score of scrublet."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy import linalg, sparse
from threadpoolctl import threadpool_limits

_N_GENES = 1000
_N_COMPONENTS = 20
_CHUNK = 2000


@dataclass(frozen=True)
class NeighbourScores:
    """Share of simulated doublets among the neighbours.

    Attributes
    ----------
    observed, simulated
        (n_cells,) and (n_judged,): posterior share in (0, 1), (simulated + 1) / (k + 2).
    n_simulated_per_observed
        Simulated doublets per observed cell.
    """

    observed: np.ndarray
    simulated: np.ndarray
    n_simulated_per_observed: float

    def scrublet_score(self, rate: float) -> np.ndarray:
        r"""Scrublet's probability that an observed cell is a doublet.

        .. math:: L = \frac{q \rho / r}{1 - \rho - q (1 - \rho - \rho / r)}

        with :math:`q` the share of simulated neighbours, :math:`\rho` the expected doublet rate and
        :math:`r` the simulated doublets per observed cell.

        References
        ----------
        Wolock et al. 2019, Cell Systems 8:281. DOI 10.1016/j.cels.2018.11.005
        """
        q, r = self.observed, self.n_simulated_per_observed
        return q * rate / r / (1 - rate - q * (1 - rate - rate / r))


def score_neighbours(
    counts: sparse.csr_matrix,
    parents: np.ndarray,
    reference: np.ndarray,
    *,
    n_judged: int | None = None,
) -> NeighbourScores:
    """Neighbour scores of observed cells and of doublets made of two of them each.

    Counts are scaled to equal totals and log1p-transformed, genes chosen by their variance beyond
    the trend on the mean, standardised, and brought to principal components, all of it fitted on
    the observed `reference` cells. Neighbours are exact; a cell is none of its own.

    Parameters
    ----------
    counts
        (n_cells, n_genes) raw counts.
    parents
        (n_simulated, 2) rows of `counts` whose sum is a simulated doublet.
    reference
        (n_cells,) bool: cells the embedding is fitted on, those of fair quality.
    n_judged
        How many of the simulated doublets have a score themselves, the first ones; default all.
    """
    n_observed = counts.shape[0]
    genes = _variable_genes(_log_normalise(counts[reference]), _N_GENES)
    picked = counts[:, genes]
    simulated = picked[parents[:, 0]] + picked[parents[:, 1]]
    logged = _log_normalise(sparse.vstack([picked, simulated], format="csr"))
    is_fitted = np.concatenate([reference, np.zeros(len(parents), dtype=bool)])
    ratio = len(parents) / n_observed
    k = max(round(0.5 * np.sqrt(n_observed)), 3)
    k = min(round(k * (1 + ratio)), len(is_fitted) - 1)
    is_simulated = np.arange(len(is_fitted)) >= n_observed
    with threadpool_limits(limits=1):  # sums in the same order whatever the number of cores
        embedding = _embed(logged.toarray(), is_fitted)
        n_rows = n_observed + (len(parents) if n_judged is None else min(n_judged, len(parents)))
        share = (_count_neighbours(embedding, is_simulated, k, n_rows) + 1) / (k + 2)
    return NeighbourScores(share[:n_observed], share[n_observed:], ratio)


def _log_normalise(counts: sparse.csr_matrix) -> sparse.csr_matrix:
    totals = np.asarray(counts.sum(axis=1), dtype=np.float64).ravel()
    target = np.median(totals[totals > 0]) if (totals > 0).any() else 1.0
    scale = (target / np.maximum(totals, 1)).astype(np.float32)
    data = np.repeat(scale, np.diff(counts.indptr))
    data *= counts.data
    data += 1
    np.log(data, out=data)
    return sparse.csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)


def _variable_genes(logged: sparse.csr_matrix, n_genes: int) -> np.ndarray:
    """Genes of the largest variance for their mean; genes in fewer than 3 cells are out."""
    n_cells, n_all = logged.shape
    mean = np.bincount(logged.indices, weights=logged.data, minlength=n_all) / n_cells
    square = np.bincount(logged.indices, weights=logged.data**2, minlength=n_all) / n_cells
    usable = np.flatnonzero(np.bincount(logged.indices, minlength=n_all) >= 3)
    if len(usable) <= n_genes:
        return usable if len(usable) else np.arange(n_all)
    x = np.log(mean[usable])
    y = np.log(np.maximum(square - mean**2, 1e-12)[usable])
    excess = y - np.polyval(np.polyfit(x, y, 2), x)
    return np.sort(usable[np.argsort(-excess, kind="stable")[:n_genes]])


def _embed(logged: np.ndarray, is_fitted: np.ndarray) -> np.ndarray:
    """Scores on the leading components of the standardised fitted rows. (n_rows, n_components)."""
    fitted = logged[is_fitted]
    mean, sd = fitted.mean(axis=0), fitted.std(axis=0)
    scaled = (logged - mean) / np.where(sd > 0, sd, 1)
    np.clip(scaled, -10, 10, out=scaled)
    gram = scaled[is_fitted].T @ scaled[is_fitted]
    n_genes = len(gram)
    first = max(n_genes - _N_COMPONENTS, 0)
    _, loadings = linalg.eigh(gram.astype(np.float64), subset_by_index=[first, n_genes - 1])
    return scaled @ loadings.astype(np.float32)


def _count_neighbours(
    embedding: np.ndarray, is_simulated: np.ndarray, k: int, n_rows: int
) -> np.ndarray:
    """Simulated doublets among the k nearest other rows of each of the first. (n_rows,) int."""
    import faiss

    points = np.ascontiguousarray(embedding, dtype=np.float32)
    index = faiss.IndexFlatL2(points.shape[1])
    index.add(points)
    found = np.zeros(n_rows, dtype=np.int64)
    for start in range(0, n_rows, _CHUNK):
        rows = np.arange(start, min(start + _CHUNK, n_rows))
        nearest = index.search(points[rows], k + 1)[1]
        is_own = nearest == rows[:, None]
        # of rows that are all alike, the row itself may be missing: then the last is one too many
        is_own[~is_own.any(axis=1), -1] = True
        found[rows] = is_simulated[nearest[~is_own].reshape(len(rows), k)].sum(axis=1)
    return found
