"""What may differ between arms without being biology: yield, depth, receptor capture, days.

Re-drawing the arms is exact whatever these do, but it cannot tell a treatment that changes clones
from one that changes how many T cells a needle brings up. They are compared as endpoints are.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from hiaim_sc.compare.endpoints.scales import Measured, as_is, as_log, as_number, as_share
from hiaim_sc.compare.samples import Row, group_cells, start_row

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.compare.endpoints.repertoires import Repertoires

# T cells that have an alpha and a beta chain; gamma delta T cells have neither
_ALPHA_BETA = ("CD4", "CD8", "Treg")
_WITH_PAIR = ("single pair", "extra VJ", "extra VDJ", "two full chains")
_DAYS = ("days_from_plan", "days_since_infusion")


def measure_nuisances(repertoires: Repertoires, cells: pd.DataFrame) -> list[Row]:
    """The family ``nuisances`` of each sample, with a value or the reason for none.

    ``cells_kept`` cells that pass QC; ``median_counts`` their median UMIs; ``tcr_capture`` share of
    CD4, CD8 and regulatory T cells with both chains of a receptor; ``clone_depth`` T cells with a
    clone; ``days_from_plan`` from the planned to the actual day; ``days_since_infusion`` from the
    last infusion to the sample. The days are expected only where the study's tables have any.

    Parameters
    ----------
    repertoires
        Samples, and the T cells with a clone that clonal endpoints count.
    cells
        Release table ``cells``.
    """
    located = repertoires.located
    by_sample = dict(group_cells(cells[cells["total_counts"].notna()]))
    days = [name for name in _DAYS if name in located and located[name].notna().any()]
    rows = []
    for sample in located.itertuples():
        kept = by_sample.get(sample.sample_id, cells.iloc[:0])
        rows += [
            _count_cells(sample, kept),
            _count_umis(sample, kept),
            _measure_capture(repertoires, sample, kept),
            _count_with_clone(repertoires, sample),
            *(_count_days(sample, name) for name in days),
        ]
    return rows


def _count_cells(sample: Any, kept: pd.DataFrame) -> Row:
    row = start_row(sample, "cells_kept", scale="ln")
    return row if row["reason_missing"] else _fill(row, as_number(len(kept)), len(kept))


def _count_umis(sample: Any, kept: pd.DataFrame) -> Row:
    row = start_row(sample, "median_counts", scale="ln")
    if row["reason_missing"] or not len(kept):
        return row | {"reason_missing": row["reason_missing"] or "below_cell_min"}
    return _fill(row, as_log(float(kept["total_counts"].median())), len(kept))


def _measure_capture(repertoires: Repertoires, sample: Any, kept: pd.DataFrame) -> Row:
    row = start_row(sample, "tcr_capture", scale="logit")
    row["reason_missing"] = row["reason_missing"] or (
        "" if sample.sample_id in repertoires.with_receptors else "no_vdj"
    )
    if row["reason_missing"]:
        return row
    t_cells = kept[kept["cell_type_lineage"].isin(_ALPHA_BETA)]
    n_cells = len(t_cells)
    if n_cells < repertoires.options.min_t_cells:
        return row | {"reason_missing": "below_cell_min", "n_cells": n_cells}
    has_pair = t_cells["chain_pairing"].isin(_WITH_PAIR)
    return _fill(row, as_share(float(has_pair.mean()), n_cells), n_cells)


def _count_with_clone(repertoires: Repertoires, sample: Any) -> Row:
    row = repertoires.start(sample, "clone_depth", "ln") | {"depth": None}
    row["reason_missing"] = repertoires.why_missing(sample, 0)
    if row["reason_missing"]:
        return row
    return _fill(row, as_number(float(row["n_cells"])), row["n_cells"])


def _count_days(sample: Any, name: str) -> Row:
    row, days = start_row(sample, name, scale="identity"), float(getattr(sample, name))
    if row["reason_missing"] or not np.isfinite(days):
        return row | {"reason_missing": row["reason_missing"] or "not_collected"}
    return _fill(row, as_is(days), None)


def _fill(row: Row, found: Measured, n_cells: int | None) -> Row:
    return row | {"value": found.value, "value_analysed": found.analysed, "n_cells": n_cells}
