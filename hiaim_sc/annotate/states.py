"""The state of each T, NK and innate lymphoid cell, and what it is beside: cycling, stressed."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.annotate.mixture import KindEvidence, fit_kinds

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiaim_sc.annotate.evidence import MarkerEvidence
    from hiaim_sc.annotate.kinds import Kind
    from hiaim_sc.config import AnnotateOptions

UNASSIGNED = "unassigned"
_RULED_OUT = -3.0
# lineages that are a state by themselves
_OWN_STATE = {"gd": "gd T", "MAIT": "MAIT", "iNKT": "iNKT"}
# what a flag cannot do without: the other genes resting cells have too, or dissociation raises
_NEEDED_FOR_FLAG = {
    "activated": ("IFNG", "TNF"),
    "proliferating": ("MKI67", "TOP2A"),
    "stressed": ("HSPA6",),
}


def call_states(
    lineage: np.ndarray,
    cluster: np.ndarray,
    genes: MarkerEvidence,
    kinds: Sequence[Kind],
    coordinates: np.ndarray,
    options: AnnotateOptions,
) -> pd.DataFrame:
    """State of each T, NK and innate lymphoid cell among those of its lineage.

    Within a lineage its states are weighed against each other (`fit_kinds`) by their own genes
    alone. A state whose genes speak against it in the cell and its neighbours is not chosen, so
    that a cell with none of the markers has no state. Where the best has less than
    ``min_state_confidence``, the state is that of the cells of the lineage in the cell's cluster
    if ``min_cluster_vote`` of them agree, else ``unassigned``.

    Parameters
    ----------
    lineage
        As `call_lineages` returns it; a plain T has no state.
    cluster
        Of the second pass.
    genes, kinds, coordinates, options
        As for lineages.

    Returns
    -------
    ``cell_state cell_state_confidence cell_state_evidence``; the last is ``markers``, ``cluster``,
    ``lineage`` (gd, MAIT, iNKT: a state by themselves) or empty.
    """
    state = np.full(len(lineage), UNASSIGNED, dtype=object)
    confidence = np.zeros(len(lineage))
    of_lineage: dict[str, list[Kind]] = {}
    for kind in kinds:
        of_lineage.setdefault(kind.lineage, []).append(kind)
    for name, states in sorted(of_lineage.items()):
        rows = np.flatnonzero(lineage == name)
        if len(states) > 1 and len(rows):
            state[rows], confidence[rows] = _choose(rows, states, genes, coordinates)
    is_sure = confidence >= options.min_state_confidence
    state[~is_sure] = UNASSIGNED
    evidence = np.where(is_sure, "markers", "").astype(object)
    state, follows = _follow_cluster(state, lineage, cluster, options.min_cluster_vote)
    evidence[follows] = "cluster"
    for name, own in _OWN_STATE.items():
        here = lineage == name
        state[here], confidence[here], evidence[here] = own, 1.0, "lineage"
    return pd.DataFrame(
        {
            "cell_state": state,
            "cell_state_confidence": confidence,
            "cell_state_evidence": evidence,
        }
    )


def _choose(
    rows: np.ndarray, states: Sequence[Kind], genes: MarkerEvidence, coordinates: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """Best state of cells of one lineage and its probability; 0 where all are ruled out."""
    sets = [kind.own for kind in states]
    here = genes.take(rows)
    pooled = here.weigh(sets, pooled=True)
    is_ruled_out = pooled < 0
    evidence = KindEvidence(
        pooled, here.weigh(sets, pooled=False), np.where(is_ruled_out, _RULED_OUT, 0.0)
    )
    of_kind = np.array([kind.lineage for kind in states], dtype=object)
    no_group, no_clone = np.full(len(states), -1), np.full(len(rows), -1)
    weight = fit_kinds(evidence, coordinates[rows], of_kind, no_group, no_clone)
    best = weight.argmax(axis=1)
    confidence = weight[np.arange(len(best)), best]
    confidence[is_ruled_out[np.arange(len(best)), best]] = 0.0
    return np.array([kind.name for kind in states], dtype=object)[best], confidence


def _follow_cluster(
    state: np.ndarray, lineage: np.ndarray, cluster: np.ndarray, min_vote: float
) -> tuple[np.ndarray, np.ndarray]:
    place = ["cluster", "lineage"]
    table = pd.DataFrame({"cluster": cluster, "lineage": lineage, "state": state})
    votes = table.groupby([*place, "state"]).size().reset_index(name="n")
    votes["share"] = votes["n"] / votes.groupby(place)["n"].transform("sum")
    votes = votes[(votes["state"] != UNASSIGNED) & (votes["share"] >= min_vote)]
    votes = votes.sort_values([*place, "n", "state"], ascending=[True, True, False, True])
    winner = votes.drop_duplicates(place).set_index(place)["state"]
    of_cluster = winner.reindex(pd.MultiIndex.from_frame(table[place]))
    follows = (state == UNASSIGNED) & of_cluster.notna().to_numpy()
    return np.where(follows, of_cluster.to_numpy(dtype=object), state), follows


def call_flags(genes: MarkerEvidence, panel: pd.DataFrame) -> dict[str, np.ndarray]:
    """Whether each cell is proliferating, stressed, activated: on a second axis beside the state.

    A flag needs more evidence for it than against it in the cell and its neighbours, and a gene
    that resting cells do not have: MKI67 or TOP2A (STMN1 and PCNA they have), HSPA6, IFNG or TNF
    (heat shock and early genes rise when a biopsy is dissociated).
    """
    rows = panel[panel["level"] == "flag"]
    names = sorted(set(rows["cell_type"]))
    sets = [(_genes(rows, name, 1), _genes(rows, name, -1)) for name in names]
    found = {}
    for name, evidence in zip(names, genes.weigh(sets, pooled=True).T, strict=True):
        needed = _NEEDED_FOR_FLAG.get(name)
        is_so = evidence > 0
        found[name] = is_so & genes.is_on(*needed) if needed else is_so
    return found


def _genes(rows: pd.DataFrame, name: str, sign: int) -> tuple[str, ...]:
    return tuple(rows.loc[(rows["cell_type"] == name) & (rows["sign"] == sign), "gene"])
