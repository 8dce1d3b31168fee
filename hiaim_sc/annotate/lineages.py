"""Within T: CD4, CD8, Treg, gd, MAIT, iNKT. Within T and NK: proliferating, CD56bright, CD56dim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import scipy.sparse as sp

# Copies beyond this in one cell say no more: it is still one cell.
_CAP = 3.0
# Counts over clone and neighbourhood below which CD4 and CD8 cannot be told apart.
_MIN_POOLED = 1.0
# CD4 messages are fewer per cell than CD8 ones, and CD8 ones leak less into CD4 cells.
_CD4_WEIGHT = 1.5
# The average neighbour counts as this many cells beside the cell's own clone.
_NEAR = 5.0
_MIN_DETECTED = 0.2
_MIN_STATE_SCORE = 0.3
_MIN_TREG_SCORE = 0.15
_MIN_MAIT_SCORE = 0.25
_GD_VARIABLE = ("TRDV1", "TRDV2", "TRGV9")


@dataclass(frozen=True)
class TcellEvidence:
    """What is known of each cell, rows in the order of the cells.

    Attributes
    ----------
    counts
        Counts of the genes of lineages, a column per symbol.
    detected
        Share of the neighbourhood in which each of these genes is detected.
    scores
        Smoothed scores of the panel's lineages and states.
    clone
        Clone number, -1 for none.
    invariant
        MAIT, iNKT or empty.
    receptor
        As in `compartments.Evidence`; ``gd`` for a gamma-delta receptor.
    """

    counts: pd.DataFrame
    detected: pd.DataFrame
    scores: pd.DataFrame
    clone: np.ndarray
    invariant: np.ndarray
    receptor: np.ndarray


def call_lineages(coarse: np.ndarray, evidence: TcellEvidence, smooth: sp.csr_matrix) -> np.ndarray:
    """Lineage of each cell: the compartment, or within T one of CD4 CD8 Treg gd MAIT iNKT.

    CD8A and CD8B counts are weighed against CD4 and CD40LG counts summed over the cell's T-cell
    neighbours and its clone, since CD4 is often not detected in a single cell; a clone is one
    lineage. MAIT and iNKT go by the receptor. Gamma-delta needs CD3 (it is a T cell already), no
    alpha-beta receptor and a gamma-delta V gene: TRDC alone is expressed by NK cells.
    """
    is_t = coarse == "T"
    lineage = coarse.astype(object).copy()
    cd8 = _pooled(evidence, ("CD8A", "CD8B"), is_t, smooth)
    cd4 = _CD4_WEIGHT * _pooled(evidence, ("CD4", "CD40LG"), is_t, smooth)
    known = is_t & (cd8 + cd4 >= _MIN_POOLED)
    lineage[known] = np.where(cd8 > cd4, "CD8", "CD4")[known]
    lineage = _one_per_clone(lineage, evidence.clone)
    is_treg = (lineage == "CD4") & (evidence.scores["Treg"].to_numpy() >= _MIN_TREG_SCORE)
    lineage[is_treg & (_share(evidence, ("FOXP3",)) >= _MIN_DETECTED)] = "Treg"
    no_receptor = is_t & (evidence.receptor == "")
    mait = no_receptor & (evidence.scores["MAIT"].to_numpy() >= _MIN_MAIT_SCORE)
    lineage[mait & (_share(evidence, ("SLC4A10",)) >= _MIN_DETECTED)] = "MAIT"
    has_gd_v = _share(evidence, _GD_VARIABLE) >= _MIN_DETECTED
    has_constant = _share(evidence, ("TRDC",)) >= _MIN_DETECTED
    lineage[no_receptor & has_gd_v & has_constant] = "gd"
    lineage[is_t & (evidence.receptor == "gd")] = "gd"
    for name in ("MAIT", "iNKT"):
        lineage[is_t & (evidence.invariant == name)] = name
    return lineage


def call_states(
    coarse: np.ndarray, fine: np.ndarray, lineage: np.ndarray, scores: pd.DataFrame
) -> np.ndarray:
    """The finest label: lineages of T, CD56bright or CD56dim NK, proliferating T or NK."""
    names = {"CD4": "CD4 T", "CD8": "CD8 T", "gd": "gd T"}
    label = fine.astype(object).copy()
    is_t, is_nk = coarse == "T", coarse == "NK"
    label[is_t] = [names.get(name, name) for name in lineage[is_t]]
    bright, dim = scores["NK CD56bright"].to_numpy(), scores["NK CD56dim"].to_numpy()
    label[is_nk] = np.where(bright > dim, "NK CD56bright", "NK CD56dim")[is_nk]
    cycling = scores["proliferating"].to_numpy() >= _MIN_STATE_SCORE
    label[is_t & cycling] = "proliferating T"
    label[is_nk & cycling] = "proliferating NK"
    return label


def _pooled(
    evidence: TcellEvidence, symbols: tuple[str, ...], is_t: np.ndarray, smooth: sp.csr_matrix
) -> np.ndarray:
    own = np.zeros(len(is_t))
    for symbol in symbols:
        if symbol in evidence.counts:
            own += evidence.counts[symbol].to_numpy()
    own = np.where(is_t, np.minimum(own, _CAP), 0.0)
    near = smooth @ own / np.maximum(smooth @ is_t.astype(float), 1e-9)
    clone = pd.Series(own).groupby(evidence.clone).transform("sum").to_numpy()
    return own + _NEAR * near + np.where(evidence.clone >= 0, clone - own, 0.0)


def _one_per_clone(lineage: np.ndarray, clone: np.ndarray) -> np.ndarray:
    table = pd.DataFrame({"clone": clone, "lineage": lineage})
    table = table[(clone >= 0) & np.isin(lineage, ("CD4", "CD8"))]
    votes = table.groupby(["clone", "lineage"]).size().reset_index(name="n")
    votes = votes.sort_values(["clone", "n", "lineage"], ascending=[True, False, True])
    winner = votes.drop_duplicates("clone").set_index("clone")["lineage"]
    decided = pd.Series(clone).map(winner).to_numpy(dtype=object)
    follows = pd.notna(decided) & np.isin(lineage, ("CD4", "CD8", "T"))
    return np.where(follows, decided, lineage).astype(object)


def _share(evidence: TcellEvidence, symbols: tuple[str, ...]) -> np.ndarray:
    found = [evidence.detected[s].to_numpy() for s in symbols if s in evidence.detected]
    if not found:
        return np.zeros(len(evidence.detected))
    return np.maximum.reduce(found)
