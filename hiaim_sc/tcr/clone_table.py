"""The release table `clones`: how many cells each clone has in each library."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from hiaim_sc.names import CLONE_SOURCES, RELEASE_TABLES

CLONE_COLUMNS: Final = (
    *RELEASE_TABLES["clones"],
    "n_cells_qc",
    "v_call_1",
    "j_call_1",
    "junction_aa_1",
    "v_call_2",
    "j_call_2",
    "junction_aa_2",
    "invariant",
)
_PLACE: Final = ("sample_id", "tissue", "visit", "session_phase")
_CELL: Final = ["library_id", "cell_barcode"]
_FOLLOWING: Final = ("j_call", "junction_aa")  # what goes with a junction
_CHAIN: Final = r"(?:(?P<locus_{0}>[A-Z]{{3}}):(?P<v_call_{0}>[^:|]*):(?P<junction_{0}>[^|]*))?"
_KEY: Final = rf"\|{_CHAIN.format(1)}\|{_CHAIN.format(2)}(?:\|[^|]*\|[^|]*)?$"


def tabulate_clones(
    clone_cells: pd.DataFrame,
    receptors: pd.DataFrame,
    layout: pd.DataFrame,
    cells: pd.DataFrame,
) -> pd.DataFrame:
    """A row per clone and library, sorted by `clone_key`, `library_id`.

    Chain 1 is the VJ chain of the `clone_key`, chain 2 the VDJ chain; `j_call`, `junction_aa` and
    `invariant` are the most frequent ones of the clone's cells whose primary chain this is (ties:
    smallest text). All of a clone's rows say the same about it, but for `clone_source`: ``paired``
    where a cell of the row is, else ``rescued`` or ``orphan``.

    Parameters
    ----------
    clone_cells
        Clone of each cell (`define_clones`).
    receptors
        Receptors of all libraries, with `library_id`.
    layout
        A row per library; a clone's cells in a library without a row are an error.
    cells
        `library_id`, `cell_barcode` and `qc_pass`; a cell that is not in it did not pass.

    Returns
    -------
    pandas.DataFrame
        `CLONE_COLUMNS`. `n_cells` counts all cells, `n_cells_qc` those that passed.
    """
    if clone_cells.empty:
        return pd.DataFrame({name: pd.Series(dtype=_dtype(name)) for name in CLONE_COLUMNS})
    unknown = sorted(set(clone_cells["library_id"]) - set(layout["library_id"]))
    if unknown:
        message = f"the layout lacks libraries that have clones: {', '.join(unknown)}"
        raise ValueError(message)
    rows = _count_cells(clone_cells, cells)
    places = layout[["library_id", *_PLACE]]
    rows = rows.merge(places, on="library_id", how="left", validate="many_to_one")
    rows = rows.merge(_describe_clones(clone_cells, receptors), on="clone_key", how="left")
    return rows.sort_values(["clone_key", "library_id"], ignore_index=True)[list(CLONE_COLUMNS)]


def _count_cells(clone_cells: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    passed = cells.loc[cells["qc_pass"].eq(other=True).to_numpy(bool), _CELL]
    has_passed = pd.MultiIndex.from_frame(clone_cells[_CELL]).isin(pd.MultiIndex.from_frame(passed))
    counted = clone_cells.assign(
        n_cells_qc=has_passed.astype(np.int64),
        source=clone_cells["clone_source"].map({s: i for i, s in enumerate(CLONE_SOURCES)}),
    )
    rows = counted.groupby(["clone_key", "patient_id", "library_id"], as_index=False).agg(
        n_cells=("cell_barcode", "size"), n_cells_qc=("n_cells_qc", "sum"), source=("source", "min")
    )
    source = np.array(CLONE_SOURCES, dtype=object)[rows["source"].to_numpy(int)]
    return rows.assign(clone_source=source).drop(columns="source")


def _describe_clones(clone_cells: pd.DataFrame, receptors: pd.DataFrame) -> pd.DataFrame:
    """A row per clone: the chains of its key, and what goes with them."""
    clones = clone_cells[["clone_key"]].drop_duplicates(ignore_index=True)
    clones = pd.concat([clones, clones["clone_key"].astype("str").str.extract(_KEY)], axis=1)
    slots = [f"{slot}_{name}" for slot in ("VJ_1", "VDJ_1") for name in ("junction", *_FOLLOWING)]
    cells = clone_cells[[*_CELL, "clone_key"]].merge(
        receptors[[*_CELL, *slots, "invariant"]], on=_CELL, how="left", validate="one_to_one"
    )
    cells = cells.merge(clones[["clone_key", "junction_1", "junction_2"]], on="clone_key")
    for slot, number in (("VJ_1", 1), ("VDJ_1", 2)):
        has_chain = cells[cells[f"{slot}_junction"] == cells[f"junction_{number}"]]
        for name in _FOLLOWING:
            common = _most_frequent(has_chain, f"{slot}_{name}")
            clones[f"{name}_{number}"] = clones["clone_key"].map(common).astype("str")
    has_alpha = cells[cells["VJ_1_junction"] == cells["junction_1"]]
    invariant = clones["clone_key"].map(_most_frequent(has_alpha, "invariant"))
    return clones.assign(invariant=invariant.astype("str").fillna(""))


def _most_frequent(cells: pd.DataFrame, column: str) -> pd.Series:
    """The most frequent value of each clone, by `clone_key`; ties: the smallest text."""
    counts = cells.groupby(["clone_key", column], as_index=False).size()
    counts = counts.sort_values(["clone_key", "size", column], ascending=[True, False, True])
    return counts.drop_duplicates("clone_key").set_index("clone_key")[column]


def _dtype(column: str) -> str:
    return "int64" if column.startswith("n_cells") else "str"
