"""Every sample's clones in numbers: the release table ``repertoires``."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from hiaim_sc import stats
from hiaim_sc.compare.endpoints.clonal import expanded_fraction
from hiaim_sc.compare.endpoints.diversity import effective_clones
from hiaim_sc.compare.endpoints.repertoires import Repertoire, gather_repertoires
from hiaim_sc.compare.samples import PLACE, Row
from hiaim_sc.names import CELL_CLASSES, CLONE_SIZES, RELEASE_TABLES

if TYPE_CHECKING:
    from hiaim_sc.config import CompareOptions, Design

# What counting the clones reads of the table of cells, which is far wider.
_READ: Final = [
    "sample_id",
    "qc_pass",
    "cell_type",
    "cell_type_lineage",
    "cell_type_coarse",
    "clone_key",
    "chain_pairing",
    "invariant",
]
_INTEGERS: Final = (
    "n_cells",
    "n_clones",
    "n_singletons",
    *(f"n_cells_{size}" for size in CLONE_SIZES),
    "d50",
    "depth",
)


def tabulate_repertoires(
    cells: pd.DataFrame, located: pd.DataFrame, *, design: Design, options: CompareOptions
) -> pd.DataFrame:
    r"""A row per expected sample and cell class: all T cells, CD8 and CD4 T cells.

    Invariant T cells are left out. Names that end in ``_m`` are at the depth m of the column
    ``depth``, one per tissue and class, and can be compared between samples, as can ``simpson``;
    the others move with ``n_cells``.

    Parameters
    ----------
    cells
        Release table ``cells``.
    located
        As `hiaim_sc.compare.samples.locate_samples` returns it.
    design
        Visits.
    options
        Depths, limits of the size classes, subsamples.

    Returns
    -------
    ``n_singletons`` are clones of one cell (and their cells), ``n_cells_small`` to
    ``n_cells_hyperexpanded`` the cells in clones of each further size, ``frac_expanded`` the share
    of the cells in clones of two or more, ``shannon`` in nats. ``detection_limit`` is the smallest
    frequency that the sample's cells show with 95 % confidence, ``coverage_m`` the expected share
    of the repertoire's cells in the clones that m cells show. ``reason_missing`` says why there is
    nothing at depth m; with ``below_depth`` the sample is described as counted. Sorted by patient,
    tissue, visit, phase and class.
    """
    cells = cells[[*_READ]]
    rows = []
    for cell_class in CELL_CLASSES:
        repertoires = gather_repertoires(located, cells, design, options, population=cell_class)
        for sample in located.itertuples():
            found = Repertoire(repertoires, sample)
            rows.append({**_place(sample), "cell_class": cell_class, **_describe(found)})
    table = pd.DataFrame(rows).reindex(columns=list(RELEASE_TABLES["repertoires"]))
    for name in _INTEGERS:
        table[name] = table[name].astype("Int64")
    orders = {
        "visit": {visit: i for i, visit in enumerate(design.visits)},
        "cell_class": {name: i for i, name in enumerate(CELL_CLASSES)},
    }
    return table.sort_values(
        ["patient_id", "tissue", "visit", "session_phase", "cell_class"],
        key=lambda column: column.map(orders[column.name]) if column.name in orders else column,
        ignore_index=True,
    )


def _place(sample: Any) -> Row:
    return {name: getattr(sample, name) for name in (*PLACE, "sample_id")}


def _describe(found: Repertoire) -> Row:
    reason = found.all_samples.why_missing(found.sample)
    row: Row = {"depth": found.depth, "reason_missing": reason}
    if reason in ("", "below_depth"):
        row |= _as_counted(found.counts.to_numpy(), found.options)
    if not reason:
        row |= _at_depth(found)
    return row


def _as_counted(x: np.ndarray, options: CompareOptions) -> Row:
    n_cells = int(x.sum())
    sizes = stats.cells_by_clone_size(x, options.clone_sizes)
    return {
        "n_cells": n_cells,
        "n_clones": len(x),
        "n_singletons": int((x == 1).sum()),
        **{f"n_cells_{name}": n for name, n in zip(CLONE_SIZES, sizes[1:], strict=True)},
        "frac_top_1": stats.top_fraction(x),
        "frac_top_10": stats.top_fraction(x, 10),
        "frac_expanded": 1 - (x == 1).sum() / n_cells if n_cells else np.nan,
        "d50": stats.d50(x),
        "shannon": stats.shannon_entropy(x),
        "clonality": stats.clonality(x),
        "simpson": stats.simpson_unbiased(x),
        "gini": stats.gini(x),
        "hill_1": stats.hill_number(x, 1),
        "hill_2": stats.hill_number(x, 2),
        "chao1": stats.chao1(x),
        "coverage": stats.coverage(x),
        "detection_limit": stats.detection_limit(n_cells),
    }


def _at_depth(found: Repertoire) -> Row:
    counts, m = found.counts, found.depth
    effective = {f"hill_{q}_m": effective_clones(counts, m, q).value for q in (0, 1, 2)}
    return {
        **effective,
        "shannon_m": float(np.log(effective["hill_1_m"])),
        "clonality_m": found.inequality.clonality,
        "gini_m": found.inequality.gini,
        "expfrac_m": expanded_fraction(counts, m, found.options),
        "coverage_m": stats.rarefied_coverage(counts.to_numpy(), m),
    }
