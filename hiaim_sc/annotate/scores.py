"""How strongly a cell expresses a set of genes, judged within the cell alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import scipy.sparse as sp

from hiaim_sc.storage import row_blocks

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from hiaim_sc.storage import ReadableCounts

_MAX_RANK = 1500


def score_gene_sets(
    counts: ReadableCounts | sp.csr_matrix, gene_sets: Mapping[str, Sequence[int]]
) -> dict[str, np.ndarray]:
    """Rank-based score of gene sets in each cell, between 0 and 1.

    Genes of a cell are ranked by count, the highest first, ties sharing their mean rank; undetected
    genes and ranks beyond ``r = min(1500, n_genes)`` count as ``r + 1``. For a set of n genes with
    rank sum R the score is the Mann-Whitney statistic ``1 - (R - n(n+1)/2) / (n (r + 1) -
    n(n+1)/2)``: 0 when none is detected, 1 when they are the n highest. It depends on the cell
    alone, not on what other cells are in the sample; ranks are among the genes given (selected
    genes, not all).

    Parameters
    ----------
    counts
        (n_cells, n_genes), read some cells at a time.
    gene_sets
        Name: column indices. An empty set scores 0.

    References
    ----------
    Andreatta and Carmona 2021, Comput Struct Biotechnol J 19:3796, doi:10.1016/j.csbj.2021.06.043.
    """
    worst = min(_MAX_RANK, counts.shape[1]) + 1
    names = list(gene_sets)
    member = sp.lil_matrix((counts.shape[1], len(names)))
    for column, name in enumerate(names):
        member[list(gene_sets[name]), column] = 1.0
    member = member.tocsr()
    size = np.asarray(member.sum(axis=0)).ravel()
    scores = np.zeros((counts.shape[0], len(names)))
    for rows, block in row_blocks(counts):
        # what a detected gene gains over the worst rank
        gain = _ranks(block)
        gain.data = worst - np.minimum(gain.data, worst)
        scores[rows] = (gain @ member).toarray()
    best = size * (size + 1) / 2
    span = np.maximum(size * worst - best, 1.0)
    rank_sum = size * worst - scores
    found = np.where(size > 0, 1 - (rank_sum - best) / span, 0.0)
    return {name: found[:, column] for column, name in enumerate(names)}


def _ranks(counts: sp.csr_matrix) -> sp.csr_matrix:
    """Rank of each detected gene within its cell, 1 for the highest count, ties at their mean."""
    counts = sp.csr_matrix(counts)
    counts.eliminate_zeros()
    row = np.repeat(np.arange(counts.shape[0]), np.diff(counts.indptr))
    order = np.lexsort((-counts.data, row))
    value, owner = counts.data[order], row[order]
    is_new = np.ones(len(value), dtype=bool)
    is_new[1:] = (value[1:] != value[:-1]) | (owner[1:] != owner[:-1])
    group = np.cumsum(is_new) - 1
    first = np.flatnonzero(is_new)
    size = np.diff(np.append(first, len(value)))
    position = first - counts.indptr[owner[first]] if len(first) else first
    mean_rank = position + (size + 1) / 2
    data = np.empty(len(value))
    data[order] = mean_rank[group]
    return sp.csr_matrix((data, counts.indices, counts.indptr), shape=counts.shape)
