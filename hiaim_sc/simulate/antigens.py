"""pMHC multimers: the panel, and the counts of their DNA barcodes in cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy import sparse

from hiaim_sc.simulate.reference import reference_table

if TYPE_CHECKING:
    from hiaim_sc.simulate.settings import SimulationSettings

_STICKY_FOLD = 10.0
_SIGNAL_DISPERSION = 0.5
# Together they give the background of each dna_barcode the dispersion (1 + 0.6)(1 + 0.25) - 1 = 1;
# most of it is the cell's, so that a cell that stains with one multimer stains with all, controls
# too.
_CELL_DISPERSION, _BACKGROUND_DISPERSION = 0.6, 0.25


def antigen_panel(settings: SimulationSettings) -> pd.DataFrame:
    """Table `dna_barcode peptide hla gene organism is_control`, negative controls last."""
    table = reference_table("antigens")
    is_control = table["is_control"].astype(str).str.lower() == "true"
    antigens = table[~is_control].head(settings.n_antigens)
    controls = table[is_control].head(settings.n_controls if settings.n_antigens else 0)
    panel = pd.concat([antigens, controls], ignore_index=True)
    panel["is_control"] = np.arange(len(panel)) >= len(antigens)
    allele = panel["hla"].str.replace(r"[*:]", "", regex=True)
    suffix = np.where(panel["is_control"], "_NC", "")
    panel.insert(0, "dna_barcode", allele + "_" + panel["peptide"] + suffix)
    return panel


def draw_antigen_counts(
    settings: SimulationSettings,
    panel: pd.DataFrame,
    antigen: np.ndarray,
    rng: np.random.Generator,
) -> sparse.csr_matrix:
    """Counts of each DNA barcode in each cell, cells x antigens, int32.

    Overdispersed background in every cell, correlated over antigens and ten-fold in sticky cells,
    and on top a negative binomial signal where the cell's clone recognises the antigen.

    Parameters
    ----------
    settings
        Means and the share of sticky cells.
    panel
        Columns of the result.
    antigen
        (cells,) `dna_barcode` recognised, or empty.
    rng
        Source of chance.
    """
    is_sticky = rng.random(len(antigen)) < settings.sticky_share
    staining = _CELL_DISPERSION * rng.standard_gamma(1 / _CELL_DISPERSION, len(antigen))
    mean = settings.antigen_background * staining * np.where(is_sticky, _STICKY_FOLD, 1.0)
    shape = (len(antigen), len(panel))
    counts = _draw_nb(np.broadcast_to(mean[:, None], shape), _BACKGROUND_DISPERSION, rng)
    is_specific = antigen[:, None] == panel["dna_barcode"].to_numpy()[None, :]
    signal = np.full(int(is_specific.sum()), settings.antigen_signal)
    counts[is_specific] += _draw_nb(signal, _SIGNAL_DISPERSION, rng)
    return sparse.csr_matrix(counts.astype(np.int32))


def _draw_nb(mean: np.ndarray, dispersion: float, rng: np.random.Generator) -> np.ndarray:
    """Counts with variance ``mean + dispersion mean^2``."""
    return rng.poisson(mean * dispersion * rng.standard_gamma(1 / dispersion, size=mean.shape))
