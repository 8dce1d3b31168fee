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


def place_cells(cells: pd.DataFrame, layout: pd.DataFrame) -> pd.DataFrame:
    """Cells with the sample, patient and place of their library; a cell of no library has none.

    Parameters
    ----------
    cells
        With `library_id`.
    layout
        A row per library (`Study.layout`).
    """
    return cells.merge(layout.drop(columns="batch"), on="library_id", how="left")
