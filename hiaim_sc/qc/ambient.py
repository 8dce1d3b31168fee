"""How much of a library's counts is ambient RNA, from genes that cannot be of the cell."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from hiaim_sc.qc.chance import chance_of_at_least
from hiaim_sc.qc.evidence import COMPARTMENT_MARKERS, count_markers, marker_columns
from hiaim_sc.qc.marker_pairs import AmbientEstimate, MarkerPairs, no_estimate
from hiaim_sc.qc.metrics import whole_counts

if TYPE_CHECKING:
    from hiaim_sc.qc.marker_pairs import Method
    from hiaim_sc.storage import Counts

MAX_FRACTION = 0.5  # more ambient RNA than that is not believed of a cell
_P_EXPRESSED, _P_NOT_OWN = 0.001, 0.01
_MIN_OWN_COUNTS = 3
_MIN_SOURCES = 10  # cells that bring a marker into the mean profile
_MIN_SOUP_COUNTS = 1000


def estimate_ambient(
    counts: Counts, usable: np.ndarray, soup: pd.DataFrame | None = None
) -> AmbientEstimate:
    r"""Share of the counts of a library's cells that is ambient RNA.

    A gene :math:`g` that a cell :math:`c` cannot express (the packaged ``ambient_markers.tsv``,
    such as LYZ in a T cell) is there by ambient RNA alone, with mean :math:`\rho N_c b_g`:
    :math:`N_c` the cell's counts, :math:`b_g` the gene's share of the ambient profile. Over all
    such pairs :math:`U`

    .. math:: \hat\rho = \frac{\sum_{(c, g) \in U} n_{cg}}{\sum_{(c, g) \in U} N_c b_g}

    as in SoupX. A cell is of a compartment when its markers are at least three counts and more than
    ambient RNA at :math:`\rho = 0.5` explains (p < 0.001); a cell whose counts of a marker's set
    are so (p < 0.01) is taken to express that set, as a doublet does, and is left out for it. A
    gene with three times the counts that the others let expect (p < 0.001) is expressed there after
    all and left out.

    The profile is that of the empty droplets, or where there are none the mean profile of the
    library. The latter takes cells of every kind to spill their RNA alike, and can be had only for
    sets that at least 10 cells of the library express.

    The standard error is the jackknife over genes,
    :math:`\mathrm{se}^2 = \frac{G-1}{G} \sum_g (\hat\rho_{-g} - \bar\rho)^2`, or that of a Poisson
    count where it is larger; the interval is 1.96 of them on either side.

    Parameters
    ----------
    counts
        One library, cells x genes, raw counts; `var["symbol"]` is read.
    usable
        (n_cells,) bool: cells of fair quality.
    soup
        ``gene_id n_counts``: counts in empty droplets, of all genes of `counts`; None without.

    References
    ----------
    Young and Behjati 2020, GigaScience 9:giaa151. DOI 10.1093/gigascience/giaa151
    """
    from hiaim_sc.qc.passes import sum_counts

    matrix = sparse.csr_matrix(counts.X)
    of_cell, of_gene = sum_counts(*whole_counts(counts), counts.n_vars)
    total = of_cell.astype(float)
    profile, method = ambient_profile(counts, of_gene, soup)
    markers = _markers_of(counts, profile)
    if markers.empty:
        return no_estimate("none of the marker genes is measured in the ambient profile", method)
    own = _exceeds(count_markers(counts), total, profile @ marker_columns(counts), _P_EXPRESSED)
    pairs = _count_pairs(matrix, total, markers, own, usable, method)
    return pairs.estimate(method)


@cache
def read_ambient_markers() -> pd.DataFrame:
    """The packaged markers: ``gene expressed_by absent_in source``; not to be changed."""
    with (files("hiaim_sc.qc") / "ambient_markers.tsv").open(encoding="utf-8") as file:
        return pd.read_csv(file, sep="\t", keep_default_na=False)


def ambient_profile(
    counts: Counts, of_gene: np.ndarray, soup: pd.DataFrame | None
) -> tuple[np.ndarray, Method]:
    """Share of each gene in the ambient RNA, (n_genes,), and where it is from.

    Parameters
    ----------
    counts
        One library; its genes are read.
    of_gene
        (n_genes,) counts of each gene in all cells together.
    soup
        As for `estimate_ambient`.
    """
    if soup is not None and soup["n_counts"].sum() >= _MIN_SOUP_COUNTS:
        found = soup.set_index("gene_id")["n_counts"].reindex(counts.var_names, fill_value=0)
        return found.to_numpy(dtype=float) / found.sum(), "empty_droplets"
    return of_gene / max(float(of_gene.sum()), 1.0), "mean_profile"


def _markers_of(counts: Counts, profile: np.ndarray) -> pd.DataFrame:
    """Markers that are in the profile, with their `column` in the counts and their `share`."""
    table = read_ambient_markers()
    symbols = counts.var["symbol"].to_numpy(dtype=object)
    genes = set(table["gene"])
    position = np.array([i for i, name in enumerate(symbols) if name in genes], dtype=np.int64)
    columns = pd.Series(position, index=symbols[position], dtype="int64")
    columns = columns[~columns.index.duplicated(keep=False)]
    table = table[table["gene"].isin(columns.index)]
    column = columns[table["gene"]].to_numpy()
    table = table.assign(column=column, share=profile[column])
    return table[table["share"] > 0]


def _exceeds(observed: np.ndarray, total: np.ndarray, share: np.ndarray, p: float) -> np.ndarray:
    """Whether ambient RNA at its most can not explain the counts. (n_cells, n_sets) bool.

    A count or two of a set that is rare in the library are no sign of anything.
    """
    mean = MAX_FRACTION * np.outer(total, share)
    return (observed >= _MIN_OWN_COUNTS) & (chance_of_at_least(observed, mean) < p)


def _count_pairs(
    matrix: sparse.csr_matrix,
    total: np.ndarray,
    markers: pd.DataFrame,
    own: np.ndarray,
    usable: np.ndarray,
    method: Method,
) -> MarkerPairs:
    compartments = list(COMPARTMENT_MARKERS)
    observed, expected = [], []
    is_used = np.zeros(len(total), dtype=bool)
    all_found = matrix[:, markers["column"].to_numpy()].toarray()
    for places in markers.groupby("expressed_by", sort=True).indices.values():
        of_set, found = markers.iloc[places], all_found[:, places]
        share = of_set["share"].to_numpy()
        by_set = found.sum(axis=1)[:, None]
        expresses = _exceeds(by_set, total, share.sum(keepdims=True), _P_NOT_OWN)[:, 0]
        if method == "mean_profile" and (expresses & usable).sum() < _MIN_SOURCES:
            continue
        for i, absent_in in enumerate(of_set["absent_in"]):
            groups = [compartments.index(name) for name in absent_in.split(",")]
            cells = own[:, groups].any(axis=1) & usable & ~expresses
            observed.append(found[cells, i].sum())
            expected.append(total[cells].sum() * share[i])
            is_used |= cells
    return MarkerPairs(np.array(observed, dtype=float), np.array(expected), int(is_used.sum()))
