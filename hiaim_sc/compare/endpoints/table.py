"""One number per patient, tissue and visit. No arm is known here."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.compare.endpoints.catalogue import measure_clonal
from hiaim_sc.compare.endpoints.composition import measure_composition
from hiaim_sc.compare.endpoints.measurements import measure_analytes
from hiaim_sc.compare.endpoints.mobilisation import measure_mobilisation
from hiaim_sc.compare.endpoints.nuisances import measure_nuisances
from hiaim_sc.compare.endpoints.pmhc import Screen, measure_pmhc
from hiaim_sc.compare.endpoints.reactive import measure_reactive
from hiaim_sc.compare.endpoints.repertoires import gather_repertoires
from hiaim_sc.compare.endpoints.startrac import measure_startrac
from hiaim_sc.compare.units import FRACTION
from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from hiaim_sc.config import CompareOptions, Design


def measure_endpoints(
    cells: pd.DataFrame,
    located: pd.DataFrame,
    measurements: pd.DataFrame | None = None,
    screen: Screen | None = None,
    phenotypes: pd.DataFrame | None = None,
    *,
    design: Design,
    options: CompareOptions,
) -> pd.DataFrame:
    """The release table ``endpoints``: a value or one reason for every expected sample.

    Parameters
    ----------
    cells
        Release table ``cells``.
    located
        As `hiaim_sc.compare.samples.locate_samples` returns it.
    measurements
        What was measured otherwise, if anything; it becomes endpoints ``<assay>:<analyte>``.
    screen
        What was stained with pMHC multimers, if anything.
    phenotypes
        Release table ``clone_phenotypes``, where clones were described.
    design
        Visits and tissues.
    options
        Minima, depth and what counts as expanded.

    Returns
    -------
    Columns of the release table, ``scale`` (logit, ln, identity, or -ln(1 - x)), ``depth``,
    ``population`` (the T cells that a clonal endpoint counts) and ``unit``, where there is one.
    ``value_analysed`` is ``ln((k + 1/2) / (n - k + 1/2))`` for fractions and ``ln(value + 1/2)``
    for numbers of clones. ``n_cells`` is what the endpoint is made from: lymphocytes, cells, or T
    cells with a clone.
    """
    repertoires = gather_repertoires(located, cells, design, options)
    rows = [
        *measure_composition(located, cells, options),
        *measure_clonal(repertoires),
        *measure_nuisances(repertoires, cells),
    ]
    if repertoires.population == "CD8":
        typed = gather_repertoires(located, cells, design, options, population="typed T")
        rows += measure_startrac(typed, cells)
        if phenotypes is not None:
            rows += measure_reactive(repertoires, phenotypes)
    if screen is not None:
        rows += measure_pmhc(located, cells, screen, repertoires.population, options)
    columns = [*RELEASE_TABLES["endpoints"], "scale", "depth", "population", "unit"]
    table = pd.DataFrame(rows).reindex(columns=columns)
    table["unit"] = table["unit"].astype("str").mask(table["scale"] == "logit", FRACTION)
    if measurements is not None and len(measurements):
        measured = measure_analytes(measurements, located, design)
        table = pd.concat([table, measured], ignore_index=True)
    table = pd.concat([table, measure_mobilisation(table)], ignore_index=True)[columns]
    for name in ("n_cells", "depth"):
        table[name] = table[name].astype("Int64")
    order = {visit: i for i, visit in enumerate(design.visits)}
    return table.sort_values(
        ["endpoint", "tissue", "patient_id", "visit", "session_phase"],
        key=lambda column: column.map(order) if column.name == "visit" else column,
        ignore_index=True,
    )
