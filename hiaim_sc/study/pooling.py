"""From one table per library to one table of all libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence


def pool_tables(tables: Mapping[str, pd.DataFrame], columns: Sequence[str]) -> pd.DataFrame:
    """One table of all libraries, with ``library_id`` first, libraries in the order of their ids.

    Parameters
    ----------
    tables
        ``library_id``: that library's table.
    columns
        Columns the result has when there is no table at all.
    """
    if not tables:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in ("library_id", *columns)})
    pooled = [
        table.assign(library_id=library_id)[["library_id", *table.columns]]
        for library_id, table in sorted(tables.items())
    ]
    return pd.concat(pooled, ignore_index=True)


def place_cells(
    cells: pd.DataFrame,
    layout: pd.DataFrame,
    cell_samples: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Cells of the libraries in `layout`, with `sample_id patient_id visit tissue session_phase`.

    Missing where a cell of a pooled library is of no sample.

    Parameters
    ----------
    cells
        With `library_id` and `cell_barcode`.
    layout
        A row per library and sample (`Study.layout`).
    cell_samples
        ``library_id``: `cell_barcode sample_id` of each pooled library.
    """
    places = layout.drop(columns="batch", errors="ignore")
    if not cell_samples:
        return cells.merge(places, on="library_id")
    pooled = pool_tables(
        {name: table[["cell_barcode", "sample_id"]] for name, table in cell_samples.items()},
        ["cell_barcode", "sample_id"],
    )
    of_one = places[~places["library_id"].isin(list(cell_samples))]
    is_pooled = cells["library_id"].isin(list(cell_samples))
    assigned = cells[is_pooled].merge(pooled, on=["library_id", "cell_barcode"], how="left")
    assigned = assigned.merge(places, on=["library_id", "sample_id"], how="left")
    assigned["sample_id"] = assigned["sample_id"].where(assigned["tissue"].notna())
    return pd.concat(
        [cells[~is_pooled].merge(of_one, on="library_id"), assigned], ignore_index=True
    )
