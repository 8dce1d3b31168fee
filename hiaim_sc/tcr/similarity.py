"""Clones with nearly the same receptor, within a patient or among expanded clones."""

from __future__ import annotations

import time
from dataclasses import asdict, dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.tcr.databases.records import JUNCTION

if TYPE_CHECKING:
    from hiaim_sc.config import SimilarityOptions

_TRIALS: Final = (50, 500)  # sequences compared to learn the time
_DEFAULT_CUTOFF: Final = {"hamming": 1, "tcrdist": 15}
# arm: number of the chain in the table of clones
_ARMS: Final = {"VDJ": 2, "VJ": 1}


@dataclass(frozen=True)
class SimilarityCost:
    """What clustering takes, before it starts.

    Attributes
    ----------
    n_clones
        Clones that are compared.
    n_invalid
        Clones left out for a junction that is not whole: metrics call a letter that they do not
        know equal to any other.
    n_no_beta
        Clones left out for want of a beta chain: alpha chains alone are shared by chance.
    n_sequences, n_pairs, n_comparisons
        Different junctions and pairs of them, over all groups and arms, and how many groups and
        arms these are.
    seconds
        Estimate for one processor, from a trial.
    """

    n_clones: int
    n_invalid: int
    n_no_beta: int
    n_sequences: int
    n_pairs: int
    n_comparisons: int
    seconds: float

    def as_dict(self) -> dict[str, Any]:
        """Plain values by name."""
        return asdict(self)


