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
_LYMPHOID = ("T", "NK")
# Share of a neighbourhood in which a T-cell gene is detected: NK cells leak a few, T cells drop a
# few.
_MIN_CD3 = 0.5


@dataclass(frozen=True)
class Evidence:
    """What is known of each cell, rows in the order of the cells.

    Attributes
    ----------
    scores
        Own score of each cell type of the panel's compartments.
    cd3
        Share of the neighbourhood with CD3 or TRAC detected; missing where the genes are.
    receptor
        ``pair`` (alpha and beta), ``chain`` (one of them), ``conflict`` (multichain, ambiguous)
        or empty.
    leiden
        Cluster.
    """

    scores: pd.DataFrame
    cd3: np.ndarray
    receptor: np.ndarray
    leiden: np.ndarray


def call_compartments(
    evidence: Evidence, smooth: sp.csr_matrix, options: AnnotateOptions
) -> pd.DataFrame:
    """Compartment and best cell type of each cell, with what decided it.

    Scores are averaged over the neighbourhood. The best compartment needs ``min_score`` and a
    lead of ``min_margin``; between T and NK a receptor, then CD3 decides, since cytotoxic T cells
    score as NK cells too. A cell without a clear call takes that of its cluster, when
    ``min_cluster_vote`` of the cluster agree. A T-cell receptor on a cell that is clearly no
    lymphocyte makes it ambiguous.

    Returns
    -------
    ``coarse fine score evidence``.
    """
    smoothed = pd.DataFrame(smooth @ evidence.scores.to_numpy(), columns=evidence.scores.columns)
    coarse_of = {name: COARSE_OF_CELL_TYPE[name] for name in smoothed.columns}
    by_coarse = smoothed.T.groupby(pd.Series(coarse_of)).max().T
    own, score = _best(by_coarse, options)
    own = _split_lymphocytes(own, by_coarse, evidence, options)
    final, by_cluster = _follow_cluster(own, evidence.leiden, options)
    has_pair = evidence.receptor == "pair"
    unclear = np.isin(final, (AMBIGUOUS, UNASSIGNED))
    takes_receptor = has_pair & (unclear | np.isin(final, _LYMPHOID))
    # one chain may be ambient: it decides only where the markers do not
    takes_chain = (evidence.receptor == "chain") & unclear
    conflicts = has_pair & ~takes_receptor
    final = np.where(conflicts, AMBIGUOUS, np.where(takes_receptor | takes_chain, "T", final))
    table = pd.DataFrame({"coarse": final, "score": score})
    table["fine"] = _finest(final, smoothed, coarse_of)
    table["evidence"] = _describe(takes_receptor | takes_chain, by_cluster, own, final)
    return table


def _best(by_coarse: pd.DataFrame, options: AnnotateOptions) -> tuple[np.ndarray, np.ndarray]:
    values = by_coarse.to_numpy()
    names = by_coarse.columns.to_numpy(dtype=object)
    order = np.argsort(-values, axis=1, kind="stable")
    rows = np.arange(len(values))
    best, second = values[rows, order[:, 0]], values[rows, order[:, 1]]
    first_two = names[order[:, :2]]
    # between T and NK there is a rule of its own
    lymphoid = np.isin(first_two, _LYMPHOID).all(axis=1)
    third = values[rows, order[:, 2]]
    lead = np.where(lymphoid, best - third, best - second)
    label = np.where(lead >= options.min_margin, first_two[:, 0], AMBIGUOUS)
    return np.where(best >= options.min_score, label, UNASSIGNED).astype(object), best


def _split_lymphocytes(
    own: np.ndarray, by_coarse: pd.DataFrame, evidence: Evidence, options: AnnotateOptions
) -> np.ndarray:
    is_lymphoid = np.isin(own, _LYMPHOID)
    is_t = np.where(np.isnan(evidence.cd3), own == "T", evidence.cd3 >= _MIN_CD3)
    is_nk = ~is_t & (by_coarse["NK"].to_numpy() >= options.min_score)
    split = np.select([is_t, is_nk], ["T", "NK"], default=AMBIGUOUS)
    split = np.where(evidence.receptor == "pair", "T", split)
    return np.where(is_lymphoid, split, own)


def _follow_cluster(
    own: np.ndarray, leiden: np.ndarray, options: AnnotateOptions
) -> tuple[np.ndarray, np.ndarray]:
    votes = pd.crosstab(leiden, own)
    clear = votes.drop(columns=[AMBIGUOUS, UNASSIGNED], errors="ignore")
    if clear.empty or clear.shape[1] == 0:
        return own, np.zeros(len(own), dtype=bool)
    share = clear.max(axis=1) / votes.sum(axis=1)
    winner = clear.idxmax(axis=1).where(share >= options.min_cluster_vote)
    of_cluster = winner.reindex(leiden).to_numpy(dtype=object)
    undecided = np.isin(own, (AMBIGUOUS, UNASSIGNED)) & pd.notna(of_cluster)
    return np.where(undecided, of_cluster, own).astype(object), undecided


def _finest(final: np.ndarray, smoothed: pd.DataFrame, coarse_of: dict[str, str]) -> np.ndarray:
    fine = final.astype(object).copy()
    for coarse in set(coarse_of.values()):
        names = [name for name, owner in coarse_of.items() if owner == coarse]
        rows = final == coarse
        if rows.any():
            best = smoothed.loc[rows, names].to_numpy().argmax(axis=1)
            fine[rows] = np.array(names, dtype=object)[best]
    return fine


def _describe(
    by_receptor: np.ndarray, by_cluster: np.ndarray, own: np.ndarray, final: np.ndarray
) -> np.ndarray:
    markers = np.where(~np.isin(own, (AMBIGUOUS, UNASSIGNED)) & (own == final), "markers", "")
    parts = [np.where(by_receptor, "receptor", ""), markers, np.where(by_cluster, "cluster", "")]
    joined = pd.Series(parts[0]).str.cat([pd.Series(p) for p in parts[1:]], sep=";")
    return joined.str.replace(r";+", ";", regex=True).str.strip(";").to_numpy(dtype=object)
