"""The genes that tell each cluster from all other cells, by rank sums over sparse columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from hiaim_sc.integrate.pca import CountSource

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

    from hiaim_sc.storage import StoredCounts

_N_MARKERS = 25  # per cluster
_MAX_VALUES = 20_000_000  # stored values in memory at a time
_TINY = 1e-9  # scanpy's, in fold changes


@dataclass(frozen=True)
class RankSums:
    """Wilcoxon's rank sums of each gene and group against all other cells.

    Attributes
    ----------
    z
        (n_genes, n_groups), corrected for ties; 0 where all values of a gene are alike.
    mean, rest
        (n_genes, n_groups): mean of the group and of all others.
    detected
        (n_genes, n_groups): share of the group's cells above 0.
    detected_rest
        The same of all others.
    """

    z: np.ndarray
    mean: np.ndarray
    rest: np.ndarray
    detected: np.ndarray
    detected_rest: np.ndarray


def find_markers(selected: AnnData | StoredCounts, leiden: pd.Series) -> pd.DataFrame:
    """The 25 genes of each cluster that rank highest against all other cells.

    No p-value: cells of one patient are no independent witnesses. The statistic orders genes.

    Parameters
    ----------
    selected
        (n_cells, n_genes) counts; reads ``obs["total_counts"]`` and ``var["symbol"]``.
    leiden
        Cluster of each cell.

    Returns
    -------
    ``leiden gene_id symbol rank z log2_fc pct_in pct_out``, by cluster and rank from 1; genes with
    z above 0 only. ``log2_fc`` is of the means of log-normalised counts as scanpy has it.

    References
    ----------
    Wilcoxon 1945, Biometrics Bulletin 1:80, doi:10.2307/3001968.
    """
    cluster = leiden.astype(str).to_numpy(dtype=object)
    names = sorted(set(cluster), key=int)
    codes = pd.Categorical(cluster, categories=names).codes.astype(np.int64)
    found = [sum_ranks(block, codes, len(names)) for block in _columns(selected)]
    if not found:
        return _tabulate([], selected.var)
    parts = zip(*(vars(part).values() for part in found), strict=True)
    whole = RankSums(*(np.vstack(part) for part in parts))
    return _tabulate([_of_cluster(whole, i, name) for i, name in enumerate(names)], selected.var)


def sum_ranks(columns: sp.csc_matrix, codes: np.ndarray, n_groups: int) -> RankSums:
    r"""Rank sums of each column's values by group, zeros included without being stored.

    With n cells of the group, N in all, R the sum of their (mean) ranks and t the sizes of ties,

    .. math:: z = \frac{R - n (N + 1) / 2}{\sqrt{\frac{n (N - n)}{12} \left( N + 1 -
       \frac{\sum (t^3 - t)}{N (N - 1)} \right)}}

    Parameters
    ----------
    columns
        (n_cells, n_genes) values above 0.
    codes
        (n_cells,) group of each cell, from 0.
    n_groups
        Groups; each has a cell.
    """
    n_cells, n_genes = columns.shape
    size = np.bincount(codes, minlength=n_groups)
    ranks, total, above = np.zeros((3, n_genes, n_groups))
    ties = np.zeros(n_genes)
    for gene in range(n_genes):
        part = slice(columns.indptr[gene], columns.indptr[gene + 1])
        order = np.argsort(columns.data[part])
        value, group = columns.data[part][order], codes[columns.indices[part][order]]
        n_zero = n_cells - len(value)
        ends = np.flatnonzero(np.append(value[1:] != value[:-1], len(value) > 0)) + 1
        length = np.diff(ends, prepend=0)
        rank = n_zero + ends - (length - 1) / 2
        above[gene] = np.bincount(group, minlength=n_groups)
        total[gene] = np.bincount(group, value, n_groups)
        ranks[gene] = np.bincount(group, np.repeat(rank, length), n_groups)
        ties[gene] = (length.astype(float) ** 3 - length).sum() + float(n_zero) ** 3 - n_zero
    n_zero = n_cells - above.sum(axis=1, keepdims=True)
    ranks += (size - above) * (n_zero + 1) / 2
    spread = n_cells + 1 - ties / max(n_cells * (n_cells - 1), 1)
    variance = np.outer(spread, size * (n_cells - size)) / 12
    excess = ranks - size * (n_cells + 1) / 2
    # what is left of a variance of 0 by rounding is nothing
    known = variance > _TINY * n_cells
    others = np.maximum(n_cells - size, 1)
    return RankSums(
        z=np.divide(excess, np.sqrt(variance), out=np.zeros_like(excess), where=known),
        mean=total / size,
        rest=(total.sum(axis=1, keepdims=True) - total) / others,
        detected=above / size,
        detected_rest=(above.sum(axis=1, keepdims=True) - above) / others,
    )


def _columns(selected: AnnData | StoredCounts) -> Iterator[sp.csc_matrix]:
    """Log-normalised counts by column, some genes at a time where not all fit."""
    n_genes = selected.shape[1]
    source = CountSource.of(selected, np.ones(n_genes, dtype=bool))
    n_values = max(source.count_values(), 1)
    width = max(n_genes * _MAX_VALUES // n_values, 1)
    for start in range(0, n_genes if source.n_cells else 0, width):
        wanted = np.zeros(n_genes, dtype=bool)
        wanted[start : start + width] = True
        blocks = list(CountSource.of(selected, wanted).normalised())
        yield sp.csc_matrix(sp.vstack(blocks, format="csr"))


def _of_cluster(found: RankSums, column: int, name: str) -> pd.DataFrame:
    z = found.z[:, column]
    genes = np.argsort(-z, kind="stable")[:_N_MARKERS]
    genes = genes[z[genes] > 0]
    means = (np.expm1(part[genes, column]) + _TINY for part in (found.mean, found.rest))
    return pd.DataFrame(
        {
            "leiden": name,
            "gene": genes,
            "rank": np.arange(1, len(genes) + 1),
            "z": z[genes],
            "log2_fc": np.subtract(*(np.log2(mean) for mean in means)),
            "pct_in": 100 * found.detected[genes, column],
            "pct_out": 100 * found.detected_rest[genes, column],
        }
    )


def _tabulate(tables: list[pd.DataFrame], genes: pd.DataFrame) -> pd.DataFrame:
    columns = ["leiden", "gene", "rank", "z", "log2_fc", "pct_in", "pct_out"]
    table = pd.concat(tables, ignore_index=True) if tables else pd.DataFrame(columns=columns)
    position = table.pop("gene").to_numpy(dtype=np.int64)
    table.insert(1, "gene_id", genes.index[position].astype("str"))
    table.insert(2, "symbol", genes["symbol"].to_numpy(dtype=object)[position].astype(str))
    return table.astype({"leiden": "str", "symbol": "str"})
