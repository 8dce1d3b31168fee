"""Single values of a table, whichever way missing ones and flags were stored."""

from __future__ import annotations

from typing import Any


def read_number(value: Any) -> float:
    """The value as a float; NaN where it is missing or empty."""
    return float("nan") if value is None or value == "" else float(value)


def read_flag(value: Any) -> bool:
    """Whether a bool, or its text in a .tsv, is true; missing is false."""
    return str(value) == "True"


def read_text(value: Any) -> str:
    """The value where it is text, else the empty string."""
    return value if isinstance(value, str) else ""
