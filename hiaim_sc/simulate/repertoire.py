"""A patient's clones: how frequent each is at each visit in each tissue, and which are planted."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.simulate.antigens import antigen_panel
from hiaim_sc.simulate.receptors import Receptors, draw_receptors
from hiaim_sc.simulate.seeds import generator

if TYPE_CHECKING:
    from hiaim_sc.simulate.cohort import Patient
    from hiaim_sc.simulate.settings import SimulationSettings

LINEAGES = ("CD4", "CD8", "Treg", "MAIT")
_BREADTH = {"CD4": 1.0, "CD8": 1.0, "Treg": 0.25, "MAIT": 0.02}  # clones, per n_clone_ranks
_FURTHER_TISSUE = 0.25  # ranks in a further tissue, per rank in the first
_SPECIFIC_RANKS = (5, 500)
_MAX_CLONES_PER_ANTIGEN = 3


@dataclass(frozen=True)
class Repertoire:
    """Clones of one patient; arrays have an entry per clone.

    Attributes
    ----------
    patient
        Whose.
    lineage
        One of `LINEAGES`.
    rank
        Rank in the first tissue where the clone lives, from 1.
    planted_fold
        What multiplies its frequency after the baseline; 1 where nothing is planted.
    antigen
        `dna_barcode` of what it recognises, or empty.
    is_experienced
        Whether its cells have left the naive state; large clones rather.
    frequency
        (tissue, visit): frequency among the clones of the lineage; 0 where it does not live.
    receptors
        Its chains.
    """

    patient: Patient
    lineage: np.ndarray
    rank: np.ndarray
    planted_fold: np.ndarray
    antigen: np.ndarray
    is_experienced: np.ndarray
    frequency: dict[tuple[str, str], np.ndarray]
    receptors: Receptors

    def keys(self, clones: np.ndarray) -> np.ndarray:
        """`clone_key` of clones given by their rows."""
        return self.receptors.keys(self.patient.patient_id, clones)


def draw_repertoire(settings: SimulationSettings, patient: Patient) -> Repertoire:
    """All clones of a patient.

    In each tissue frequencies follow a power law over ranks. They drift between visits: the log of
    the ratio of two visits has SD `clone_drift`. Planted clones are CD8, of ranks drawn
    log-uniformly, and are multiplied in every tissue where they live.
    """
    rng = generator(settings.seed, "repertoire", patient.number)
    ranks = [_draw_ranks(settings, lineage, rng) for lineage in LINEAGES]
    code = np.repeat(np.arange(len(LINEAGES)), [len(table) for table in ranks])
    in_tissue = np.vstack(ranks)
    rank = np.where(in_tissue[:, 0] > 0, in_tissue[:, 0], in_tissue.max(axis=1))
    rank_cd8 = np.where(code == LINEAGES.index("CD8"), in_tissue[:, 0], 0)
    fold = _plant(settings, patient, rank_cd8)
    exponent = _draw_exponents(settings, rng)[code]
    is_experienced = rng.random(len(code)) < np.clip(1.1 - np.log10(rank) / 4.5, 0.05, 0.98)
    return Repertoire(
        patient=patient,
        lineage=np.array(LINEAGES)[code],
        rank=rank,
        planted_fold=fold,
        antigen=_assign_antigens(settings, patient, rank_cd8),
        is_experienced=is_experienced,
        frequency={
            (tissue, visit): _draw_frequency(
                in_tissue[:, t],
                exponent,
                code,
                drift=settings.clone_drift,
                fold=fold if v else None,
                rng=generator(settings.seed, "drift", patient.number, t, v),
            )
            for t, tissue in enumerate(settings.tissues)
            for v, visit in enumerate(settings.visits)
        },
        receptors=draw_receptors(settings, code == LINEAGES.index("MAIT"), rng),
    )


def _draw_ranks(settings: SimulationSettings, lineage: str, rng: np.random.Generator) -> np.ndarray:
    """(clones, tissues) rank of each clone in each tissue, 0 where it does not live.

    Of the clones of a further tissue, `shared_clones` also live in the first, large ones rather.
    """
    n_first = max(10, round(settings.n_clone_ranks * _BREADTH[lineage]))
    columns = [np.arange(1, n_first + 1)]
    for _ in settings.tissues[1:]:
        n_here = max(10, round(n_first * _FURTHER_TISSUE))
        is_shared = rng.random(n_here) < settings.shared_clones
        shared = _draw_log_uniform(1, n_first, int(is_shared.sum()), rng) - 1
        own = len(columns[0]) + np.arange(n_here - len(shared))
        column = np.zeros(len(columns[0]) + len(own), dtype=int)
        column[shared] = np.flatnonzero(is_shared) + 1
        column[own] = np.flatnonzero(~is_shared) + 1
        columns = [np.pad(c, (0, len(own))) for c in columns] + [column]
    return np.column_stack(columns)


def _draw_exponents(settings: SimulationSettings, rng: np.random.Generator) -> np.ndarray:
    mean = {"CD8": settings.clone_exponent, "MAIT": settings.clone_exponent}
    centres = [mean.get(lineage, settings.clone_exponent_cd4) for lineage in LINEAGES]
    return np.maximum(rng.normal(centres, settings.clone_exponent_spread), 0.0)


def _draw_frequency(
    rank: np.ndarray,
    exponent: np.ndarray,
    code: np.ndarray,
    *,
    drift: float,
    fold: np.ndarray | None,
    rng: np.random.Generator,
) -> np.ndarray:
    # two visits, each with half of the variance: their ratio has all of it
    noise = rng.normal(0, drift / np.sqrt(2), len(rank))
    weight = np.where(rank > 0, np.maximum(rank, 1.0) ** -exponent * np.exp(noise), 0.0)
    if fold is not None:
        weight = weight * fold
    return weight / np.bincount(code, weight)[code]


def _plant(settings: SimulationSettings, patient: Patient, rank_cd8: np.ndarray) -> np.ndarray:
    fold = np.ones(len(rank_cd8))
    if settings.null or not patient.is_treated:
        return fold
    rng = generator(settings.seed, "planted clones", patient.number)
    chosen = _draw_log_uniform(*settings.planted_ranks, settings.n_planted_clones, rng)
    fold[np.isin(rank_cd8, chosen)] = settings.effect_fold
    return fold


def _assign_antigens(
    settings: SimulationSettings, patient: Patient, rank_cd8: np.ndarray
) -> np.ndarray:
    """A few clones each for the antigens that the patient's HLA can present."""
    antigen = np.full(len(rank_cd8), "", dtype=object)
    panel = antigen_panel(settings)
    matched = panel[~panel["is_control"] & panel["hla"].isin(patient.hla)]
    rng = generator(settings.seed, "specific clones", patient.number)
    n_clones = rng.integers(1, _MAX_CLONES_PER_ANTIGEN + 1, len(matched))
    first, last = _SPECIFIC_RANKS
    chosen = _draw_log_uniform(first, min(last, settings.n_clone_ranks), int(n_clones.sum()), rng)
    row_of_rank = np.zeros(rank_cd8.max() + 1, dtype=int)
    row_of_rank[rank_cd8] = np.arange(len(rank_cd8))
    antigen[row_of_rank[chosen]] = np.repeat(matched["dna_barcode"].to_numpy(), n_clones)
    return antigen


def _draw_log_uniform(first: int, last: int, n_drawn: int, rng: np.random.Generator) -> np.ndarray:
    """Different whole numbers from `first` to `last`, each with weight ``1 / number``."""
    numbers = np.arange(first, last + 1)
    return rng.choice(numbers, size=n_drawn, replace=False, p=(1 / numbers) / (1 / numbers).sum())
