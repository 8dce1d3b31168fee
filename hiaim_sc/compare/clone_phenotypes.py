"""What states a clone's cells are in, and which clones may recognise the tumour."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.compare.modularity import measure_modularity
from hiaim_sc.compare.reactivity import call_reactive
from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from anndata import AnnData

    from hiaim_sc.config import PhenotypeOptions

_CELL: Final = ["library_id", "cell_barcode"]
_COLUMNS: Final = RELEASE_TABLES["clone_phenotypes"]
_INVARIANT: Final = ("MAIT", "iNKT", "gd")


def describe_clones(
    cells: pd.DataFrame,
    embedding: AnnData,
    scores: pd.DataFrame,
    matches: pd.DataFrame | None,
    options: PhenotypeOptions,
) -> pd.DataFrame:
    """Release table ``clone_phenotypes``: a row per clone with `min_cells` cells with expression.

    Whether a clone may be tumour-reactive is said in `label`, and why it is not asked in `reason`
    (`call_reactive`). Invariant and gamma-delta clones, and bystanders by a strong match whose HLA
    the patient does not lack, are not asked: their programme of activation has another cause.

    Parameters
    ----------
    cells
        Release table `cells`.
    embedding
        Its cells are those that pass QC; reads ``uns["neighbours"]["indices"]``.
    scores
        As `hiaim_sc.annotate.score_signatures` returns them.
    matches
        Release table `database_matches`; None where the study names no database.
    options
        Minima, and how the threshold is set.

    Returns
    -------
    Columns of the release table and ``score_<signature>`` of each: the mean over the clone's scored
    CD8 cells in the tumour; sorted by patient and clone. `entropy` is of the cell types, in bits.
    """
    seen = _locate(cells, embedding)
    size = seen["clone_key"].map(seen["clone_key"].value_counts())
    if not (size >= options.min_cells).any():
        return pd.DataFrame({name: pd.Series(dtype=_dtype(name)) for name in _COLUMNS})
    states = _count_states(seen[size >= options.min_cells])
    table = states.join(_modularity(seen, embedding)).reset_index()
    table["exclusion"] = _exclude(table, seen, matches)
    table = table.merge(
        call_reactive(scores, seen, table.set_index("clone_key")["exclusion"], options),
        on="clone_key",
        how="left",
    )
    more = sorted(name for name in table if name.startswith("score_"))
    return table.sort_values(["patient_id", "clone_key"], ignore_index=True)[[*_COLUMNS, *more]]


def _dtype(column: str) -> str:
    if column in ("patient_id", "clone_key", "main_cell_type", "label", "reason"):
        return "str"
    return "int64" if column.startswith("n_") else "float64"


def _locate(cells: pd.DataFrame, embedding: AnnData) -> pd.DataFrame:
    """Cells that have a clone and expression, with their position in the embedding."""
    names = pd.MultiIndex.from_frame(pd.DataFrame(embedding.obs[_CELL]).astype("str"))
    position = names.get_indexer(pd.MultiIndex.from_frame(cells[_CELL].astype("str")))
    is_seen = (position >= 0) & cells["clone_key"].notna().to_numpy(bool)
    return cells[is_seen].assign(position=position[is_seen]).reset_index(drop=True)


def _count_states(cells: pd.DataFrame) -> pd.DataFrame:
    """By `clone_key`: patient, cells by tissue, cell types."""
    grouped = cells.groupby("clone_key")
    table = grouped.agg(patient_id=("patient_id", "first"), n_cells=("cell_barcode", "size"))
    for tissue in ("tumor", "blood"):
        found = cells.loc[cells["tissue"] == tissue, "clone_key"].value_counts()
        table[f"n_{tissue}"] = found.reindex(table.index, fill_value=0)
    types = cells.groupby(["clone_key", "cell_type"], as_index=False).size()
    share = types["size"] / types["clone_key"].map(table["n_cells"])
    by_clone = types.assign(share=share, term=share * np.log2(1 / share)).groupby("clone_key")
    table["n_cell_types"] = by_clone.size()
    table["main_cell_type"] = _find_most_frequent(cells, "cell_type")
    table["main_share"] = by_clone["share"].max()
    table["entropy"] = by_clone["term"].sum()
    return table


def _modularity(cells: pd.DataFrame, embedding: AnnData) -> pd.DataFrame:
    """`modularity` by `clone_key`, among the patient's cells with a clone."""
    group = np.full(embedding.n_obs, -1)
    clone = np.full(embedding.n_obs, -1)
    position = cells["position"].to_numpy(int)
    group[position] = pd.factorize(cells["patient_id"], sort=True)[0]
    clone[position], keys = pd.factorize(cells["clone_key"], sort=True)
    found = measure_modularity(embedding.uns["neighbours"]["indices"], group, clone)
    return found[["modularity"]].set_axis(pd.Index(keys[found.index], name="clone_key"), axis=0)


def _exclude(table: pd.DataFrame, cells: pd.DataFrame, matches: pd.DataFrame | None) -> np.ndarray:
    """(n_clones,) why a clone is not asked whether it is tumour-reactive; else empty."""
    keys = table["clone_key"]
    own = cells[cells["clone_key"].isin(keys)]
    is_invariant = own["invariant"].isin(_INVARIANT)
    by_receptor = keys.map(_find_most_frequent(own[is_invariant], "invariant")).astype("str")
    by_lineage = keys.map(_find_most_frequent(own, "cell_type_lineage")).astype("str")
    reason = by_receptor.fillna(by_lineage.where(by_lineage.isin(_INVARIANT)))
    reason = reason.mask(
        keys.isin(own.loc[own["receptor_subtype"] == "TRG+TRD", "clone_key"]), "gd"
    )
    if matches is not None:
        is_meant = matches["is_strong"].astype(bool) & (matches["hla_match"] != "no")
        known = matches.loc[is_meant & (matches["bystander"].fillna("") != ""), "clone_key"]
        reason = reason.mask(reason.isna() & keys.isin(known), "bystander")
    return reason.fillna("").to_numpy(dtype=object)


def _find_most_frequent(cells: pd.DataFrame, column: str) -> pd.Series:
    """The most frequent value of each clone, by `clone_key`; ties: the smallest text."""
    counts = cells.groupby(["clone_key", column], as_index=False).size()
    counts = counts.sort_values(["clone_key", "size", column], ascending=[True, False, True])
    return counts.drop_duplicates("clone_key").set_index("clone_key")[column]
