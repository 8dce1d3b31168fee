"""Fractions of cell types per sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hiaim_sc.compare.samples import group_cells, start_row
from hiaim_sc.stats import empirical_logit

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

    from hiaim_sc.config import CompareOptions

type _Row = dict[str, Any]

_LYMPHOCYTES = ("T", "NK", "B")
_IMMUNE = (*_LYMPHOCYTES, "plasma", "myeloid")
_ABSOLUTE = "blood_nk_abs"


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
    whole
        Compartments it is a part of; empty for every cell that passes QC, tumour cells included.
    minimum
        Option that says how many cells the whole needs.
    is_log_ratio
        Whether the value is the log-ratio of the part to the rest, not the fraction.
    """

    name: str
    tissue: str
    part: str
    whole: tuple[str, ...] = ()
    minimum: str = "min_cells"
    is_log_ratio: bool = False


# In blood the whole is T, NK and B cells: monocytes are lost differently in PBMC preparation and
# thawing. The fractions of immune cells do not move with how many tumour cells a needle caught.
FRACTIONS = (
    Fraction("blood_nk_frac", "blood", "NK", _LYMPHOCYTES, "min_lymphocytes"),
    Fraction("tum_T_frac", "tumor", "T"),
    Fraction("tum_NK_frac", "tumor", "NK"),
    Fraction("tum_T_frac_cd45", "tumor", "T", _IMMUNE, "min_immune_cells"),
    Fraction("tum_NK_frac_cd45", "tumor", "NK", _IMMUNE, "min_immune_cells"),
    Fraction("tum_NK_T", "tumor", "NK", ("T", "NK"), "min_nk_and_t_cells", is_log_ratio=True),
)


def measure_fractions(
    located: pd.DataFrame, cells: pd.DataFrame, options: CompareOptions
) -> list[_Row]:
    """`FRACTIONS` of each sample of their tissue, and ``blood_nk_abs``.

    The absolute number is the fraction times the lymphocytes of the blood count, in 10^9 per
    litre; a sample without a blood count is ``not_collected`` there.

    Parameters
    ----------
    located
        As `hiaim_sc.compare.samples.locate_samples` returns it.
    cells
        Release table ``cells``.
    options
        The minima.
    """
    by_sample = dict(group_cells(cells))
    rows = []
    for fraction in FRACTIONS:
        for sample in located[located["tissue"] == fraction.tissue].itertuples():
            row, part = _measure(sample, fraction, by_sample, cells.iloc[:0], options)
            rows.append(row)
            if fraction.name == "blood_nk_frac":
                rows.append(_absolute(sample, row, part))
    return rows


def _measure(
    sample: Any,
    fraction: Fraction,
    by_sample: Mapping[str, pd.DataFrame],
    no_cells: pd.DataFrame,
    options: CompareOptions,
) -> tuple[_Row, int]:
    """The row, and the cells of the part."""
    scale = "identity" if fraction.is_log_ratio else "logit"
    row = start_row(sample, fraction.name, scale=scale)
    if row["reason_missing"]:
        return row, 0
    part, whole = count_fraction(by_sample.get(sample.sample_id, no_cells), fraction)
    row["n_cells"] = whole
    if whole < getattr(options, fraction.minimum):
        row["reason_missing"] = "below_cell_min"
        return row, part
    analysed = float(empirical_logit(part, whole))
    value = analysed if fraction.is_log_ratio else part / whole
    return row | {"value": value, "value_analysed": analysed}, part


def count_fraction(cells: pd.DataFrame, fraction: Fraction) -> tuple[int, int]:
    """Cells of the part and cells of the whole.

    Cells that are known by their receptor alone do not count: those without a receptor were never
    seen.

    Parameters
    ----------
    cells
        Cells of one sample that pass QC.
    """
    compartment = cells.loc[cells["total_counts"].notna(), "cell_type_coarse"]
    part = int((compartment == fraction.part).sum())
    whole = compartment.isin(fraction.whole).sum() if fraction.whole else len(compartment)
    return part, int(whole)


def _absolute(sample: Any, fraction: _Row, part: int) -> _Row:
    row = {**fraction, "endpoint": _ABSOLUTE, "scale": "ln"}
    row |= {"value": np.nan, "value_analysed": np.nan}
    if row["reason_missing"]:
        return row
    if not sample.lymphocytes_1e9_per_l > 0:
        return row | {"reason_missing": "not_collected"}
    whole = row["n_cells"]
    # a half more, as in the logit, so that a sample without a NK cell has a logarithm
    analysed = np.log(sample.lymphocytes_1e9_per_l * (part + 0.5) / (whole + 1))
    return row | {
        "value": sample.lymphocytes_1e9_per_l * part / whole,
        "value_analysed": float(analysed),
    }
