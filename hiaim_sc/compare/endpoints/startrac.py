"""STARTRAC indices per patient and visit, from the tumour and the resting blood together."""

from __future__ import annotations

from itertools import product
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.compare.endpoints.clonal import low_quantile
from hiaim_sc.compare.endpoints.repertoires import BLOOD, Repertoire, Repertoires
from hiaim_sc.compare.samples import Row, group_cells
from hiaim_sc.names import STARTRAC_INDICES, T_CLUSTERS
from hiaim_sc.stats import startrac

if TYPE_CHECKING:
    from collections.abc import Mapping


_TISSUES = ("tumor", "blood")


def name_index(index: str, cluster: str) -> str:
    """Endpoint of an index of a type of T cell: ``startrac_expa_CD8_T``."""
    return f"startrac_{index}_{cluster.replace(' ', '_')}"


def measure_startrac(repertoires: Repertoires, cells: pd.DataFrame) -> list[Row]:
    """``startrac_<index>_<cluster>`` of each visit; they stand under the tumour.

    Expansion, migration between blood and tumour and transition between types of T cell, as means
    over subsamples in which each type has as many cells in each tissue as at all other visits: with
    a depth for all types together, a type whose share rises would show more cells of its clones. A
    type with fewer than ``startrac_min_cells`` cells in both tissues together is
    ``below_cell_min``, one without its number in either ``below_depth``.

    Parameters
    ----------
    repertoires
        Of the population ``typed T``.
    cells
        Release table ``cells``.
    """
    if not set(_TISSUES) <= set(repertoires.depth):
        return []
    by_sample = {
        name: _tabulate(found, repertoires.clones[name])
        for name, found in group_cells(cells)
        if name in repertoires.clones
    }
    located = repertoires.located
    visits = [
        Repertoire(repertoires, sample)
        for sample in located[located["tissue"] == "tumor"].itertuples()
    ]
    pairs = [_pair(found, by_sample) for found in visits]
    depth = _choose_depth(pairs, repertoires.options.startrac_min_cells)
    rows = []
    for found, tables in zip(visits, pairs, strict=True):
        rows += _measure(found, tables, depth)
    return rows


def _tabulate(cells: pd.DataFrame, clones: pd.Series) -> pd.Series:
    """Cells per clone and type, sorted; of the cells that the repertoire counts."""
    is_counted = cells["cell_type"].isin(T_CLUSTERS) & cells["clone_key"].isin(clones.index)
    return cells[is_counted].groupby(["clone_key", "cell_type"], sort=True).size()


def _why_missing(found: Repertoire) -> str:
    """Why there is no pair of tumour and blood with a clone in each; empty when there is."""
    samples, sample = found.all_samples, found.sample
    blood = samples.find(sample, BLOOD)
    other = "not_collected" if blood is None else samples.why_missing(blood, minimum=1)
    return samples.why_missing(sample, minimum=1) or other


def _pair(found: Repertoire, by_sample: Mapping[str, pd.Series]) -> list[pd.Series]:
    """The tables of tumour and blood; none where one is missing."""
    if _why_missing(found):
        return []
    blood: Any = found.all_samples.find(found.sample, BLOOD)
    return [by_sample[owner.sample_id] for owner in (found.sample, blood)]


def _count(tables: list[pd.Series]) -> pd.DataFrame:
    """Cells of each type (rows) in each tissue."""
    by_type = [table.groupby("cell_type").sum().reindex(T_CLUSTERS) for table in tables]
    return pd.concat(by_type, axis=1, keys=_TISSUES).fillna(0).astype(int)


def _choose_depth(pairs: list[list[pd.Series]], minimum: int) -> pd.DataFrame:
    """Cells of each type in each tissue that all but a tenth of the visits with the type have."""
    sizes = [_count(tables) for tables in pairs if tables]
    depth = pd.DataFrame(0, index=list(T_CLUSTERS), columns=list(_TISSUES))
    for cluster in T_CLUSTERS:
        enough = [n.loc[cluster] for n in sizes if n.loc[cluster].sum() >= minimum]
        depth.loc[cluster] = [low_quantile(n[place] for n in enough) for place in _TISSUES]
    return depth


def _measure(found: Repertoire, tables: list[pd.Series], depth: pd.DataFrame) -> list[Row]:
    known, reason = list(product(T_CLUSTERS, STARTRAC_INDICES)), _why_missing(found)
    rows = [
        found.all_samples.start(found.sample, name_index(index, cluster), "identity")
        | {"reason_missing": reason, "depth": int(depth.loc[cluster, "tumor"])}
        for cluster, index in known
    ]
    if not tables:
        return rows
    sizes = _count(tables)
    # a type that is short of its number takes part in the others' indices with all its cells
    drawn = np.minimum(sizes, depth)
    means = _average(tables, drawn, found.options.called_draws, found.chance("startrac"))
    for row, (cluster, index) in zip(rows, known, strict=True):
        value = float(means.loc[cluster, index])
        row["n_cells"] = int(sizes.loc[cluster].sum())
        if row["n_cells"] < found.options.startrac_min_cells or np.isnan(value):
            row["reason_missing"] = "below_cell_min"
        elif (sizes.loc[cluster] < depth.loc[cluster]).any():
            row["reason_missing"] = "below_depth"
        else:
            row["value"] = row["value_analysed"] = value
    return rows


def _average(
    tables: list[pd.Series], depth: pd.DataFrame, draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Mean of each index by type; a type without cells to draw has none."""
    drawn = [
        _draw(table, depth[place], draws, rng)
        for table, place in zip(tables, _TISSUES, strict=True)
    ]
    labels = pd.concat(tables).index.to_frame(index=False).to_numpy(dtype=object)
    places = np.repeat(np.array(_TISSUES, dtype=object), [len(table) for table in tables])
    found = []
    for counts in np.hstack(drawn):
        clone, cluster = np.repeat(labels, counts, axis=0).T
        indices = startrac(clone, cluster, np.repeat(places, counts))
        # a cluster that is one single clone is as expanded as can be
        found.append(indices.assign(expa=indices["expa"].fillna(1.0))[list(STARTRAC_INDICES)])
    return pd.concat(found).groupby(level=0).mean().reindex(T_CLUSTERS)


def _draw(table: pd.Series, depth: pd.Series, draws: int, rng: np.random.Generator) -> np.ndarray:
    """Cells per clone and type in each subsample, so many of each type."""
    drawn = np.zeros((draws, len(table)), dtype=np.int64)
    types = table.index.get_level_values("cell_type")
    for cluster in types.unique().sort_values():
        here = np.flatnonzero(types == cluster)
        sizes, m = table.to_numpy()[here], int(depth[cluster])
        drawn[:, here] = rng.multivariate_hypergeometric(sizes, m, size=draws, method="count")
    return drawn
