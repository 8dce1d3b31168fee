"""STARTRAC indices per patient and visit, from the tumour and the resting blood together."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

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
    over subsamples in which each tissue is at its depth. A type with fewer than
    ``startrac_min_cells`` cells in both tissues together is ``below_cell_min``.

    Parameters
    ----------
    repertoires
        Of the population ``typed T``.
    cells
        Release table ``cells``.
    """
    if not set(_TISSUES) <= set(repertoires.depth):
        return []
    located = repertoires.located
    by_sample = {
        name: _tabulate(found, repertoires.clones[name])
        for name, found in group_cells(cells)
        if name in repertoires.clones
    }
    rows = []
    for sample in located[located["tissue"] == "tumor"].itertuples():
        rows += _measure(Repertoire(repertoires, sample), by_sample)
    return rows


def _tabulate(cells: pd.DataFrame, clones: pd.Series) -> pd.Series:
    """Cells per clone and type, sorted; of the cells that the repertoire counts."""
    is_counted = cells["cell_type"].isin(T_CLUSTERS) & cells["clone_key"].isin(clones.index)
    return cells[is_counted].groupby(["clone_key", "cell_type"], sort=True).size()


def _measure(found: Repertoire, by_sample: Mapping[str, pd.Series]) -> list[Row]:
    samples, sample = found.all_samples, found.sample
    reason = samples.why_missing(sample) or samples.why_unpaired(sample, BLOOD)
    rows = [
        samples.start(sample, name_index(index, cluster), "identity") | {"reason_missing": reason}
        for cluster in T_CLUSTERS
        for index in STARTRAC_INDICES
    ]
    if reason:
        return rows
    blood: Any = samples.find(sample, BLOOD)
    tables = [by_sample[owner.sample_id] for owner in (sample, blood)]
    n_cells = pd.concat(tables).groupby("cell_type").sum().reindex(T_CLUSTERS, fill_value=0)
    depths = found.depth, found.partner(BLOOD)[1]
    means = _average(tables, depths, found.options.called_draws, found.chance("startrac"))
    values = [(c, means.loc[c, index]) for c in T_CLUSTERS for index in STARTRAC_INDICES]
    for row, (cluster, value) in zip(rows, values, strict=True):
        row["n_cells"] = int(n_cells[cluster])
        if n_cells[cluster] < found.options.startrac_min_cells or np.isnan(value):
            row["reason_missing"] = "below_cell_min"
        else:
            row["value"] = row["value_analysed"] = float(value)
    return rows


def _average(
    tables: list[pd.Series], depths: tuple[int, int], draws: int, rng: np.random.Generator
) -> pd.DataFrame:
    """Mean of each index by type; a subsample without a cell of the type has no say."""
    drawn = [
        rng.multivariate_hypergeometric(table.to_numpy(), depth, size=draws, method="count")
        for table, depth in zip(tables, depths, strict=True)
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
