"""Clone tables of a release: over visits, between samples, and renamed ones."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_array

from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.stats import benjamini_hochberg, clone_change_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from scipy.sparse import csr_array

    from hiaim_sc.config import TcrOptions

_CELL = ["library_id", "cell_barcode"]
_INTEGERS = ("n_from", "n_to", "depth_from", "depth_to", "n_shared")
_FLOATS = ("log2_fc", "p_value", "q_value", "jaccard", "morisita_horn")


def track_clones(clones: pd.DataFrame, visits: Sequence[str], options: TcrOptions) -> pd.DataFrame:
    """How clones move between visits: the release table ``clone_tracking``.

    Consecutive visits, and the first against the last, within patient and tissue, in resting
    samples and cells that pass QC. A visit without such cells is passed over: the visits on both
    sides of it are compared. Under the null of an unchanged frequency the later count of a clone
    with K cells over both visits follows a beta-binomial with mean ``depth_to / (depth_from +
    depth_to)`` and overdispersion rho (`hiaim_sc.stats.clone_change_test`). The p-values describe
    clones; no comparison of arms is made of them.

    Parameters
    ----------
    clones
        As `tabulate_clones` returns them.
    visits
        In the order of the design.
    options
        ``tracking_rho``, ``tracking_min_total``, ``tracking_max_q_value``.

    Returns
    -------
    pandas.DataFrame
        A row per clone with a cell at either visit. ``depth``: all cells with a clone.
        ``p_value`` is two-sided (twice the smaller side), missing below ``tracking_min_total``
        cells; ``q_value`` is Benjamini-Hochberg's within patient, tissue and pair of visits.
        ``class`` is novel or lost by absence alone, else untestable, expanded, contracted, or
        persistent. Sorted by patient, tissue, pair of visits (design's order) and clone.

    References
    ----------
    Rytlewski et al. 2019, doi:10.1371/journal.pone.0213684
    """
    at_rest = clones[(clones["session_phase"] == "rest") & (clones["n_cells_qc"] > 0)]
    found = []
    for (patient, tissue), group in at_rest.groupby(["patient_id", "tissue"]):
        by_visit = group.pivot_table(
            "n_cells_qc", index="clone_key", columns="visit", aggfunc="sum", fill_value=0
        )
        for start, end in _pair_visits([visit for visit in visits if visit in by_visit], visits):
            changes = _compare_visits(by_visit[start], by_visit[end], options)
            place = {"patient_id": patient, "tissue": tissue, "visit_from": start, "visit_to": end}
            found.append(changes.assign(**place))
    if not found:
        return _empty_table("clone_tracking")
    return pd.concat(found, ignore_index=True)[list(RELEASE_TABLES["clone_tracking"])]


def _pair_visits(present: Sequence[str], visits: Sequence[str]) -> list[tuple[str, str]]:
    """Neighbours among the visits that are there, and the first and the last of the design."""
    pairs = list(pairwise(present))
    baseline_to_last = (visits[0], visits[-1])
    if len(visits) > 1 and set(baseline_to_last) <= set(present) and baseline_to_last not in pairs:
        pairs.append(baseline_to_last)
    return pairs


def _compare_visits(start: pd.Series, end: pd.Series, options: TcrOptions) -> pd.DataFrame:
    counts = pd.DataFrame({"n_from": start, "n_to": end})
    counts = counts[counts.sum(axis=1) > 0].sort_index().reset_index()
    depth_from, depth_to = int(counts["n_from"].sum()), int(counts["n_to"].sum())
    k1, k2 = counts["n_from"].to_numpy(), counts["n_to"].to_numpy()
    tested = k1 + k2 >= options.tracking_min_total
    p_value = np.full(len(counts), np.nan)
    if tested.any():
        sides = [
            clone_change_test(
                k1[tested],
                k2[tested],
                depth_from,
                depth_to,
                rho=options.tracking_rho,
                alternative=side,
            ).p_value
            for side in ("greater", "less")
        ]
        p_value[tested] = np.minimum(1.0, 2 * np.minimum(*sides))
    counts["depth_from"], counts["depth_to"] = depth_from, depth_to
    fold = ((k2 + 0.5) / (depth_to + 1)) / ((k1 + 0.5) / (depth_from + 1))
    counts["log2_fc"] = np.log2(fold)
    counts["p_value"] = p_value
    counts["q_value"] = benjamini_hochberg(p_value)
    counts["class"] = _classify(counts, tested, options.tracking_max_q_value)
    return counts


def _classify(counts: pd.DataFrame, tested: np.ndarray, max_q_value: float) -> np.ndarray:
    is_called = counts["q_value"] <= max_q_value
    masks = {
        "novel": counts["n_from"] == 0,
        "lost": counts["n_to"] == 0,
        "untestable": ~tested,
        "expanded": is_called & (counts["log2_fc"] > 0),
        "contracted": is_called & (counts["log2_fc"] < 0),
    }
    return np.select([np.asarray(m) for m in masks.values()], list(masks), default="persistent")


def share_clones(clones: pd.DataFrame) -> pd.DataFrame:
    r"""Overlap of receptors between all pairs of samples: the release table ``sharing``.

    Receptors are compared by the text of ``clone_key`` without the patient, so that contamination
    and swaps between patients show; within a patient this is the clone. Counts of clones
    :math:`x_i, y_i` with totals X, Y: `n_shared` is :math:`|A \cap B|`, `jaccard` :math:`|A \cap
    B| / |A \cup B|` (a similarity), `morisita_horn` :math:`2\sum x_i y_i / ((\sum x_i^2/X^2 + \sum
    y_i^2/Y^2) X Y)`.

    Parameters
    ----------
    clones
        As `tabulate_clones` returns them; all cells of a clone count, kept or not. Rows without a
        sample are no part of any.

    Returns
    -------
    pandas.DataFrame
        A row per pair of samples with receptor cells, sorted.

    References
    ----------
    Horn 1966, doi:10.1086/282436
    """
    placed = clones[clones["sample_id"].notna()]
    if placed["sample_id"].nunique() < 2:
        return _empty_table("sharing")
    rows, samples = pd.factorize(placed["sample_id"], sort=True)
    patient = placed.drop_duplicates("sample_id").set_index("sample_id")["patient_id"]
    receptors, unique = pd.factorize(_without_patient(placed))
    cells = placed["n_cells"].to_numpy(dtype=np.float64)
    counts = coo_array((cells, (rows, receptors)), shape=(len(samples), len(unique))).tocsr()
    first, second = np.triu_indices(len(samples), k=1)
    owner = patient.reindex(samples).to_numpy()
    return pd.DataFrame(
        {
            "sample_id_1": samples[first],
            "sample_id_2": samples[second],
            "same_patient": owner[first] == owner[second],
            **_overlap(counts, first, second),
        }
    )


def _without_patient(clones: pd.DataFrame) -> pd.Series:
    """The receptor in a ``clone_key``."""
    n_patient = clones["patient_id"].str.len()
    keys = zip(clones["clone_key"], n_patient, strict=True)
    return pd.Series([key[n + 1 :] for key, n in keys], index=clones.index, dtype="str")


def _overlap(counts: csr_array, first: np.ndarray, second: np.ndarray) -> dict[str, np.ndarray]:
    present = (counts > 0).astype(np.float64)
    shared, product = (present @ present.T).toarray(), (counts @ counts.T).toarray()
    richness, total = shared.diagonal(), counts.sum(axis=1)
    concentration = product.diagonal() / total**2
    n_shared = shared[first, second]
    spread = (concentration[first] + concentration[second]) * total[first] * total[second]
    return {
        "n_shared": n_shared.astype(np.int64),
        "jaccard": n_shared / (richness[first] + richness[second] - n_shared),
        "morisita_horn": 2 * product[first, second] / spread,
    }


def alias_clones(previous: pd.DataFrame | None, current: pd.DataFrame) -> pd.DataFrame:
    """Clones whose key changed since the last release: the release table ``clone_aliases``.

    An old key that no clone has any more is followed to the clone that most of its cells are in
    now (ties: smallest text). Keys whose cells are all gone have no row, for there is no new one.

    Parameters
    ----------
    previous
        `library_id cell_barcode clone_key` of the last release's cells, those without a clone too;
        None where there is no last release.
    current
        `define_clones` of this one.

    Returns
    -------
    pandas.DataFrame
        `reason` is ``merged`` where the new clone holds cells of another old clone too, else
        ``renamed``. Sorted by `old_key`.
    """
    if previous is None or previous.empty or current.empty:
        return _empty_table("clone_aliases")
    known = previous.loc[previous["clone_key"].notna(), [*_CELL, "clone_key"]]
    both = known.merge(current, on=_CELL, suffixes=("_old", "_new"))
    moves = both.groupby(["clone_key_old", "clone_key_new"], as_index=False).size()
    n_old = moves.groupby("clone_key_new")["clone_key_old"].transform("nunique")
    moves["reason"] = np.where(n_old > 1, "merged", "renamed")
    order = ["clone_key_old", "size", "clone_key_new"]
    moves = moves.sort_values(order, ascending=[True, False, True])
    moves = moves.drop_duplicates("clone_key_old")
    moves = moves[~moves["clone_key_old"].isin(current["clone_key"])]
    moves = moves.rename(columns={"clone_key_old": "old_key", "clone_key_new": "new_key"})
    return moves[list(RELEASE_TABLES["clone_aliases"])].reset_index(drop=True)


def _empty_table(name: str) -> pd.DataFrame:
    dtypes = dict.fromkeys(_INTEGERS, "int64") | dict.fromkeys(_FLOATS, "float64")
    dtypes["same_patient"] = "bool"
    return pd.DataFrame(
        {column: pd.Series(dtype=dtypes.get(column, "str")) for column in RELEASE_TABLES[name]}
    )
