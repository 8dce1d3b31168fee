"""Numbers of a sample's clones, at a depth that is common to all samples of a tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.names import T_CLUSTERS
from hiaim_sc.stats import expanded_from, rarefied_expanded_clones, rarefied_expanded_fraction

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from hiaim_sc.config import CompareOptions

_INVARIANT = ("MAIT", "iNKT")
# population: the column that tells its cells, and what stands there
_POPULATIONS = {
    "CD8": ("cell_type_lineage", ("CD8",)),
    "CD4": ("cell_type_lineage", ("CD4",)),
    "T": ("cell_type_coarse", ("T",)),
    "typed T": ("cell_type", T_CLUSTERS),
}
_QUANTILE = 0.10


def choose_population(cells: pd.DataFrame) -> str:
    """T cells that the clonal endpoints count: ``CD8``, or ``T`` where lineages are not known.

    All T cells are counted when most cells with a clone have no GEX. It is chosen once for the
    study, without the arm.

    Parameters
    ----------
    cells
        Release table ``cells``.
    """
    counted = cells[cells["qc_pass"] & cells["clone_key"].notna()]
    n_without_gex = int(counted["total_counts"].isna().sum())
    return "T" if 2 * n_without_gex > len(counted) else "CD8"


def count_clones(cells: pd.DataFrame, population: str) -> pd.Series:
    """Cells of the population per clone, by clone key; invariant T cells are left out.

    Parameters
    ----------
    cells
        Cells of one sample that pass QC.
    population
        As `choose_population` returns it, CD4, or ``typed T``: the types that STARTRAC knows.
    """
    is_counted = select_population(cells, population) & cells["clone_key"].notna()
    is_counted &= ~cells["invariant"].fillna("").isin(_INVARIANT)
    return cells.loc[is_counted, "clone_key"].value_counts().sort_index()


def select_population(cells: pd.DataFrame, population: str) -> pd.Series:
    """Which cells belong to the population, with a clone or without."""
    column, names = _POPULATIONS[population]
    return cells[column].isin(names)


def choose_depth(sizes: Iterable[int], options: CompareOptions) -> int:
    """Common depth m of a tissue: the 10 % quantile of its samples' sizes, or the minimum.

    It is chosen from all samples of the tissue, without the arm; samples without a clone have no
    say.
    """
    quantile = low_quantile(size for size in sizes if size > 0)
    return max(options.min_depth, quantile)


def low_quantile(sizes: Iterable[int]) -> int:
    """Cells that all but the smallest tenth have; 0 of none."""
    found = list(sizes)
    return int(np.floor(np.quantile(found, _QUANTILE))) if found else 0


def expanded_clones(counts: pd.Series, depth: int, options: CompareOptions) -> float:
    """``nexp_m``: expected clones with at least c cells among m."""
    least = options.expanded_min_cells or expanded_from(depth)
    return float(rarefied_expanded_clones(counts.to_numpy(), depth, least))


def expanded_fraction(counts: pd.Series, depth: int, options: CompareOptions) -> float:
    """``expfrac_m``: expected share of m cells in clones with at least c of them."""
    least = options.expanded_min_cells or expanded_from(depth)
    return float(rarefied_expanded_fraction(counts.to_numpy(), depth, least))
