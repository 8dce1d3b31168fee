"""Which cells a specimen holds: true shares of the cell types, with the planted NK effect."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.names import COARSE_OF_CELL_TYPE
from hiaim_sc.simulate.reference import reference_table
from hiaim_sc.simulate.seeds import generator

if TYPE_CHECKING:
    from hiaim_sc.simulate.cohort import Sample
    from hiaim_sc.simulate.settings import SimulationSettings

# Dirichlet concentration over patients: blood varies less than biopsies.
_CONCENTRATION = {"blood": 60.0, "tumor": 15.0}
_CONCENTRATION_WITHIN = 120.0  # cell types within their compartment
_VISIT_FACTOR = 3.0  # visits of a patient vary less than patients
_LEAST_SHARE = 1e-4


def draw_composition(settings: SimulationSettings, sample: Sample) -> pd.Series:
    """True share of each cell type in a specimen, adding up to 1.

    Compartments are Dirichlet around the tissue's mean for a patient, and a visit's again around
    the patient's; so are the cell types within a compartment. In a treated patient's blood the NK
    cells are multiplied by ``exp(nk_effect)`` after the baseline, unless the cohort is null.
    """
    table = reference_table("composition").set_index("cell_type")[sample.tissue]
    mean = table[table > 0] / table.sum()
    concentration = _CONCENTRATION[sample.tissue]
    patient, tissue, visit = sample.key
    own = _vary(mean, concentration, generator(settings.seed, "composition", patient, tissue))
    rng = generator(settings.seed, "composition at visit", patient, tissue, visit)
    shares = _vary(own, concentration * _VISIT_FACTOR, rng)
    if is_affected(settings, sample) and sample.tissue == "blood":
        is_nk = shares.index.map(COARSE_OF_CELL_TYPE) == "NK"
        shares = shares.where(~is_nk, shares * np.exp(settings.nk_effect))
    return shares / shares.sum()


def is_affected(settings: SimulationSettings, sample: Sample) -> bool:
    """Whether the arm's effect is planted in this specimen."""
    return not settings.null and sample.patient.is_treated and sample.visit_number > 0


def compartment_shares(shares: pd.Series) -> pd.Series:
    """Share of each compartment, from shares of cell types."""
    return shares.groupby(shares.index.map(COARSE_OF_CELL_TYPE)).sum()


def _vary(mean: pd.Series, concentration: float, rng: np.random.Generator) -> pd.Series:
    shares = mean.to_numpy(dtype=float)
    compartment = np.array([COARSE_OF_CELL_TYPE[name] for name in mean.index])
    names, code = np.unique(compartment, return_inverse=True)
    totals = np.bincount(code, shares)
    drawn = _dirichlet(totals, concentration, rng)
    varied = np.empty_like(shares)
    for i in range(len(names)):
        members = code == i
        within = _dirichlet(shares[members] / totals[i], _CONCENTRATION_WITHIN, rng)
        varied[members] = drawn[i] * within
    return pd.Series(varied / varied.sum(), index=mean.index)


def _dirichlet(mean: np.ndarray, concentration: float, rng: np.random.Generator) -> np.ndarray:
    drawn = np.maximum(rng.dirichlet(mean * concentration), _LEAST_SHARE)
    return drawn / drawn.sum()
