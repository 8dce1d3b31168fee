"""A library's counts less ambient RNA: taken off by cluster, spread over the cluster's cells."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
from scipy import sparse

from hiaim_sc.qc.allotment import round_in_turn, share_out
from hiaim_sc.qc.ambient import MAX_FRACTION, ambient_profile
from hiaim_sc.storage import CellCounts

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from hiaim_sc.config import AmbientOptions
    from hiaim_sc.storage import Counts

_CHUNK = 1 << 20  # counts of some genes that are looked at together


@dataclass(frozen=True)
class CorrectedCounts:
    """Counts of the cells of a library that pass.

    Attributes
    ----------
    counts
        Cells x genes, whole numbers, cells and genes in canonical order.
    summary
        ``reason`` why nothing was taken off, empty where it was; ``n_cells n_clusters n_counts
        n_removed``. Ready for JSON.
    """

    counts: CellCounts
    summary: dict[str, Any]


def why_not_corrected(ambient: Mapping[str, Any], n_cells: int, options: AmbientOptions) -> str:
    """Why a library's counts stay as they are; empty where ambient RNA is to be taken off.

    Parameters
    ----------
    ambient
        Fields of `AmbientEstimate`.
    n_cells
        Cells that pass.
    options
        ``min_fraction``.
    """
    fraction, least = ambient["fraction"], options.min_fraction
    if fraction is None:
        return str(ambient["reason"])
    if n_cells == 0:
        return "no cell passes"
    if fraction < least:
        return f"{100 * fraction:.2g} % of the counts are ambient RNA (below {100 * least:g} %)"
    if fraction > MAX_FRACTION:
        return (
            f"{100 * fraction:.0f} % of the counts seem to be ambient RNA; more than"
            f" {100 * MAX_FRACTION:.0f} % is not believed"
        )
    return ""


def leave_counts(counts: Counts, kept: Sequence[str], reason: str) -> CorrectedCounts:
    """Counts of these cells as they are, and why."""
    found = _in_order(counts, kept)
    n_counts = int(found.X.sum(dtype=np.int64))
    return CorrectedCounts(
        found,
        {
            "reason": reason,
            "n_cells": found.n_obs,
            "n_clusters": 0,
            "n_counts": n_counts,
            "n_removed": 0,
        },
    )


def correct_counts(
    counts: Counts,
    cluster: pd.Series,
    fraction: float,
    soup: pd.DataFrame | None = None,
    *,
    rng: np.random.Generator,
) -> CorrectedCounts:
    r"""Counts less those expected of ambient RNA.

    Of a cluster k with :math:`N_k` counts, :math:`\rho N_k` are ambient. Gene g loses

    .. math:: r_{kg} = \min(n_{kg}, \lambda_k b_g), \quad \sum_g r_{kg} = \rho N_k

    of its :math:`n_{kg}` counts, :math:`b_g` its share of the ambient profile: what a gene without
    counts cannot give is taken from the others. The cells of the cluster lose them by their counts,

    .. math:: r_{cg} = \min(n_{cg}, \lambda_{kg} N_c), \quad \sum_{c \in k} r_{cg} = r_{kg}

    and so many whole counts are taken off that each gene loses :math:`r_{kg}` in a cluster but for
    less than one count. Within a cell alone a gene whose ambient mean is 0.1 would lose a tenth of
    its single count where it has one; over a cluster's cells it loses all of them. As SoupX does
    with clusters ("subtraction"), but for the whole numbers.

    The result is the same whatever the order of cells, of genes and of the clusters' names.

    Parameters
    ----------
    counts
        One library, cells x genes, raw counts of all its cells.
    cluster
        By cell barcode, cells alike; those cells are corrected, the others left out.
    fraction
        :math:`\rho`, share of ambient RNA, of every cell of the library.
    soup
        As for the estimate.
    rng
        Where the rounding starts, for each gene and cluster.

    Raises
    ------
    ValueError
        When a clustered cell is not in ``counts``.

    References
    ----------
    Young and Behjati 2020, GigaScience 9:giaa151. DOI 10.1093/gigascience/giaa151
    """
    found = _in_order(counts, list(cluster.index))
    of_gene = np.asarray(sparse.csr_matrix(counts.X).sum(axis=0, dtype=np.int64)).ravel()
    profile, _ = ambient_profile(counts, of_gene, soup)
    profile = pd.Series(profile, index=counts.var_names).reindex(found.var_names).to_numpy()
    code = _number(cluster.reindex(found.obs_names))
    left = take_ambient(found.X, code, profile, fraction, rng=rng)
    n_counts, n_left = (int(x.sum(dtype=np.int64)) for x in (found.X, left))
    return CorrectedCounts(
        CellCounts(left, found.obs, found.var),
        {
            "reason": "",
            "n_cells": found.n_obs,
            "n_clusters": int(code.max(initial=-1)) + 1,
            "n_counts": n_counts,
            "n_removed": n_counts - n_left,
        },
    )


def _in_order(counts: Counts, kept: Sequence[str]) -> CellCounts:
    """These cells, cells and genes sorted by name."""
    rows = counts.obs_names.get_indexer(pd.Index(sorted(kept), dtype=object))
    if (rows < 0).any():
        msg = f"{(rows < 0).sum()} of {len(rows)} clustered cell barcodes are not in the matrix"
        raise ValueError(msg)
    matrix, var = sparse.csr_matrix(counts.X)[rows], pd.DataFrame(counts.var)
    if not var.index.is_monotonic_increasing:
        genes = np.argsort(var.index.to_numpy(dtype=object), kind="stable")
        matrix, var = matrix[:, genes], var.iloc[genes]
    return CellCounts(matrix, pd.DataFrame(counts.obs).iloc[rows], var)


def _number(cluster: pd.Series) -> np.ndarray:
    """(n_cells,) number of each cell's cluster, by its first cell."""
    return pd.factorize(cluster)[0].astype(np.int64)


