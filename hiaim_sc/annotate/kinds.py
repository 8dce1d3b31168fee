"""The kinds of T, NK and innate lymphoid cells that the panel tells apart, with all their genes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import pandas as pd

ROOTS = ("T", "NK", "ILC")
type GeneSet = tuple[tuple[str, ...], tuple[str, ...]]
_LEVELS = ("state", "lineage", "compartment")


@dataclass(frozen=True)
class Kind:
    """A leaf of the panel's tree below T, NK and ILC.

    Attributes
    ----------
    name
        State; a lineage or compartment that has no states stands for itself.
    lineage
        CD4, CD8, Treg, gd, MAIT, T, NK or ILC.
    root
        T, NK or ILC.
    own
        Genes for and against the state among those of its lineage; none for a lineage that stands
        for itself.
    shared
        Genes for and against the lineage and what is above it; what stands nearer to the leaf
        counts, and a gene that a state of the lineage contradicts says nothing of the lineage.
    """

    name: str
    lineage: str
    root: str
    own: GeneSet
    shared: GeneSet


def list_kinds(panel: pd.DataFrame) -> list[Kind]:
    """Kinds of the panel, sorted by lineage and name."""
    rows = {
        (str(level), str(name)): dict(zip(own["gene"], own["sign"], strict=True))
        for (level, name), own in panel.groupby(["level", "cell_type"])
    }
    parents = panel.groupby(["level", "cell_type"])["parent"].first().to_dict()
    paths = {}
    for place in rows:
        path = _climb(place, parents)
        if path is not None and not _has_children(place, parents):
            paths[place] = path
    states: dict[str, list[dict[str, int]]] = {}
    for place, path in paths.items():
        states.setdefault(_lineage(path), []).append(rows[place] if _is_state(place) else {})
    kinds = []
    for place, path in paths.items():
        lineage = _lineage(path)
        above = path[1:] if _is_state(place) else path
        genes: dict[str, int] = {}
        for level in reversed(above):
            genes |= rows[level]
        contradicted = {
            gene
            for state in states[lineage]
            for gene, sign in state.items()
            if -sign == genes.get(gene)
        }
        shared = {gene: sign for gene, sign in genes.items() if gene not in contradicted}
        own = rows[place] if _is_state(place) else {}
        kinds.append(Kind(place[1], lineage, path[-1][1], _part(own), _part(shared)))
    return sorted(kinds, key=lambda kind: (kind.lineage, kind.name))


def _is_state(place: tuple[str, str]) -> bool:
    return place[0] == "state"


def _lineage(path: list[tuple[str, str]]) -> str:
    return path[1][1] if _is_state(path[0]) else path[0][1]


def _climb(
    place: tuple[str, str], parents: dict[tuple[str, str], str]
) -> list[tuple[str, str]] | None:
    """The leaf and what is above it up to its compartment; None where that is no lymphoid one."""
    if place[0] not in _LEVELS:
        return None
    path = [place]
    while path[-1][0] != "compartment":
        parent = parents[path[-1]]
        above = ("lineage" if ("lineage", parent) in parents else "compartment"), parent
        if above not in parents or above in path:
            return None
        path.append(above)
    return path if path[-1][1] in ROOTS else None


def _has_children(place: tuple[str, str], parents: dict[tuple[str, str], str]) -> bool:
    below = {parent for (level, _), parent in parents.items() if level in ("state", "lineage")}
    return not _is_state(place) and place[1] in below


def _part(genes: dict[str, int]) -> GeneSet:
    positive, negative = (
        tuple(sorted(gene for gene, found in genes.items() if found == sign)) for sign in (1, -1)
    )
    return positive, negative
