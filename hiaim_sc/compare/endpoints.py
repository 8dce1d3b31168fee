"""One number per patient, tissue and visit. No arm is known here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.compare.composition import measure_composition
from hiaim_sc.compare.measurements import measure_analytes
from hiaim_sc.compare.repertoires import (
    gather_repertoires,
    measure_calls,
    measure_dual,
    measure_expansion,
)
from hiaim_sc.compare.samples import locate_samples
from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from hiaim_sc.config import CompareOptions, Design


def measure_endpoints(
    cells: pd.DataFrame,
    expected_samples: pd.DataFrame,
    library_states: pd.DataFrame,
    measurements: pd.DataFrame | None,
    identity: pd.DataFrame,
    *,
    design: Design,
    options: CompareOptions,
) -> pd.DataFrame:
    """The release table ``endpoints``: a value or one reason for every expected sample.

    Parameters
    ----------
    cells
        Release table ``cells``.
    expected_samples, library_states
        Every expected sample and every library.
    measurements
        What was measured otherwise, if anything; it becomes endpoints ``<assay>:<analyte>``.
    identity
        Release table ``identity_checks``; a sample that may be another patient's has no value.
    design
        Visits and tissues.
    options
        Minima, depth and what counts as expanded.

    Returns
    -------
    Columns of the release table, ``scale`` (logit, ln or identity), ``depth`` and ``population``
    (the T cells that a clonal endpoint counts). ``value_analysed`` is ``ln((k + 1/2) / (n - k +
    1/2))`` for fractions and ``ln(value + 1/2)`` for numbers of clones. ``n_cells`` is what the
    endpoint is made from: lymphocytes, cells, or T cells with a clone.
    """
    located = locate_samples(expected_samples, library_states, identity)
    repertoires = gather_repertoires(located, cells, options)
    rows = [
        *measure_composition(located, cells, options),
        *measure_expansion(repertoires, options),
        *measure_calls(repertoires, design, options),
        *measure_dual(repertoires, options),
    ]
    table = pd.DataFrame(rows)
    if measurements is not None and len(measurements):
        measured = measure_analytes(measurements, expected_samples, design)
        table = pd.concat([table, measured], ignore_index=True)
    first = list(RELEASE_TABLES["endpoints"])
    table = table.reindex(columns=[*first, "scale", "depth", "population"])
    for name in ("n_cells", "depth"):
        table[name] = table[name].astype("Int64")
    order = {visit: i for i, visit in enumerate(design.visits)}
    return table.sort_values(
        ["endpoint", "tissue", "patient_id", "visit", "session_phase"],
        key=lambda column: column.map(order) if column.name == "visit" else column,
        ignore_index=True,
    )
