"""Fine states of T, NK and innate lymphoid cells, and cells between two of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.simulate.settings import SimulationSettings

_MAX_TOWARD = 0.5  # beyond, the cell would be of the other state


def draw_fine_states(
    source: np.ndarray,
    is_experienced: np.ndarray,
    tissue: str,
    states: pd.DataFrame,
    rng: np.random.Generator,
) -> np.ndarray:
    """State of each cell; a cell that no fine state comes from keeps its source as state.

    Parameters
    ----------
    source
        Cell type, or lineage and ``proliferating``.
    is_experienced
        Whether the cell's clone has left the naive state.
    tissue
        Where it is taken from.
    states
        With ``source`` and ``<tissue>_naive``, ``<tissue>_experienced``: share of each state.
    rng
        Draws.
    """
    state = source.astype(object).copy()
    for name, table in states[states["source"] != ""].groupby("source", sort=True):
        for experience in (False, True):
            here = np.flatnonzero((source == name) & (is_experienced == experience))
            chance = table[f"{tissue}_{'experienced' if experience else 'naive'}"].to_numpy()
            state[here] = rng.choice(table.index.to_numpy(dtype=object), len(here), p=chance)
    return state


def draw_overlap(
    settings: SimulationSettings, states: pd.DataFrame, code: np.ndarray, rng: np.random.Generator
) -> tuple[np.ndarray | None, np.ndarray | None]:
    """Row of the state that a cell is on the way to, and how far it is, uniform from 0 to 0.5.

    The other is a state of the same source. Both are None without `state_overlap`.
    """
    if not (settings.fine_states and settings.state_overlap):
        return None, None
    source = states["source"].to_numpy(dtype=object)
    other = code.copy()
    for name in sorted(set(source[code]) - {""}):
        rows = np.flatnonzero(source == name)
        here = np.flatnonzero(source[code] == name)
        other[here] = rng.choice(rows, len(here))
    is_between = rng.random(len(code)) < settings.state_overlap
    return other, np.where(is_between, rng.uniform(0, _MAX_TOWARD, len(code)), 0.0)