def estimate_cost(clones: pd.DataFrame, options: SimilarityOptions) -> SimilarityCost:
    """Numbers and time of `cluster_clones`, from comparing a few sequences.

    Parameters
    ----------
    clones
        Release table `clones`.
    options
        As for `cluster_clones`.
    """
    chosen, n_invalid, n_no_beta = _choose_clones(clones, options)
    groups = [set(found) for arm in _arms(options) for found in _sequences(chosen, arm).values()]
    sizes = np.array([len(found) for found in groups], dtype=np.int64)
    n_pairs = int((sizes * (sizes - 1) // 2).sum())
    overhead, per_pair = _try(max(groups, key=len, default=set()), options)
    seconds = overhead * len(groups) + per_pair * n_pairs
    return SimilarityCost(
        len(chosen), n_invalid, n_no_beta, int(sizes.sum()), n_pairs, len(groups), round(seconds, 1)
    )


def cluster_clones(clones: pd.DataFrame, options: SimilarityOptions) -> pd.DataFrame:
    """Release table ``similarity_clusters``: clones in clusters of two or more.

    Two clones are joined when their beta chains have one V gene and junctions (amino acids) at
    most `cutoff` apart, and, with `arms` all, their alpha chains too, or both have none. A cluster
    is what is joined over any number of steps, so that its ends may lie farther apart.
    Only the chains of the clone's key are compared: a cell's second chains would bridge clones that
    have nothing in common. Clones with a junction that is not whole, or without a beta chain, are
    left out (`estimate_cost` counts them).

    Distances are scirpy's: ``hamming``, differing places of junctions of one length; ``tcrdist``,
    of the junction alone (weight 3, gap 4, first 3 and last 2 places not compared), which is not
    the whole of tcrdist3.

    Parameters
    ----------
    clones
        Release table `clones`.
    options
        Metric, cutoff, arms, and whether clones are compared within a patient, or expanded ones
        among all patients.

    References
    ----------
    Dash et al. 2017, doi:10.1038/nature22383; Sturm et al. 2020,
    doi:10.1093/bioinformatics/btaa611.
    """
    chosen, _, _ = _choose_clones(clones, options)
    edges = _join_clones(chosen, options)
    graph = sparse.coo_array((np.ones(len(edges), dtype=bool), edges.T), shape=(len(chosen),) * 2)
    label = connected_components(graph.tocsr(), directed=False)[1] if len(chosen) else []
    table = chosen.assign(label=label)
    table["n_clones"] = table.groupby("label")["label"].transform("size")
    table = table[table["n_clones"] > 1]
    table["cluster"] = pd.factorize(table["label"])[0] + 1
    table["metric"] = options.metric
    table = table.sort_values(["cluster", "patient_id", "clone_key"], ignore_index=True)
    return table[list(RELEASE_TABLES["similarity_clusters"])]


def find_neighbours(
    sequences: np.ndarray, options: SimilarityOptions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Pairs of sequences at most the cutoff apart, each with itself too, and their distances."""
    from scirpy.ir_dist.metrics import HammingDistanceCalculator, TCRdistDistanceCalculator

    calculators = {"hamming": HammingDistanceCalculator, "tcrdist": TCRdistDistanceCalculator}
    cutoff = _DEFAULT_CUTOFF[options.metric] if options.cutoff is None else options.cutoff
    calculator = calculators[options.metric](cutoff=cutoff, n_jobs=options.n_jobs)
    found = calculator.calc_dist_mat(sequences).tocoo()
    return found.row, found.col, found.data.astype(np.int64) - 1  # it stores the distance plus 1


def _arms(options: SimilarityOptions) -> tuple[str, ...]:
    return ("VDJ", "VJ") if options.arms == "all" else ("VDJ",)


def _choose_clones(
    clones: pd.DataFrame, options: SimilarityOptions
) -> tuple[pd.DataFrame, int, int]:
    """Clones that are compared, a row each; how many have a bad junction, or no beta chain."""
    chains = [f"{name}_{i}" for i in (1, 2) for name in ("v_call", "junction_aa")]
    known = clones.drop_duplicates("clone_key")[["clone_key", "patient_id", *chains]]
    n_cells = clones.groupby("clone_key")["n_cells"].sum()
    known = known.assign(n_cells=known["clone_key"].map(n_cells)).sort_values("clone_key")
    if options.scope == "expanded":
        known = known[known["n_cells"] >= options.expanded_min_cells]
    known = known.assign(group=known["patient_id"] if options.scope == "patient" else "all")
    has_beta = known["junction_aa_2"].notna()
    present = [known[f"junction_aa_{_ARMS[arm]}"] for arm in _arms(options)]
    is_whole = np.logical_and.reduce(
        [(j.isna() | j.str.fullmatch(JUNCTION).eq(other=True)).to_numpy(bool) for j in present]
    )
    chosen = known[has_beta.to_numpy() & is_whole].reset_index(drop=True)
    return chosen, int((has_beta & ~is_whole).sum()), int((~has_beta).sum())


def _sequences(clones: pd.DataFrame, arm: str) -> dict[str, list[str]]:
    """Different junctions of an arm by group, sorted."""
    known = clones.dropna(subset=f"junction_aa_{_ARMS[arm]}")
    return {
        str(group): sorted(set(found))
        for group, found in known.groupby("group")[f"junction_aa_{_ARMS[arm]}"]
    }


def _join_clones(clones: pd.DataFrame, options: SimilarityOptions) -> np.ndarray:
    """(n, 2) positions of clones that are joined."""
    numbered = clones.reset_index(names="clone")
    pairs = _near_clones(numbered, options, "VDJ")
    if options.arms == "VDJ":
        return pairs.to_numpy()
    has_alpha = clones["junction_aa_1"].notna().to_numpy()
    lacks_both = ~has_alpha[pairs["clone_x"]] & ~has_alpha[pairs["clone_y"]]
    both = pairs.merge(_near_clones(numbered, options, "VJ"), on=["clone_x", "clone_y"])
    return np.vstack([pairs[lacks_both].to_numpy(), both.to_numpy()])


def _near_clones(clones: pd.DataFrame, options: SimilarityOptions, arm: str) -> pd.DataFrame:
    """`clone_x clone_y` of one group whose chains of an arm have one V gene and are near."""
    junction, v_call = f"junction_aa_{_ARMS[arm]}", f"v_call_{_ARMS[arm]}"
    found = []
    for group, sequences in _sequences(clones, arm).items():
        row, column, _ = find_neighbours(np.array(sequences), options)
        names = np.array(sequences, dtype=object)
        near = pd.DataFrame({"junction_x": names[row], "junction_y": names[column]})
        own = clones.loc[clones["group"] == group, ["clone", v_call, junction]].dropna()
        own = own.set_axis(["clone", "v_call", "junction"], axis=1)
        pairs = near.merge(own.add_suffix("_x"), on="junction_x")
        pairs = pairs.merge(own.add_suffix("_y"), on="junction_y")
        found.append(pairs[pairs["v_call_x"] == pairs["v_call_y"]])
    columns = ["clone_x", "clone_y"]
    return pd.concat(found)[columns] if found else pd.DataFrame(columns=columns, dtype="int64")


def _try(sequences: set[str], options: SimilarityOptions) -> tuple[float, float]:
    """Seconds of processor time of a comparison as such, and more of each pair."""
    if len(sequences) < 2:
        return 0.0, 0.0
    taken, pairs = [], []
    for most in _TRIALS:
        chosen = np.array(sorted(sequences)[:most])
        start = time.process_time()
        find_neighbours(chosen, options)
        taken.append(time.process_time() - start)
        pairs.append(len(chosen) * (len(chosen) - 1) // 2)
    ((low, high),), ((few, many),) = pairwise(taken), pairwise(pairs)
    return min(taken), max(high - low, 0.0) / max(many - few, 1)
