"""Values of tables, whichever way missing ones, flags and empty columns were stored."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd


def read_number(value: Any) -> float:
    """The value as a float; NaN where it is missing or empty."""
    return float("nan") if value is None or value == "" else float(value)


def read_flag(value: Any) -> bool:
    """Whether a bool, or its text in a .tsv, is true; missing is false."""
    return str(value) == "True"


def read_text(value: Any) -> str:
    """The value where it is text, else the empty string."""
    return value if isinstance(value, str) else ""


def settle_empty(tables: Mapping[str, pd.DataFrame]) -> dict[str, pd.DataFrame]:
    """The tables, those without rows with columns of plain objects.

    A header alone says nothing of a column's type, and counting must not fail on a guess.
    """
    return {name: table if len(table) else table.astype(object) for name, table in tables.items()}
