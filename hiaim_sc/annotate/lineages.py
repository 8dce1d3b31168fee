"""Of which lineage each T, NK and innate lymphoid cell is."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.annotate.markers import CD3
from hiaim_sc.annotate.mixture import TEMPER, KindEvidence, fit_kinds, softmax

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiaim_sc.annotate.evidence import MarkerEvidence
    from hiaim_sc.annotate.kinds import Kind
    from hiaim_sc.annotate.markers import ReceptorEvidence
    from hiaim_sc.config import AnnotateOptions

_FORBIDDEN = -50.0
_UNLIKELY = -3.0
_LEAST_CHANCE = 1e-6
_SHARED_BY_CLONE = ("CD4", "CD8", "Treg")  # what the cells of a clone are all alike in
_OWN_GENE = {
    "Treg": (("FOXP3",),),
    "MAIT": (("SLC4A10",),),
    "gd": (("TRDC",), ("TRDV1", "TRDV2", "TRGV9")),
}


def call_lineages(
    genes: MarkerEvidence,
    kinds: Sequence[Kind],
    coordinates: np.ndarray,
    receptor: ReceptorEvidence,
    clone: np.ndarray,
    coarse: np.ndarray,
    options: AnnotateOptions,
) -> pd.DataFrame:
    """Lineage of each cell of the second pass: CD4 CD8 Treg gd MAIT iNKT T NK ILC.

    All kinds of the panel are weighed against each other (`fit_kinds`). The genes of lineage and
    compartment speak for the lineage; those of its states only say which of its kinds a cell is of,
    as CD4 and CD8 cells have the same programmes. A lineage has the sum over its kinds; a T cell of
    which none has ``min_lineage_confidence`` is just T.

    The receptor is above that. A full one makes a T cell, a gamma-delta one gd, an invariant one
    MAIT or iNKT; with an alpha-beta receptor a cell is neither gd nor, if that is not invariant,
    MAIT. A lineage that has a gene of its own needs it clearly on around the cell: FOXP3; SLC4A10;
    TRDC with a gamma-delta V gene, as NK cells express TRDC alone. The cells of a clone are CD4 or
    CD8 together.

    Returns
    -------
    ``lineage confidence``.
    """
    if not kinds:  # a panel that tells neither T nor NK cells
        return pd.DataFrame({"lineage": coarse, "confidence": np.zeros(len(coarse))})
    of_kind = np.array([kind.lineage for kind in kinds], dtype=object)
    evidence = KindEvidence(
        _weigh_kinds(genes, kinds, of_kind, pooled=True),
        _weigh_kinds(genes, kinds, of_kind, pooled=False),
        _hear_receptors(kinds, receptor, genes)
        + _keep_compartments(kinds, genes, coarse, receptor),
    )
    together = np.array([_group(kind) for kind in kinds])
    weight = fit_kinds(evidence, coordinates, of_kind, together, clone)
    names = sorted(set(of_kind))
    chance = pd.DataFrame({name: weight[:, of_kind == name].sum(axis=1) for name in names})
    chance = _agree_in_clones(chance, clone)
    lineage = chance.columns.to_numpy(dtype=object)[chance.to_numpy().argmax(axis=1)]
    confidence = chance.to_numpy().max(axis=1)
    is_t = ~np.isin(lineage, ("NK", "ILC"))
    lineage[is_t & (confidence < options.min_lineage_confidence)] = "T"
    for name in ("MAIT", "iNKT"):
        lineage[is_t & (receptor.invariant == name)] = name
    lineage[is_t & (receptor.kind == "gd")] = "gd"
    return pd.DataFrame({"lineage": lineage, "confidence": confidence})


def _weigh_kinds(
    genes: MarkerEvidence, kinds: Sequence[Kind], of_kind: np.ndarray, *, pooled: bool
) -> np.ndarray:
    """(n_cells, kinds) evidence for the lineage, shared out among its kinds by their own genes."""
    shared = genes.weigh([kind.shared for kind in kinds], pooled=pooled)
    own = genes.weigh([kind.own for kind in kinds], pooled=pooled)
    for lineage in set(of_kind):
        of = of_kind == lineage
        chance = softmax(TEMPER * own[:, of])
        shared[:, of] += np.log(np.maximum(chance, _LEAST_CHANCE)) / TEMPER
    return shared


def _group(kind: Kind) -> int:
    names = _SHARED_BY_CLONE
    return names.index(kind.lineage) if kind.lineage in names else -1


def _hear_receptors(
    kinds: Sequence[Kind], receptor: ReceptorEvidence, genes: MarkerEvidence
) -> np.ndarray:
    """(n_cells, kinds) 0, or strongly negative where receptor or genes forbid the kind."""
    weight = np.zeros((len(genes), len(kinds)))
    is_full = np.isin(receptor.kind, ("pair", "gd"))
    has_gd = np.isin(receptor.kind, ("gd", "gd chain"))
    is_mait = receptor.invariant == "MAIT"
    lacks = {name: ~_has_own_gene(genes, name) for name in _OWN_GENE}
    for number, kind in enumerate(kinds):
        if kind.root != "T":
            weight[is_full, number] = _FORBIDDEN
        if kind.lineage in lacks:
            weight[lacks[kind.lineage], number] = _UNLIKELY
        if kind.lineage == "gd":
            weight[np.isin(receptor.kind, ("pair", "chain")), number] = _FORBIDDEN
            weight[has_gd, number] = 0.0
        elif kind.lineage == "MAIT":
            weight[(receptor.kind == "pair") & ~is_mait, number] = _FORBIDDEN
            weight[is_mait, number] = 0.0
    return weight


def _keep_compartments(
    kinds: Sequence[Kind], genes: MarkerEvidence, coarse: np.ndarray, receptor: ReceptorEvidence
) -> np.ndarray:
    """(n_cells, kinds) 0, or strongly negative where CD3 and receptor forbid another compartment.

    What the first pass found T is NK only where CD3 was measured and is not on around the cell;
    what it found NK is T only with a receptor or with CD3 in the cell itself.
    """
    has_cd3, around = genes.has_any(*CD3), genes.is_on(*CD3, clearly=False)
    is_measured = genes.measures(*CD3)
    may_be_nk = is_measured & (receptor.kind == "") & (~around | ~has_cd3)
    stays_t = (coarse == "T") & ~may_be_nk
    stays_nk = (coarse != "T") & (receptor.kind == "") & ~has_cd3
    is_t = np.array([kind.root == "T" for kind in kinds])
    weight = np.zeros((len(genes), len(kinds)))
    weight[np.ix_(stays_t, ~is_t)] = _FORBIDDEN
    weight[np.ix_(stays_nk, is_t)] = _FORBIDDEN
    return weight


def _has_own_gene(genes: MarkerEvidence, lineage: str) -> np.ndarray:
    found = [genes.is_on(*any_of, clearly=False) for any_of in _OWN_GENE[lineage]]
    return np.asarray(np.logical_and.reduce(found))


def _agree_in_clones(chance: pd.DataFrame, clone: np.ndarray) -> pd.DataFrame:
    """Probabilities in which the cells of a clone, CD4 and Treg or CD8, are all on one side.

    The side is that of the mean log odds over the clone's cells.
    """
    four = [name for name in ("CD4", "Treg") if name in chance]
    if not four or "CD8" not in chance:
        return chance
    both = chance[[*four, "CD8"]].sum(axis=1)
    of_four = chance[four].sum(axis=1)
    odds = np.log(of_four + _LEAST_CHANCE) - np.log(chance["CD8"] + _LEAST_CHANCE)
    by_clone = odds.groupby(clone)
    is_shared = (clone >= 0) & (by_clone.transform("size") > 1).to_numpy()
    share = 1 / (1 + np.exp(-by_clone.transform("mean")))
    agreed = chance.copy()
    for name in four:
        within = chance[name] / np.maximum(of_four, _LEAST_CHANCE)
        agreed[name] = chance[name].mask(is_shared, both * share * within)
    agreed["CD8"] = chance["CD8"].mask(is_shared, both * (1 - share))
    return agreed
