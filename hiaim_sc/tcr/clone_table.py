"""The release table `clones`: how many cells each clone has in each library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.names import CLONE_SOURCES, RELEASE_TABLES
from hiaim_sc.study import place_cells

if TYPE_CHECKING:
    from collections.abc import Mapping

CLONE_COLUMNS: Final = (
    *RELEASE_TABLES["clones"],
    "v_call_1",
    "j_call_1",
    "junction_aa_1",
    "v_call_2",
    "j_call_2",
    "junction_aa_2",
    "invariant",
)
_FOLLOWING: Final = ("j_call", "junction_aa")  # what goes with a junction
TABULATED_COLUMNS: Final = (
    "cell_barcode",
    *(f"{slot}_{name}" for slot in ("VJ_1", "VDJ_1") for name in ("junction", *_FOLLOWING)),
    "invariant",
)
_PLACE: Final = ("sample_id", "tissue", "visit", "session_phase")
_OF_ROW: Final = ("patient_id", "library_id", *_PLACE)
_CELL: Final = ["library_id", "cell_barcode"]
_CHAIN: Final = r"(?:(?P<locus_{0}>[A-Z]{{3}}):(?P<v_call_{0}>[^:|]*):(?P<junction_{0}>[^|]*))?"
_KEY: Final = rf"\|{_CHAIN.format(1)}\|{_CHAIN.format(2)}(?:\|[^|]*\|[^|]*)?$"


def tabulate_clones(
    clone_cells: pd.DataFrame,
    receptors: pd.DataFrame,
    layout: pd.DataFrame,
    cells: pd.DataFrame,
    cell_samples: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """A row per clone, library and sample, sorted by `clone_key`, `library_id`, `sample_id`.

    Chain 1 is the VJ chain of the `clone_key`, chain 2 the VDJ chain; `j_call`, `junction_aa` and
    `invariant` are the most frequent ones of the clone's cells whose primary chain this is (ties:
    smallest text). All of a clone's rows say the same about it, but for `clone_source`: ``paired``
    where a cell of the row is, else ``rescued`` or ``orphan``.

    Parameters
    ----------
    clone_cells
        Clone of each cell (`define_clones`).
    receptors
        Receptors of all libraries: `library_id` and `TABULATED_COLUMNS`.
    layout
        A row per library and sample; a clone's cells in a library without a row are an error.
    cells
        `library_id`, `cell_barcode` and `qc_pass`; a cell that is not in it did not pass.
    cell_samples
        The sample of each cell of the pooled libraries.

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
    clone_cells = place_cells(clone_cells, layout[["library_id", *_PLACE]], cell_samples)
    clone, keys = pd.factorize(clone_cells["clone_key"], sort=True)
    rows = _count_cells(clone_cells, clone, cells)
    of_clone = _describe_clones(keys, clone, _find_receptors(clone_cells, receptors))
    of_clone = of_clone.take(rows["clone"].to_numpy()).reset_index(drop=True)
    return pd.concat([rows, of_clone], axis=1)[list(CLONE_COLUMNS)]


def _count_cells(clone_cells: pd.DataFrame, clone: np.ndarray, cells: pd.DataFrame) -> pd.DataFrame:
    """A row per clone (its number), library and sample, in the order of these."""
    passed = cells.loc[cells["qc_pass"].eq(other=True).to_numpy(bool), _CELL]
    of_library = clone_cells["library_id"].str.cat(clone_cells["sample_id"], sep="\t")
    place = pd.factorize(of_library, sort=True)[0]
    counted = pd.DataFrame(
        {
            "clone": clone,
            "place": place,
            "passed": _locate(clone_cells, passed) >= 0,
            "source": pd.Index(CLONE_SOURCES).get_indexer(clone_cells["clone_source"]),
            "first": np.arange(len(clone)),
        }
    )
    rows = counted.groupby(["clone", "place"], as_index=False).agg(
        n_cells=("passed", "size"),
        n_cells_qc=("passed", "sum"),
        source=("source", "min"),
        first=("first", "min"),
    )
    first = rows["first"].to_numpy()
    return pd.DataFrame(
        {
            "clone": rows["clone"],
            **{name: clone_cells[name].array.take(first) for name in _OF_ROW},
            "n_cells": rows["n_cells"],
            "n_cells_qc": rows["n_cells_qc"],
            "clone_source": np.array(CLONE_SOURCES, dtype=object)[rows["source"].to_numpy()],
        }
    )


def _find_receptors(clone_cells: pd.DataFrame, receptors: pd.DataFrame) -> pd.DataFrame:
    """What goes with the primary chains of each of the cells."""
    row = _locate(clone_cells, receptors)
    return pd.DataFrame(
        {
            name: receptors[name].astype("str").array.take(row, allow_fill=True)
            for name in TABULATED_COLUMNS[1:]
        }
    )


def _locate(cells: pd.DataFrame, among: pd.DataFrame) -> np.ndarray:
    """(n_cells,) row of each cell among others, -1 where it is not there."""
    names = [table["library_id"] + "_" + table["cell_barcode"] for table in (among, cells)]
    return pd.Index(names[0]).get_indexer(names[1])


def _describe_clones(keys: pd.Index, clone: np.ndarray, chains: pd.DataFrame) -> pd.DataFrame:
    """A row per clone: the chains of its key, and what goes with them."""
    clone_key = pd.Series(keys, dtype="str")
    clones = clone_key.str.extract(_KEY).assign(clone_key=clone_key)
    for slot, number in (("VJ_1", 1), ("VDJ_1", 2)):
        junction = clones[f"junction_{number}"].take(clone).reset_index(drop=True)
        has_chain = (chains[f"{slot}_junction"] == junction).to_numpy()
        for name in _FOLLOWING:
            values = chains[f"{slot}_{name}"]
            clones[f"{name}_{number}"] = _most_frequent(clone, values, has_chain, len(keys))
        if slot == "VJ_1":
            invariant = _most_frequent(clone, chains["invariant"], has_chain, len(keys))
            clones["invariant"] = invariant.fillna("")
    return clones


def _most_frequent(
    clone: np.ndarray, values: pd.Series, counts: np.ndarray, n_clones: int
) -> pd.Series:
    """The most frequent value of each clone over the cells that count; ties: the smallest text."""
    code, unique = pd.factorize(values, sort=True)
    is_seen = counts & (code >= 0)
    pairs, size = np.unique(clone[is_seen] * len(unique) + code[is_seen], return_counts=True)
    of_clone, of_value = np.divmod(pairs, max(len(unique), 1))
    best = np.full(n_clones, -1)
    # the last one written stays: from the rarest to the most frequent, and the smallest text last
    order = np.lexsort([-of_value, size])
    best[of_clone[order]] = of_value[order]
    return pd.Series(unique.array.take(best, allow_fill=True), dtype="str")


def _dtype(column: str) -> str:
    return "int64" if column.startswith("n_cells") else "str"
