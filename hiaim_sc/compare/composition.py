"""Fractions of cell types per sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.config import CompareOptions

_LYMPHOCYTES = ("T", "NK", "B")


@dataclass(frozen=True)
class Fraction:
    """A fraction endpoint.

    Attributes
    ----------
    name
        Of the endpoint.
    tissue
        The tissue it is of.
    part
        Compartment counted.
    """

    name: str
    tissue: str
    part: str


FRACTIONS = (
    Fraction("blood_nk_frac", "blood", "NK"),
    Fraction("tum_T_frac", "tumor", "T"),
    Fraction("tum_NK_frac", "tumor", "NK"),
)


def count_fraction(
    cells: pd.DataFrame, fraction: Fraction, options: CompareOptions
) -> tuple[int, int, bool]:
    """Cells of the part, cells of the whole, and whether these are enough.

    In blood the whole is T, NK and B cells: monocytes are lost differently in PBMC preparation and
    thawing. In tissue it is every cell that passes QC, tumour cells included. Cells that are known
    by their receptor alone do not count: those without a receptor were never seen.

    Parameters
    ----------
    cells
        Cells of one sample that pass QC.
    """
    compartment = cells.loc[cells["total_counts"].notna(), "cell_type_coarse"]
    part = int((compartment == fraction.part).sum())
    if fraction.tissue == "blood":
        whole = int(compartment.isin(_LYMPHOCYTES).sum())
        return part, whole, whole >= options.min_lymphocytes
    return part, len(compartment), len(compartment) >= options.min_cells
