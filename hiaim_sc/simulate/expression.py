"""Counts of the cells of one library, drawn from what their states express."""

from __future__ import annotations

import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

from hiaim_sc.simulate.seeds import generator

if TYPE_CHECKING:
    from hiaim_sc.simulate.cohort import LibraryPlan
    from hiaim_sc.simulate.settings import SimulationSettings
    from hiaim_sc.simulate.transcriptome import Transcriptome

_MAX_AMBIENT = 0.5
_AMBIENT_CONCENTRATION = 40.0
_STRESS_FOLD = {"blood": 1.0, "tumor": 3.0}
_CHUNK = 2_000_000  # values drawn at once


@dataclass(frozen=True)
class CellDraw:
    """What the counts of cells depend on; an entry per cell.

    Attributes
    ----------
    state
        Row of the transcriptome's states.
    size
        Expected counts.
    mt_share
        Expected share of mitochondrial counts.
    other, toward
        Row of another state, and how far the cell is on the way to it, from 0; None where no cell
        is.
    """

    state: np.ndarray
    size: np.ndarray
    mt_share: np.ndarray
    other: np.ndarray | None = None
    toward: np.ndarray | None = None

    def profiles_of(self, part: slice, profiles: np.ndarray) -> np.ndarray:
        """(cells, genes) what these cells express, given what states do."""
        own = profiles[self.state[part]]
        if self.other is None or self.toward is None:
            return own
        toward = self.toward[part, None]
        return own * (1 - toward) + profiles[self.other[part]] * toward


def library_profiles(
    settings: SimulationSettings, transcriptome: Transcriptome, library: LibraryPlan
) -> np.ndarray:
    """(states, genes) shares of a cell's non-mitochondrial counts in this library; rows add to 1.

    The patient's sex genes, a log-normal effect of the patient and one of the batch on each gene,
    larger differences between patients in epithelial cells, and stress in biopsies.
    """
    patient = library.specimen.patient
    n_genes = len(transcriptome.genes)
    rng = generator(settings.seed, "patient effect", patient.number)
    log_effect = rng.normal(0, settings.patient_spread, n_genes)
    of_tumour = rng.normal(0, settings.tumour_spread, n_genes)
    batch = zlib.crc32(library.sample.patient.batch.encode())
    batch_rng = generator(settings.seed, "batch effect", batch)
    log_effect += batch_rng.normal(0, settings.batch_spread, n_genes)
    levels = transcriptome.levels + transcriptome.of_sex[patient.sex]
    levels *= np.exp(log_effect)
    levels[:, transcriptome.is_stress] *= _STRESS_FOLD[library.specimen.tissue]
    is_tumour = (transcriptome.states["cell_type"] == "epithelial").to_numpy()
    levels[is_tumour] *= np.exp(of_tumour)
    return levels / levels.sum(axis=1, keepdims=True)


def draw_ambient_share(mean: float, rng: np.random.Generator) -> float:
    """Share of ambient counts in a library: Beta around the mean, at most 0.5."""
    if mean in (0.0, 1.0):
        return min(mean, _MAX_AMBIENT)
    share = rng.beta(mean * _AMBIENT_CONCENTRATION, (1 - mean) * _AMBIENT_CONCENTRATION)
    return min(float(share), _MAX_AMBIENT)


def mean_profile(profiles: np.ndarray, mitochondrial: np.ndarray, cells: CellDraw) -> np.ndarray:
    """Share of each gene in the counts of all cells together: the ambient RNA. (genes,)."""
    weights = np.zeros(len(profiles))
    np.add.at(weights, cells.state, cells.size * (1 - cells.mt_share))
    # no matrix product: its last digit depends on the machine, and with it a count now and then
    soup = (weights[:, None] * profiles).sum(axis=0)
    soup += (cells.size * cells.mt_share).sum() * mitochondrial
    return soup / soup.sum()


def draw_counts(
    profiles: np.ndarray,
    mitochondrial: np.ndarray,
    cells: CellDraw,
    *,
    ambient_share: float,
    dispersion: float,
    rng: np.random.Generator,
) -> sparse.csr_matrix:
    """Negative binomial counts, cells x genes, int32.

    A cell's own counts have mean ``(1 - a) s ((1 - f) profile + f mitochondrial)`` and the given
    dispersion; ambient counts are Poisson around ``a s`` times the library's mean profile, with
    `s` the size, `f` the mitochondrial share and `a` the ambient share.
    """
    soup = mean_profile(profiles, mitochondrial, cells)
    step = max(1, _CHUNK // profiles.shape[1])
    blocks = []
    for start in range(0, len(cells.state), step):
        part = slice(start, start + step)
        size, mt = cells.size[part, None], cells.mt_share[part, None]
        mean = cells.profiles_of(part, profiles)
        mean *= (1 - ambient_share) * size * (1 - mt)
        mean += (1 - ambient_share) * size * mt * mitochondrial
        mean *= rng.standard_gamma(1 / dispersion, size=mean.shape)
        mean *= dispersion
        mean += ambient_share * size * soup
        blocks.append(sparse.csr_matrix(rng.poisson(mean).astype(np.int32)))
    return sparse.vstack(blocks, format="csr")
