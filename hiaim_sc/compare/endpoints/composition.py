"""Fractions of cell types per sample."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hiaim_sc.compare.samples import Row, group_cells, start_row
from hiaim_sc.compare.units import CELLS
from hiaim_sc.names import COMPOSITION
from hiaim_sc.stats import empirical_logit

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.config import CompareOptions

_LYMPHOCYTES = ("T", "NK", "B")
_IMMUNE = (*_LYMPHOCYTES, "plasma", "myeloid")
_TYPED = (*_IMMUNE, "epithelial", "stroma")


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
        Cell type counted.
    whole
        Compartments it is a part of; empty for every cell that passes QC, tumour cells included.
    minimum
        Option that says how many cells the whole needs.
    column
        Of the cells, where the part stands.
    is_log_ratio
        Whether the value is the log-ratio of the part to the rest, not the fraction.
    """

    name: str
    tissue: str
    part: str
    whole: tuple[str, ...] = ()
    minimum: str = "min_cells"
    column: str = "cell_type_coarse"
    is_log_ratio: bool = False


# In blood the whole is T, NK and B cells: monocytes are lost differently in PBMC preparation and
# thawing. The fractions of immune cells do not move with how many tumour cells a needle caught.
_BLOOD_NK = Fraction("blood_nk_frac", "blood", "NK", _LYMPHOCYTES, "min_lymphocytes")
FRACTIONS = (
    _BLOOD_NK,
    Fraction("tum_T_frac", "tumor", "T"),
    Fraction("tum_NK_frac", "tumor", "NK"),
    Fraction("tum_T_frac_cd45", "tumor", "T", _IMMUNE, "min_immune_cells"),
    Fraction("tum_NK_frac_cd45", "tumor", "NK", _IMMUNE, "min_immune_cells"),
    Fraction("tum_NK_T", "tumor", "NK", ("T", "NK"), "min_nk_and_t_cells", is_log_ratio=True),
    # T cells of no known lineage belong to the whole
    *(
        Fraction(f"comp_{name}", tissue, name, _TYPED, "min_typed_cells", "cell_type_lineage")
        for tissue, names in COMPOSITION.items()
        for name in names
    ),
)


def measure_composition(
    located: pd.DataFrame, cells: pd.DataFrame, options: CompareOptions
) -> list[Row]:
    """`FRACTIONS` and ``blood_nk_abs`` of each sample of their tissue.

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
    for sample in located.itertuples():
        found = by_sample.get(sample.sample_id, cells.iloc[:0])
        own = [fraction for fraction in FRACTIONS if fraction.tissue == sample.tissue]
        rows += [_measure(sample, fraction, found, options) for fraction in own]
        if sample.tissue == _BLOOD_NK.tissue:
            rows.append(_measure_absolute(sample, found, options))
    return rows


def _measure(sample: Any, fraction: Fraction, cells: pd.DataFrame, options: CompareOptions) -> Row:
    scale = "identity" if fraction.is_log_ratio else "logit"
    row = start_row(sample, fraction.name, scale=scale)
    if row["reason_missing"]:
        return row
    part, whole = count_fraction(cells, fraction)
    row["n_cells"] = whole
    if whole < getattr(options, fraction.minimum):
        return row | {"reason_missing": "below_cell_min"}
    analysed = float(empirical_logit(part, whole))
    value = analysed if fraction.is_log_ratio else part / whole
    return row | {"value": value, "value_analysed": analysed}


def _measure_absolute(sample: Any, cells: pd.DataFrame, options: CompareOptions) -> Row:
    fraction = _measure(sample, _BLOOD_NK, cells, options)
    nothing = {"value": np.nan, "value_analysed": np.nan}
    row = fraction | nothing | {"endpoint": "blood_nk_abs", "scale": "ln", "unit": CELLS}
    if row["reason_missing"]:
        return row
    lymphocytes = sample.lymphocytes_1e9_per_l
    if not lymphocytes > 0:
        return row | {"reason_missing": "not_collected"}
    part, whole = count_fraction(cells, _BLOOD_NK)
    # a half more, as in the logit, so that a sample without a NK cell has a logarithm
    analysed = float(np.log(lymphocytes * (part + 0.5) / (whole + 1)))
    return row | {"value": lymphocytes * part / whole, "value_analysed": analysed}


def count_fraction(cells: pd.DataFrame, fraction: Fraction) -> tuple[int, int]:
    """Cells of the part and cells of the whole.

    Cells that are known by their receptor alone do not count: those without a receptor were never
    seen.

    Parameters
    ----------
    cells
        Cells of one sample that pass QC.
    """
    seen = cells[cells["total_counts"].notna()]
    part = int((seen[fraction.column] == fraction.part).sum())
    whole = seen["cell_type_coarse"].isin(fraction.whole).sum() if fraction.whole else len(seen)
    return part, int(whole)
