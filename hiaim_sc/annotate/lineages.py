"""Within T: CD4, CD8, Treg, gd, MAIT, iNKT. Within T and NK: proliferating, CD56bright, CD56dim."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    import scipy.sparse as sp

# Votes over cell, clone and neighbourhood: fewer do not tell CD4 and CD8 apart.
_MIN_POOLED = 0.5
# Lead of one over the other, as share of both together: five to three.
_MIN_LEAD = 0.25
# CD4 messages are fewer than CD8 ones: more CD4 cells show none and have no vote.
_CD4_WEIGHT = 1.5
# The average neighbour counts as this many cells beside the cell's own clone.
_NEAR = 5.0
_MIN_DETECTED = 0.2
_MIN_STATE_SCORE = 0.3
_MIN_TREG_SCORE = 0.15
_MIN_MAIT_SCORE = 0.25
_GD_VARIABLE = ("TRDV1", "TRDV2", "TRGV9")
_CYCLE = ("MKI67", "TOP2A")


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

    Every T cell has one vote, which its copies of CD8A and CD8B and of CD4 and CD40LG share, so
    that neither depth nor the more abundant CD8 decides. Votes are pooled over the cell itself, its
    clone and its T-cell neighbours, since CD4 is often not detected in a single cell; without a
    lead of one over the other the lineage is just T. A clone is one lineage. MAIT and iNKT go by
    the receptor. Gamma-delta needs CD3 (it is a T cell already), no alpha-beta receptor and a
    gamma-delta V gene: TRDC alone is expressed by NK cells.
    """
    is_t = coarse == "T"
    lineage = coarse.astype(object).copy()
    copies8, copies4 = _copies(evidence, ("CD8A", "CD8B")), _copies(evidence, ("CD4", "CD40LG"))
    one = np.maximum(copies8 + copies4, 1.0)
    cd8 = _pool(is_t * copies8 / one, evidence.clone, is_t, smooth)
    cd4 = _CD4_WEIGHT * _pool(is_t * copies4 / one, evidence.clone, is_t, smooth)
    both = cd8 + cd4
    known = is_t & (both >= _MIN_POOLED) & (np.abs(cd8 - cd4) >= _MIN_LEAD * both)
    lineage[known] = np.where(cd8 > cd4, "CD8", "CD4")[known]
    lineage = _one_per_clone(lineage, evidence.clone)
    is_treg = (lineage == "CD4") & (_score(evidence.scores, "Treg") >= _MIN_TREG_SCORE)
    lineage[is_treg & (_share(evidence, ("FOXP3",)) >= _MIN_DETECTED)] = "Treg"
    no_receptor = is_t & np.isin(evidence.receptor, ("", "gd chain"))
    mait = no_receptor & (_score(evidence.scores, "MAIT") >= _MIN_MAIT_SCORE)
    lineage[mait & (_share(evidence, ("SLC4A10",)) >= _MIN_DETECTED)] = "MAIT"
    has_gd_v = _share(evidence, _GD_VARIABLE) >= _MIN_DETECTED
    has_constant = _share(evidence, ("TRDC",)) >= _MIN_DETECTED
    lineage[no_receptor & has_gd_v & has_constant] = "gd"
    lineage[is_t & (evidence.receptor == "gd")] = "gd"
    for name in ("MAIT", "iNKT"):
        lineage[is_t & (evidence.invariant == name)] = name
    return lineage


def call_states(
    coarse: np.ndarray, fine: np.ndarray, lineage: np.ndarray, evidence: TcellEvidence
) -> np.ndarray:
    """The finest label: lineages of T, CD56bright or CD56dim NK, proliferating T or NK.

    Proliferating needs MKI67 or TOP2A, which only cycling cells have, beside the score: what else
    the panel has for it (STMN1, PCNA) resting T and NK cells have too.
    """
    scores = evidence.scores
    names = {"CD4": "CD4 T", "CD8": "CD8 T", "gd": "gd T"}
    label = fine.astype(object).copy()
    is_t, is_nk = coarse == "T", coarse == "NK"
    label[is_t] = [names.get(name, name) for name in lineage[is_t]]
    bright, dim = _score(scores, "NK CD56bright"), _score(scores, "NK CD56dim")
    label[is_nk] = np.where(bright > dim, "NK CD56bright", "NK CD56dim")[is_nk]
    has_cycle_gene = _share(evidence, _CYCLE) >= _MIN_DETECTED
    cycling = has_cycle_gene & (_score(scores, "proliferating") >= _MIN_STATE_SCORE)
    label[is_t & cycling] = "proliferating T"
    label[is_nk & cycling] = "proliferating NK"
    return label


def _score(scores: pd.DataFrame, name: str) -> np.ndarray:
    """Scores of a cell type, 0 where the panel has none."""
    return scores[name].to_numpy() if name in scores else np.zeros(len(scores))


def _copies(evidence: TcellEvidence, symbols: tuple[str, ...]) -> np.ndarray:
    present = [symbol for symbol in symbols if symbol in evidence.counts]
    return evidence.counts[present].sum(axis=1).to_numpy(dtype=float)


def _pool(
    votes: np.ndarray, clone: np.ndarray, is_t: np.ndarray, smooth: sp.csr_matrix
) -> np.ndarray:
    """Votes of the cell itself, the rest of its clone and, on average, its T-cell neighbours."""
    near = smooth @ votes / np.maximum(smooth @ is_t.astype(float), 1e-9)
    of_clone = pd.Series(votes).groupby(clone).transform("sum").to_numpy()
    return votes + _NEAR * near + np.where(clone >= 0, of_clone - votes, 0.0)


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
