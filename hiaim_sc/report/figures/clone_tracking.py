"""The largest clones of each patient over visits and tissues."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.report.canvas import empty_figure, new_figure, styled
from hiaim_sc.report.formats import format_count
from hiaim_sc.report.labels import capitalise, label_visit
from hiaim_sc.report.palette import CYCLE, MUTED

if TYPE_CHECKING:
    from collections.abc import Sequence

    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

_PATIENTS_PER_PAGE: Final = 12
_COLUMNS: Final = 6
_TOP: Final = 8
_BAR: Final = 0.2
# a band leaves and reaches its bars level: the smooth step 3t^2 - 2t^3
_STEPS: Final = np.linspace(0, 1, 15)
_EASED: Final = _STEPS**2 * (3 - 2 * _STEPS)
_KEYS: Final = ["patient_id", "tissue", "visit"]


def tabulate_frequencies(clones: pd.DataFrame) -> pd.DataFrame:
    """Share of each clone per patient, tissue and visit, in cells at rest that pass QC.

    Columns ``patient_id tissue visit clone_key n_cells depth share``; `depth` is the number of such
    cells with a clone in that patient, tissue and visit, so that shares add up to 1.
    """
    found = clones[(clones["session_phase"] == "rest") & (clones["n_cells_qc"] > 0)]
    table = found.groupby([*_KEYS, "clone_key"], as_index=False)["n_cells_qc"].sum()
    table = table.rename(columns={"n_cells_qc": "n_cells"})
    depth = table.groupby(_KEYS)["n_cells"].transform("sum")
    return table.assign(depth=depth, share=table["n_cells"] / depth)


def page_patients(clones: pd.DataFrame) -> list[list[str]]:
    """Patients with such cells, sorted, twelve to a page; one empty page where there are none."""
    patients = sorted(tabulate_frequencies(clones)["patient_id"].unique())
    pages = [list(page) for page in itertools.batched(patients, _PATIENTS_PER_PAGE)]
    return pages or [[]]


@styled
def clone_tracking(
    clones: pd.DataFrame, patients: Sequence[str], *, tissues: Sequence[str], visits: Sequence[str]
) -> Figure:
    """Top eight clones per patient as stacked shares, joined from visit to visit.

    Within a patient a clone has one colour in all tissues and at all visits, the largest of all the
    first one; colours mean nothing across patients.

    Parameters
    ----------
    clones
        Release table `clones`; samples at rest are drawn.
    patients
        Those of the page.
    tissues, visits
        In the design's order.
    """
    table = tabulate_frequencies(clones)
    if table.empty or not patients:
        return empty_figure("No cell has a clone.")
    n_blocks = -(-len(patients) // _COLUMNS)
    n_columns = -(-len(patients) // n_blocks)
    n_rows = n_blocks * len(tissues)
    figure = new_figure(height=1.0 + 1.75 * n_rows, width=max(4.5, 1.65 * n_columns + 0.6))
    panels = figure.subplots(n_rows, n_columns, sharey="row", squeeze=False)
    for i in range(n_blocks * n_columns):
        block, column = divmod(i, n_columns)
        for j, tissue in enumerate(tissues):
            axes = panels[block * len(tissues) + j, column]
            if i >= len(patients):
                axes.remove()
                continue
            _draw_panel(axes, table[table["patient_id"] == patients[i]], tissue, visits)
            axes.set_title(patients[i] if j == 0 else "", fontsize=9)
            axes.set_ylabel(f"{capitalise(tissue)}\nshare (%)" if column == 0 else "")
    figure.suptitle(
        f"Largest clones, % of cells with a clone{_of_how_many(table, patients)}",
        x=0.01,
        ha="left",
        weight="bold",
        fontsize=10,
    )
    return figure


def _of_how_many(table: pd.DataFrame, patients: Sequence[str]) -> str:
    n_all = table["patient_id"].nunique()
    if len(patients) == n_all:
        return ""
    return f"; {patients[0]} to {patients[-1]}, {len(patients)} of {n_all} patients"


def _draw_panel(axes: Axes, patient: pd.DataFrame, tissue: str, visits: Sequence[str]) -> None:
    top = _top_clones(patient)
    found = patient[patient["tissue"] == tissue]
    shares = found.pivot_table(index="clone_key", columns="visit", values="share", observed=True)
    shares = 100 * shares.reindex(index=top, columns=list(visits)).astype(float)
    depths = found.groupby("visit")["depth"].first().reindex(list(visits))
    present = [i for i, visit in enumerate(visits) if pd.notna(depths[visit])]
    values = shares.fillna(0.0).to_numpy()
    starts = np.cumsum(values, axis=0) - values
    for k, _ in enumerate(top):
        colour = CYCLE[k % len(CYCLE)]
        axes.bar(
            present, values[k, present], bottom=starts[k, present], width=_BAR * 2, color=colour
        )
        for left, right in itertools.pairwise(present):
            _join(axes, (left, right), values[k], starts[k], colour)
    notes = [f"n = {format_count(n)}" if pd.notna(n) else "no cells" for n in depths]
    names = [f"{label_visit(visit)}\n{note}" for visit, note in zip(visits, notes, strict=True)]
    axes.set_xticks(range(len(visits)), names, fontsize=7, color=MUTED)
    axes.set_xlim(-0.5, len(visits) - 0.5)
    axes.tick_params(axis="x", length=0)


def _join(
    axes: Axes, ends: tuple[int, int], values: np.ndarray, starts: np.ndarray, colour: str
) -> None:
    """The band of one clone between two bars."""
    left, right = ends
    if values[left] == 0 and values[right] == 0:
        return
    x = left + _BAR + (right - left - 2 * _BAR) * _STEPS
    low = starts[left] + (starts[right] - starts[left]) * _EASED
    height = values[left] + (values[right] - values[left]) * _EASED
    axes.fill_between(x, low, low + height, color=colour, alpha=0.4, linewidth=0)


def _top_clones(patient: pd.DataFrame) -> list[str]:
    """The clones with the largest share in any tissue and visit, ties by key; two cells or more."""
    candidates = patient[patient["n_cells"] >= 2]
    largest = candidates.groupby("clone_key")["share"].max().reset_index()
    largest = largest.sort_values(["share", "clone_key"], ascending=[False, True])
    return list(largest["clone_key"][:_TOP])