def take_ambient(
    matrix: sparse.csr_matrix,
    cluster: np.ndarray,
    profile: np.ndarray,
    fraction: float,
    *,
    rng: np.random.Generator,
) -> sparse.csr_matrix:
    """The matrix less ambient counts, as `correct_counts` says; no zero is stored.

    Parameters
    ----------
    matrix
        (n_cells, n_genes) whole counts.
    cluster
        (n_cells,) from 0.
    profile
        (n_genes,) share of each gene in the ambient RNA.
    """
    # a cluster's cells one after the other: the counts of a gene in a cluster stand together
    order = np.argsort(cluster, kind="stable")
    cluster = cluster[order]
    columns = sparse.csc_matrix(matrix[order])
    size = np.asarray(columns.sum(axis=1, dtype=np.int64)).ravel().astype(float)
    off = _of_clusters(columns, cluster, size, profile, fraction)
    start = rng.random(off.shape)
    data = columns.data.copy()
    n_clusters = off.shape[1]
    for genes in _chunks(columns.indptr):
        ends = columns.indptr[genes.start : genes.stop + 1]
        part = slice(ends[0], ends[-1])
        cell = columns.indices[part]
        place = np.repeat(np.arange(len(ends) - 1), np.diff(ends)) * n_clusters + cluster[cell]
        given = share_out(off[genes].ravel(), data[part].astype(float), size[cell], place)
        data[part] -= round_in_turn(given, place, start[genes].ravel()).astype(data.dtype)
    left = sparse.csc_matrix((data, columns.indices, columns.indptr), shape=columns.shape).tocsr()
    left.eliminate_zeros()
    return left[np.argsort(order, kind="stable")]


def _of_clusters(
    columns: sparse.csc_matrix,
    cluster: np.ndarray,
    size: np.ndarray,
    profile: np.ndarray,
    fraction: float,
) -> np.ndarray:
    """(n_genes, n_clusters) ambient counts that each gene loses in each cluster."""
    n_clusters = int(cluster.max(initial=-1)) + 1
    shape = (len(cluster), n_clusters)
    members = sparse.csr_matrix((np.ones(len(cluster)), (np.arange(len(cluster)), cluster)), shape)
    found = np.asarray((columns.T @ members).toarray(), dtype=float)
    wanted = fraction * np.bincount(cluster, size, n_clusters)
    group = np.tile(np.arange(n_clusters), len(profile))
    return share_out(wanted, found.ravel(), np.repeat(profile, n_clusters), group).reshape(
        found.shape
    )


def _chunks(ends: np.ndarray) -> Iterator[slice]:
    """Genes that have a million counts together, or one that has more."""
    first, n_genes = 0, len(ends) - 1
    while first < n_genes:
        last = int(np.searchsorted(ends, ends[first] + _CHUNK, side="right")) - 1
        last = min(max(last, first + 1), n_genes)
        yield slice(first, last)
        first = last
