"""The release table `clones`: how many cells each clone has in each library."""

from __future__ import annotations

from typing import Final

import numpy as np
import pandas as pd

from hiaim_sc.names import RELEASE_TABLES

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
# The strongest evidence among a row's cells stands in the row.
_SOURCE_ORDER: Final = ("orphan", "rescued", "paired")
_CHAIN: Final = r"(?:(?P<locus_{0}>[A-Z]{{3}}):(?P<v_call_{0}>[^:|]*):(?P<junction_{0}>[^|]*))?"
_KEY: Final = rf"\|{_CHAIN.format(1)}\|{_CHAIN.format(2)}(?:\|[^|]*\|[^|]*)?$"


def tabulate_clones(
    clone_cells: pd.DataFrame,
    receptors: pd.DataFrame,
    layout: pd.DataFrame,
    *,
    passed: pd.Series | None = None,
) -> pd.DataFrame:
    """A row per clone and library, sorted by `clone_key`, `library_id`.

    Chain 1 is the VJ chain of the `clone_key`, chain 2 the VDJ chain; `j_call`, `junction_aa` and
    `invariant` are the most frequent ones of the clone's cells that have this chain as their primary
    one (ties: smallest text). All of a clone's rows say the same about it, but for `clone_source`:
    ``paired`` where a cell of the row is, else ``rescued`` or ``orphan``.

    Parameters
    ----------
    clone_cells
        Clone of each cell (`define_clones`).
    receptors
        Receptors of all libraries, with `library_id`.
    layout
        A row per library; a clone's cells in a library without a row are an error.
    passed
        `qc_pass` by (`library_id`, `cell_barcode`); a cell that is not in it did not pass. None: all
        passed.

    Returns
    -------
    pandas.DataFrame
        `CLONE_COLUMNS`. `n_cells` counts all cells, `n_cells_qc` those that passed.
    """
    unknown = sorted(set(clone_cells["library_id"]) - set(layout["library_id"]))
    if unknown:
        message = f"the layout lacks libraries that have clones: {', '.join(unknown)}"
        raise ValueError(message)
    rows = _count_cells(clone_cells, passed)
    places = layout[["library_id", *_PLACE]]
    rows = rows.merge(places, on="library_id", how="left", validate="many_to_one")
    rows = rows.merge(_describe_clones(clone_cells, receptors), on="clone_key", how="left")
    return rows.sort_values(["clone_key", "library_id"], ignore_index=True)[list(CLONE_COLUMNS)]


def _count_cells(clone_cells: pd.DataFrame, passed: pd.Series | None) -> pd.DataFrame:
    cells = clone_cells.assign(n_cells=1, n_cells_qc=_has_passed(clone_cells, passed))
    cells["source"] = cells["clone_source"].map({s: i for i, s in enumerate(_SOURCE_ORDER)})
    rows = cells.groupby(["clone_key", "patient_id", "library_id"], as_index=False).agg(
        n_cells=("n_cells", "sum"), n_cells_qc=("n_cells_qc", "sum"), source=("source", "max")
    )
    source = np.array(_SOURCE_ORDER, dtype=object)[rows["source"].to_numpy(int)]
    return rows.assign(clone_source=source).drop(columns="source")


def _has_passed(clone_cells: pd.DataFrame, passed: pd.Series | None) -> np.ndarray:
    if passed is None:
        return np.ones(len(clone_cells), dtype=np.int64)
    cells = pd.MultiIndex.from_frame(clone_cells[["library_id", "cell_barcode"]])
    known = passed[passed.eq(True).to_numpy(bool)].index
    return cells.isin(known).astype(np.int64)


def _describe_clones(clone_cells: pd.DataFrame, receptors: pd.DataFrame) -> pd.DataFrame:
    """A row per clone: the chains of its key, and what goes with them."""
    clones = clone_cells[["clone_key"]].drop_duplicates(ignore_index=True)
    clones = pd.concat([clones, clones["clone_key"].astype("str").str.extract(_KEY)], axis=1)
    cells = clone_cells[["library_id", "cell_barcode", "clone_key"]].merge(
        receptors, on=["library_id", "cell_barcode"], how="left", validate="one_to_one"
    )
    cells = cells.merge(clones, on="clone_key")
    for slot, number in (("VJ_1", 1), ("VDJ_1", 2)):
        has_chain = cells[cells[f"{slot}_junction"] == cells[f"junction_{number}"]]
        for name in ("j_call", "junction_aa"):
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
