"""Which compartment a cell is of: T, NK, B, plasma, myeloid, epithelial, stroma or other."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.names import COARSE_OF_CELL_TYPE

if TYPE_CHECKING:
    import scipy.sparse as sp

    from hiaim_sc.config import AnnotateOptions

AMBIGUOUS, UNASSIGNED = "ambiguous", "unassigned"
_UNCLEAR = (AMBIGUOUS, UNASSIGNED)
_LYMPHOID = ("T", "NK")
_FULL_RECEPTORS = ("pair", "gd")
_ORPHAN_CHAINS = ("chain", "gd chain")


@dataclass(frozen=True)
class Evidence:
    """What is known of each cell, rows in the order of the cells.

    Attributes
    ----------
    scores
        Own score of each cell type of the panel's compartments.
    may_have_cd3
        Whether the cell itself has CD3 or TRAC; true of all where these genes were not measured.
    receptor
        ``pair`` (alpha and beta), ``gd`` (gamma and delta), ``chain`` or ``gd chain`` (one of
        them), ``conflict`` (multichain, ambiguous) or empty.
    leiden
        Cluster.
    """

    scores: pd.DataFrame
    may_have_cd3: np.ndarray
    receptor: np.ndarray
    leiden: np.ndarray


def call_compartments(
    evidence: Evidence, smooth: sp.csr_matrix, options: AnnotateOptions
) -> pd.DataFrame:
    """Compartment and best cell type of each cell, with what decided it.

    Scores are averaged over the neighbourhood. The best compartment needs ``min_score`` and a
    lead of ``min_margin``; between T and NK no lead is needed, since cytotoxic T cells score as NK
    cells too (CD3 counts for the one and against the other). Then the receptor is heard. A full
    T-cell receptor makes an unclear or lymphoid cell a T cell, and one that is clearly something
    else ambiguous. A single chain may be ambient: it makes an unclear cell a T cell, and an NK
    cell only if that may have CD3. A cell still unclear takes the compartment of its cluster,
    when ``min_cluster_vote`` of the cluster agree.

    Returns
    -------
    ``coarse fine score evidence``; ``evidence`` is ``markers``, ``receptor``, ``cluster`` or, for
    T cells by markers and receptor, ``receptor;markers``; empty where unclear.
    """
    smoothed = pd.DataFrame(smooth @ evidence.scores.to_numpy(), columns=evidence.scores.columns)
    owner = pd.Series({name: COARSE_OF_CELL_TYPE[name] for name in smoothed.columns})
    by_markers, score = _best(smoothed.T.groupby(owner).max().T, options)
    makes_t, conflicts = _hear_receptors(by_markers, evidence)
    own = np.where(makes_t, "T", np.where(conflicts, AMBIGUOUS, by_markers)).astype(object)
    final, by_cluster = _follow_cluster(own, conflicts, evidence.leiden, options.min_cluster_vote)
    table = pd.DataFrame({"coarse": final, "score": score})
    table["fine"] = _finest(final, smoothed, owner)
    table["evidence"] = _describe(makes_t, by_markers, by_cluster, final)
    return table


def _best(by_coarse: pd.DataFrame, options: AnnotateOptions) -> tuple[np.ndarray, np.ndarray]:
    """Best compartment by markers and its score; what is near T or NK is compared beyond both."""
    values = by_coarse.to_numpy()
    names = by_coarse.columns.to_numpy(dtype=object)
    order = np.argsort(-values, axis=1, kind="stable")
    ranked = np.pad(np.take_along_axis(values, order, axis=1), ((0, 0), (0, 2)))  # a small panel
    lymphoid = np.isin(names[order[:, :2]], _LYMPHOID).all(axis=1)
    lead = ranked[:, 0] - np.where(lymphoid, ranked[:, 2], ranked[:, 1])
    label = np.where(lead >= options.min_margin, names[order[:, 0]], AMBIGUOUS)
    return np.where(ranked[:, 0] >= options.min_score, label, UNASSIGNED), ranked[:, 0]


def _hear_receptors(by_markers: np.ndarray, evidence: Evidence) -> tuple[np.ndarray, np.ndarray]:
    """Cells that a receptor makes T cells, and cells whose receptor contradicts their markers."""
    unclear = np.isin(by_markers, _UNCLEAR)
    lymphoid = np.isin(by_markers, _LYMPHOID)
    is_full = np.isin(evidence.receptor, _FULL_RECEPTORS)
    is_orphan = np.isin(evidence.receptor, _ORPHAN_CHAINS)
    by_full = is_full & (unclear | lymphoid)
    by_orphan = is_orphan & (unclear | (lymphoid & evidence.may_have_cd3))
    return by_full | by_orphan, is_full & ~by_full


def _follow_cluster(
    own: np.ndarray, conflicts: np.ndarray, leiden: np.ndarray, min_vote: float
) -> tuple[np.ndarray, np.ndarray]:
    """Labels in which unclear cells take that of their cluster, and which did."""
    votes = pd.crosstab(leiden, own)
    clear = votes.drop(columns=list(_UNCLEAR), errors="ignore")
    if clear.empty:
        return own, np.zeros(len(own), dtype=bool)
    share = clear.max(axis=1) / votes.sum(axis=1)
    winner = clear.idxmax(axis=1).where(share >= min_vote)
    of_cluster = winner.reindex(leiden).to_numpy(dtype=object)
    follows = np.isin(own, _UNCLEAR) & ~conflicts & pd.notna(of_cluster)
    return np.where(follows, of_cluster, own).astype(object), follows


def _finest(final: np.ndarray, smoothed: pd.DataFrame, owner: pd.Series) -> np.ndarray:
    """Best cell type within the compartment; the compartment itself where the panel has none."""
    fine = final.astype(object).copy()
    for coarse, names in owner.groupby(owner).groups.items():
        rows = final == coarse
        best = smoothed.loc[rows, list(names)].to_numpy().argmax(axis=1)
        fine[rows] = np.asarray(names, dtype=object)[best]
    return fine


def _describe(
    makes_t: np.ndarray, by_markers: np.ndarray, by_cluster: np.ndarray, final: np.ndarray
) -> np.ndarray:
    agrees = (by_markers == final) & ~np.isin(final, _UNCLEAR)
    return np.select(
        [makes_t & agrees, makes_t, agrees, by_cluster],
        ["receptor;markers", "receptor", "markers", "cluster"],
        default="",
    ).astype(object)
