"""Tables without rows that join and count like those with rows."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

_TEXTS: Final = (
    *("library_id", "cell_barcode", "dna_barcode", "patient_id", "clone_key"),
    *("label", "clone_label", "evidence", "peptide", "hla"),
)


def empty_table(columns: Iterable[str]) -> pd.DataFrame:
    """No rows; ids and labels are text, ``n_*`` integers, `hla_match` boolean, all else floats."""
    return pd.DataFrame({name: pd.Series(dtype=_dtype(name)) for name in columns})


def _dtype(name: str) -> str:
    if name in _TEXTS:
        return "str"
    if name.startswith("n_"):
        return "int64"
    return "boolean" if name == "hla_match" else "float64"
