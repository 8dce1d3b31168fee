"""Numbers of a sample's clones, at a depth that is common to all samples of a tissue."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.stats import (
    clone_change_test,
    rarefied_expanded_clones,
    rarefied_expanded_fraction,
    subsample_counts,
)

if TYPE_CHECKING:
    from collections.abc import Iterable

    import pandas as pd

    from hiaim_sc.config import CompareOptions

_INVARIANT = ("MAIT", "iNKT")
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
        As `choose_population` returns it.
    """
    column = "cell_type_lineage" if population == "CD8" else "cell_type_coarse"
    is_counted = (cells[column] == population) & cells["clone_key"].notna()
    is_counted &= ~cells["invariant"].fillna("").isin(_INVARIANT)
    return cells.loc[is_counted, "clone_key"].value_counts().sort_index()


def choose_depth(sizes: Iterable[int], options: CompareOptions) -> int:
    """Common depth m of a tissue: the 10 % quantile of its samples' sizes, or the minimum.

    It is chosen from all samples of the tissue, without the arm; samples without a clone have no
    say.
    """
    found = [size for size in sizes if size > 0]
    quantile = int(np.floor(np.quantile(found, _QUANTILE))) if found else 0
    return max(options.min_depth, quantile)


def expanded_clones(counts: pd.Series, depth: int, options: CompareOptions) -> float:
    """``nexp_m``: expected clones with at least c cells among m."""
    return float(rarefied_expanded_clones(counts.to_numpy(), depth, options.expanded_min_cells))


def expanded_fraction(counts: pd.Series, depth: int, options: CompareOptions) -> float:
    """``expfrac_m``: expected share of m cells in clones with at least c of them."""
    return float(rarefied_expanded_fraction(counts.to_numpy(), depth, options.expanded_min_cells))


def called_clones(
    before: pd.Series,
    after: pd.Series,
    depth: int,
    options: CompareOptions,
    *,
    rng: np.random.Generator,
) -> float:
    """``n_called_m``: clones called expanded from one visit to another, both at depth m.

    Mean over subsamples of m cells from each visit of the number of clones with at least
    ``called_min_total`` cells over both and a one-sided beta-binomial p below ``called_alpha``.
    """
    clones = before.index.union(after.index).sort_values()
    draws = [
        subsample_counts(
            visit.reindex(clones, fill_value=0).to_numpy(),
            depth,
            n_draws=options.called_draws,
            rng=rng,
        )
        for visit in (before, after)
    ]
    k1, k2 = (drawn.ravel() for drawn in draws)
    p_value = clone_change_test(k1, k2, depth, depth, rho=options.called_rho).p_value
    called = (k1 + k2 >= options.called_min_total) & (p_value < options.called_alpha)
    return float(called.sum() / options.called_draws)


def dual_expanded(
    tumour: pd.Series,
    blood: pd.Series,
    depths: tuple[int, int],
    *,
    draws: int,
    rng: np.random.Generator,
) -> float:
    """``blood_tumour_dual``: share of tumour T cells in clones with two cells in both tissues.

    Mean over subsamples of both tissues at their depths.
    """
    clones = tumour.index.union(blood.index).sort_values()
    in_tumour, in_blood = (
        subsample_counts(
            counts.reindex(clones, fill_value=0).to_numpy(), depth, n_draws=draws, rng=rng
        )
        for counts, depth in zip((tumour, blood), depths, strict=True)
    )
    in_both = (in_tumour >= 2) & (in_blood >= 2)
    return float((in_tumour * in_both).sum() / (draws * depths[0]))
