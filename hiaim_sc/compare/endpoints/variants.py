"""Clonal and antigen endpoints under other settings than the planned ones, without the arm."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import pandas as pd

from hiaim_sc.compare.endpoints.catalogue import CLONAL, measure_clonal
from hiaim_sc.compare.endpoints.pmhc import BREADTH, measure_pmhc
from hiaim_sc.compare.endpoints.repertoires import gather_repertoires

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from hiaim_sc.compare.endpoints.pmhc import Screen
    from hiaim_sc.config import CompareOptions, Design

_GROWTH = frozenset({"n_called_m", "called_frac_m"})
_EXPANSION = frozenset({"nexp_m", "expfrac_m"})
_ALL = frozenset(endpoint.name for endpoint in CLONAL)
_AT_DEPTH = (_ALL - {"simpson", "turnover", "overlap_bt"}) | {BREADTH}


@dataclass(frozen=True)
class Variant:
    """One thing that is not as planned.

    Attributes
    ----------
    setting, level
        What, and what it is instead.
    endpoints
        Those that it can change.
    options
        What counts as expanded, depths and draws.
    population
        T cells that are counted; empty for the planned ones.
    select
        Which cells count, and for which clone.
    """

    setting: str
    level: str
    endpoints: frozenset[str]
    options: CompareOptions
    population: str = ""
    select: Callable[[pd.DataFrame], pd.DataFrame] | None = None


def measure_variants(
    cells: pd.DataFrame,
    located: pd.DataFrame,
    endpoints: pd.DataFrame,
    screen: Screen | None = None,
    *,
    design: Design,
    options: CompareOptions,
) -> pd.DataFrame:
    """The clonal endpoints under each variant: rows with ``setting`` and ``level`` besides.

    Varied are the depth (m/2, 2m; that of ``pmhc_breadth`` too), what counts as expanded (c of 2,
    3, 5) and as grown (rho of 0.01 to 0.1, clones of 5 or 8 cells), what a clone is (the VDJ chain
    alone, paired cells alone), and which T cells count (CD4, all, MAIT and iNKT too).

    Parameters
    ----------
    cells
        Release table ``cells``.
    located
        As `hiaim_sc.compare.samples.locate_samples` returns it.
    endpoints
        As planned; their depths are halved and doubled.
    screen
        What was stained with pMHC multimers, if anything.
    design
        Visits.
    options
        As planned.
    """
    depth, pmhc_depth = (_read_depths(endpoints, name) for name in ("nexp_m", BREADTH))
    population = next(iter(endpoints.dropna(subset="depth")["population"].dropna()), "")
    rows: list[dict[str, Any]] = []
    for variant in _list_variants(depth, pmhc_depth, population, options):
        chosen = cells if variant.select is None else variant.select(cells)
        repertoires = gather_repertoires(
            located, chosen, design, variant.options, variant.population or population
        )
        found = measure_clonal(repertoires, variant.endpoints)
        if screen is not None and BREADTH in variant.endpoints:
            stained = measure_pmhc(located, chosen, screen, population, variant.options)
            found += [row for row in stained if row["endpoint"] == BREADTH]
        rows += [{**row, "setting": variant.setting, "level": variant.level} for row in found]
    columns = [*endpoints.columns, "setting", "level"]
    return pd.DataFrame(rows).reindex(columns=columns)


def _read_depths(endpoints: pd.DataFrame, endpoint: str) -> dict[str, int]:
    known = endpoints[endpoints["endpoint"] == endpoint].dropna(subset="depth")
    return {str(k): int(m) for k, m in known.groupby("tissue")["depth"].first().items()}


def _list_variants(
    depth: Mapping[str, int],
    pmhc_depth: Mapping[str, int],
    population: str,
    options: CompareOptions,
) -> Iterator[Variant]:
    if not depth:
        return
    # the depths stay as planned when something else is varied
    fixed = options.model_copy(update={"depth": dict(depth)})
    for level, factor in (("m/2", 0.5), ("2m", 2.0)):
        depths = {
            name: {tissue: max(2, int(m * factor)) for tissue, m in planned.items()}
            for name, planned in (("depth", depth), ("pmhc_depth", pmhc_depth))
        }
        yield Variant("depth", level, _AT_DEPTH, options.model_copy(update=depths))
    yield from _list_thresholds(fixed)
    yield Variant("clones", "VDJ chain alone", _ALL, fixed, select=_by_vdj)
    yield Variant("clones", "paired cells alone", _ALL, fixed, select=_paired)
    yield Variant("T cells", "MAIT and iNKT too", _ALL, fixed, select=_with_invariant)
    if population == "CD8":
        # another population has other sizes, so it has depths of its own
        yield Variant("T cells", "CD4", _ALL, options, population="CD4")
        yield Variant("T cells", "all", _ALL, options, population="T")


def _list_thresholds(options: CompareOptions) -> Iterator[Variant]:
    """Each threshold at each other level."""
    for setting, key, levels, unit, names in (
        ("expanded from", "expanded_min_cells", (2, 3, 5), " cells", _EXPANSION),
        ("grown from", "called_min_total", (5, 8), " cells", _GROWTH | {"gain_m"}),
        ("rho", "called_rho", (0.01, 0.02, 0.05, 0.1), "", _GROWTH),
    ):
        planned = getattr(options, key)
        for level in levels:
            if level != planned:
                changed = options.model_copy(update={key: level})
                yield Variant(setting, f"{level:g}{unit}", names, changed)


def _by_vdj(cells: pd.DataFrame) -> pd.DataFrame:
    """Cells of one patient with the same VDJ chain are one clone; those without it are none."""
    # without any receptor the column holds no text at all
    parts = cells["clone_key"].astype(object).str.split("|")
    chain = parts.str[2]
    return cells.assign(clone_key=(parts.str[0] + "|" + chain).where(chain != ""))


def _paired(cells: pd.DataFrame) -> pd.DataFrame:
    return cells.assign(clone_key=cells["clone_key"].where(cells["clone_source"] == "paired"))


def _with_invariant(cells: pd.DataFrame) -> pd.DataFrame:
    # MAIT and iNKT cells are lineages of their own: here they are CD8 T cells
    is_invariant = cells["cell_type_lineage"].isin(["MAIT", "iNKT"])
    lineage = cells["cell_type_lineage"].mask(is_invariant, "CD8")
    return cells.assign(invariant="", cell_type_lineage=lineage)
