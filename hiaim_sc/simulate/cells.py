"""Cells of one specimen before they go into droplets: types, states, clones, size and health."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.simulate.composition import draw_composition
from hiaim_sc.simulate.expression import CellDraw
from hiaim_sc.simulate.fine_states import draw_fine_states, draw_overlap
from hiaim_sc.simulate.seeds import generator

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.simulate.cohort import Sample
    from hiaim_sc.simulate.repertoire import Repertoire
    from hiaim_sc.simulate.settings import SimulationSettings

NO_CLONE = -1
_LINEAGE_OF_TYPE = {"CD4 T": "CD4", "CD8 T": "CD8", "Treg": "Treg", "MAIT": "MAIT"}
_PROLIFERATING = "proliferating T"
_PROLIFERATING_CD8 = 0.6
_MT_MEAN = {"blood": 0.04, "tumor": 0.07}
_MT_CONCENTRATION = 60.0
_DYING_MT_MEAN, _DYING_MT_CONCENTRATION, _DYING_SIZE = 0.45, 15.0, 0.3
# (type, tissue): states of cells whose clone is naive, and of those whose clone is experienced
_STATES: dict[tuple[str, str], tuple[dict[str, float], dict[str, float]]] = {
    ("CD4 T", "blood"): ({"CD4 naive": 0.85, "CD4 memory": 0.15}, {"CD4 memory": 1.0}),
    ("CD4 T", "tumor"): (
        {"CD4 naive": 0.3, "CD4 memory": 0.7},
        {"CD4 memory": 0.6, "CD4 follicular": 0.4},
    ),
    ("CD8 T", "blood"): (
        {"CD8 naive": 0.8, "CD8 memory": 0.2},
        {"CD8 memory": 0.4, "CD8 effector": 0.6},
    ),
    ("CD8 T", "tumor"): (
        {"CD8 naive": 0.15, "CD8 memory": 0.85},
        {"CD8 memory": 0.35, "CD8 effector": 0.1, "CD8 exhausted": 0.55},
    ),
}


@dataclass(frozen=True)
class Cells:
    """Cells of one specimen; arrays have an entry per cell.

    Attributes
    ----------
    cell_type
        Fine type, in the project's words.
    lineage
        Of its clone, or empty.
    clone
        Row of its clone in the patient's repertoire, or `NO_CLONE`.
    draw
        State, size and mitochondrial share.
    is_dying
        Few counts, most of them mitochondrial.
    has_alpha, has_beta
        Whether the V(D)J library caught the chain.
    """

    cell_type: np.ndarray
    lineage: np.ndarray
    clone: np.ndarray
    draw: CellDraw
    is_dying: np.ndarray
    has_alpha: np.ndarray
    has_beta: np.ndarray

    def __len__(self) -> int:
        return len(self.cell_type)


def draw_cells(
    settings: SimulationSettings,
    specimen: Sample,
    repertoire: Repertoire,
    states: pd.DataFrame,
    n_cells: int,
) -> Cells:
    """Cells of a specimen, in random order.

    Parameters
    ----------
    settings
        Sizes, capture and health.
    specimen
        What they are taken from.
    repertoire
        Of the specimen's patient.
    states
        The transcriptome's states.
    n_cells
        How many.
    """
    rng = generator(settings.seed, "cells", *specimen.key)
    shares = draw_composition(settings, specimen)
    cell_type = shares.index.to_numpy(dtype=str)[rng.choice(len(shares), n_cells, p=shares)]
    lineage = _draw_lineage(cell_type, rng)
    frequency = repertoire.frequency[specimen.tissue, specimen.visit]
    clone = _draw_clones(lineage, repertoire.lineage, frequency, rng)
    is_experienced = repertoire.is_experienced[clone] & (clone != NO_CLONE)
    if settings.fine_states:
        state = draw_fine_states(
            _find_sources(cell_type, lineage), is_experienced, specimen.tissue, states, rng
        )
    else:
        state = _draw_states(cell_type, lineage, is_experienced, specimen.tissue, rng)
    code = states.index.get_indexer(state)
    is_dying = rng.random(n_cells) < settings.dying_share
    size = settings.counts_per_cell * np.exp(
        rng.normal(0, settings.library_spread) + rng.normal(0, settings.counts_spread, n_cells)
    )
    has_alpha, has_beta = _capture(settings, size * ~is_dying + size * is_dying * _DYING_SIZE, rng)
    other, toward = draw_overlap(
        settings, states, code, generator(settings.seed, "overlap", *specimen.key)
    )
    return Cells(
        cell_type=states["cell_type"].to_numpy(dtype=str)[code],
        lineage=lineage,
        clone=clone,
        draw=CellDraw(
            state=code,
            size=size
            * states["rna_content"].to_numpy()[code]
            * np.where(is_dying, _DYING_SIZE, 1.0),
            mt_share=_draw_mt_share(is_dying, _MT_MEAN[specimen.tissue], rng),
            other=other,
            toward=toward,
        ),
        is_dying=is_dying,
        has_alpha=has_alpha & (clone != NO_CLONE),
        has_beta=has_beta & (clone != NO_CLONE),
    )


def _draw_lineage(cell_type: np.ndarray, rng: np.random.Generator) -> np.ndarray:
    lineage = np.full(len(cell_type), "", dtype="U4")
    for of_type, name in _LINEAGE_OF_TYPE.items():
        lineage[cell_type == of_type] = name
    proliferating = cell_type == _PROLIFERATING
    is_cd8 = rng.random(len(cell_type)) < _PROLIFERATING_CD8
    lineage[proliferating] = np.where(is_cd8, "CD8", "CD4")[proliferating]
    return lineage


def _draw_clones(
    lineage: np.ndarray,
    lineage_of_clone: np.ndarray,
    frequency: np.ndarray,
    rng: np.random.Generator,
) -> np.ndarray:
    clone = np.full(len(lineage), NO_CLONE)
    for name in np.unique(lineage[lineage != ""]):
        cells, clones = np.flatnonzero(lineage == name), np.flatnonzero(lineage_of_clone == name)
        clone[cells] = rng.choice(clones, size=len(cells), p=frequency[clones])
    return clone


def _find_sources(cell_type: np.ndarray, lineage: np.ndarray) -> np.ndarray:
    """What a cell's state is drawn by: its type, for proliferating T cells also the lineage."""
    source = cell_type.astype(object)
    proliferating = cell_type == _PROLIFERATING
    source[proliferating] = np.strings.add(lineage[proliferating], " proliferating")
    return source


def _draw_states(
    cell_type: np.ndarray,
    lineage: np.ndarray,
    is_experienced: np.ndarray,
    tissue: str,
    rng: np.random.Generator,
) -> np.ndarray:
    state = _find_sources(cell_type, lineage)
    for (of_type, of_tissue), by_experience in _STATES.items():
        for experience, chances in enumerate(by_experience):
            here = (cell_type == of_type) & (is_experienced == bool(experience))
            if of_tissue == tissue:
                state[here] = rng.choice(list(chances), int(here.sum()), p=list(chances.values()))
    return state


def _capture(
    settings: SimulationSettings, size: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray, np.ndarray]:
    """Whether alpha and beta are caught, less often in small cells.

    The odds of catching none fall with the square root of a cell's size.
    """
    both, beta, alpha = settings.capture
    none = 1 - both - beta - alpha
    weight = none * np.sqrt(np.median(size) / size)
    is_caught = rng.random(len(size)) >= weight / (weight + 1 - none)
    which = rng.random(len(size)) * (both + beta + alpha)
    return is_caught & ((which < both) | (which >= both + beta)), is_caught & (which < both + beta)


def _draw_mt_share(
    is_dying: np.ndarray, healthy_mean: float, rng: np.random.Generator
) -> np.ndarray:
    mean = np.where(is_dying, _DYING_MT_MEAN, healthy_mean)
    concentration = np.where(is_dying, _DYING_MT_CONCENTRATION, _MT_CONCENTRATION)
    return rng.beta(mean * concentration, (1 - mean) * concentration)
