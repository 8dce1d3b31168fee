"""Clone tables of a release: per library, over visits, between samples, and renamed ones."""

from __future__ import annotations

from itertools import pairwise
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from scipy.sparse import coo_array

from hiaim_sc.names import CLONE_SOURCES, RELEASE_TABLES
from hiaim_sc.stats import benjamini_hochberg, clone_change_test

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiaim_sc.config import TcrOptions

_CELL = ["library_id", "cell_barcode"]
_PLACE = ["patient_id", "sample_id", "tissue", "visit", "session_phase"]
_ARMS = (("1", "VJ_1"), ("2", "VDJ_1"))
_SEQUENCE = ("locus", "v_call", "j_call", "junction", "junction_aa")
_ALPHA = 0.05


def tabulate_clones(
    clone_cells: pd.DataFrame, receptors: pd.DataFrame, layout: pd.DataFrame, cells: pd.DataFrame
) -> pd.DataFrame:
    """Clones per library: the release table ``clones``.

    Parameters
    ----------
    clone_cells
        As `define_clones` returns them.
    receptors
        Of all libraries, with ``library_id``.
    layout
        Sample of each library.
    cells
        The table of all cells, for ``qc_pass``.

    Returns
    -------
    A row per clone and library. ``n_cells`` counts all its cells, ``n_cells_qc`` those that pass
    QC; ``locus_1 v_call_1 j_call_1 junction_1 junction_aa_1`` is the clone's VJ chain, ``_2`` its
    VDJ chain; ``clone_source`` is the best of its cells there.
    """
    table = clone_cells.merge(cells[[*_CELL, "qc_pass"]], on=_CELL, how="left")
    table["source"] = table["clone_source"].map({s: i for i, s in enumerate(CLONE_SOURCES)})
    grouped = table.groupby(["clone_key", "library_id"], as_index=False).agg(
        n_cells=("cell_barcode", "size"), n_cells_qc=("qc_pass", "sum"), source=("source", "min")
    )
    grouped["clone_source"] = grouped["source"].map(dict(enumerate(CLONE_SOURCES))).astype("str")
    grouped["n_cells_qc"] = grouped["n_cells_qc"].astype("int64")
    grouped = grouped.merge(layout[["library_id", *_PLACE]], on="library_id")
    grouped = grouped.merge(_chains_of(clone_cells, receptors), on="clone_key", how="left")
    first = list(RELEASE_TABLES["clones"])
    rest = [c for c in grouped.columns if c not in first and c != "source"]
    return grouped[[*first, *rest]].sort_values(["clone_key", "library_id"], ignore_index=True)


def _chains_of(clone_cells: pd.DataFrame, receptors: pd.DataFrame) -> pd.DataFrame:
    """Chains of one cell of each clone whose primary chains are those of the clone's key."""
    table = clone_cells.merge(receptors, on=_CELL)
    named = pd.Series("", index=table.index, dtype="str")
    for _, slot in _ARMS:
        parts = [table[f"{slot}_{name}"].fillna("") for name in ("locus", "v_call", "junction")]
        named = named + "|" + (parts[0] + ":" + parts[1] + ":" + parts[2]).where(parts[0] != "", "")
    table["is_named"] = table["patient_id"] + named == table["clone_key"]
    table = table.sort_values(
        ["clone_key", "is_named", *_CELL], ascending=[True, False, True, True]
    )
    chosen = table.drop_duplicates("clone_key")
    columns = {f"{slot}_{name}": f"{name}_{n}" for n, slot in _ARMS for name in _SEQUENCE}
    return chosen[["clone_key", "invariant", *columns]].rename(columns=columns)


def track_clones(clones: pd.DataFrame, visits: Sequence[str], options: TcrOptions) -> pd.DataFrame:
    """How clones move between visits: the release table ``clone_tracking``.

    Consecutive visits, and the first against the last, within patient and tissue, resting samples
    and cells that pass QC. Under the null of an unchanged frequency the later count of a clone with
    K cells over both visits follows a beta-binomial with mean ``depth_to / (depth_from +
    depth_to)`` and overdispersion rho (`hiaim_sc.stats.clone_change_test`). The p-values describe
    clones; no comparison of arms is made of them.

    Parameters
    ----------
    clones
        As `tabulate_clones` returns them.
    visits
        In the order of the design.
    options
        ``tracking_rho`` and ``tracking_min_total``.

    Returns
    -------
    ``p_value`` is two-sided (twice the smaller side), missing below ``tracking_min_total`` cells;
    ``q_value`` is Benjamini-Hochberg's within patient, tissue and pair of visits.

    References
    ----------
    Rytlewski et al. 2019, PLoS One 14:e0213684, doi:10.1371/journal.pone.0213684.
    """
    at_rest = clones[(clones["session_phase"] == "rest") & (clones["n_cells_qc"] > 0)]
    counts = at_rest.groupby(["patient_id", "tissue", "visit", "clone_key"])["n_cells_qc"].sum()
    pairs = list(pairwise(visits))
    if len(visits) > 2:
        pairs.append((visits[0], visits[-1]))
    found = []
    for (patient, tissue), group in counts.groupby(level=["patient_id", "tissue"]):
        by_visit = group.droplevel(["patient_id", "tissue"]).unstack("visit")
        for start, end in pairs:
            if start in by_visit and end in by_visit:
                changes = _compare_visits(by_visit[start], by_visit[end], options)
                found.append(
                    changes.assign(
                        patient_id=patient, tissue=tissue, visit_from=start, visit_to=end
                    )
                )
    columns = list(RELEASE_TABLES["clone_tracking"])
    if not found:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    return pd.concat(found, ignore_index=True)[columns]


def _compare_visits(start: pd.Series, end: pd.Series, options: TcrOptions) -> pd.DataFrame:
    counts = pd.DataFrame({"n_from": start, "n_to": end}).fillna(0).astype("int64")
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
    counts["class"] = _classify(counts, tested)
    return counts


def _classify(counts: pd.DataFrame, tested: np.ndarray) -> np.ndarray:
    is_called = counts["q_value"] <= _ALPHA
    masks = {
        "novel": counts["n_from"] == 0,
        "lost": counts["n_to"] == 0,
        "untestable": ~tested,
        "expanded": is_called & (counts["log2_fc"] > 0),
        "contracted": is_called & (counts["log2_fc"] < 0),
    }
    return np.select([np.asarray(m) for m in masks.values()], list(masks), default="persistent")


def share_clones(clones: pd.DataFrame) -> pd.DataFrame:
    """Overlap of receptors between all pairs of samples: the release table ``sharing``.

    Receptors are compared without the patient: a receptor in two patients is contamination, a
    swap, or public. ``jaccard`` is |A and B| / |A or B|; ``morisita_horn`` is 2 sum(x y) /
    ((sum(x^2) / X^2 + sum(y^2) / Y^2) X Y), with counts x, y and totals X, Y.

    Parameters
    ----------
    clones
        As `tabulate_clones` returns them; all cells of a clone count.
    """
    samples = np.sort(clones["sample_id"].unique())
    patient = clones.drop_duplicates("sample_id").set_index("sample_id")["patient_id"]
    receptor = clones["clone_key"].str.split("|", n=1).str[1]
    rows = np.searchsorted(samples, clones["sample_id"].to_numpy(dtype=samples.dtype))
    codes, unique = pd.factorize(receptor)
    counts = coo_array(
        (clones["n_cells"].to_numpy(dtype=float), (rows, codes)), shape=(len(samples), len(unique))
    ).tocsr()
    present = counts.copy()
    present.data = np.ones_like(present.data)
    shared, product = (present @ present.T).toarray(), (counts @ counts.T).toarray()
    first, second = np.triu_indices(len(samples), k=1)
    richness, total, square = shared.diagonal(), counts.sum(axis=1), product.diagonal()
    n_shared = shared[first, second]
    with np.errstate(invalid="ignore", divide="ignore"):
        jaccard = n_shared / (richness[first] + richness[second] - n_shared)
        simpson = square / total**2
        spread = (simpson[first] + simpson[second]) * total[first] * total[second]
        morisita_horn = 2 * product[first, second] / spread
    owner = patient.reindex(samples).to_numpy()
    return pd.DataFrame(
        {
            "sample_id_1": samples[first],
            "sample_id_2": samples[second],
            "same_patient": owner[first] == owner[second],
            "n_shared": n_shared.astype("int64"),
            "jaccard": jaccard,
            "morisita_horn": morisita_horn,
        }
    )


def alias_clones(previous: pd.DataFrame | None, current: pd.DataFrame) -> pd.DataFrame:
    """Clones whose key changed since the last release: the release table ``clone_aliases``.

    Parameters
    ----------
    previous, current
        `define_clones` of the last release and of this one; None where there is no last release.

    Returns
    -------
    ``old_key new_key reason``: ``merged`` where cells of several old clones are now one,
    ``renamed`` otherwise.
    """
    columns = list(RELEASE_TABLES["clone_aliases"])
    empty = pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    if previous is None or previous.empty or current.empty:
        return empty
    both = previous.merge(current, on=_CELL, suffixes=("_old", "_new"))
    moves = both.groupby(["clone_key_old", "clone_key_new"]).size().reset_index(name="n")
    moves = moves.sort_values(
        ["clone_key_old", "n", "clone_key_new"], ascending=[True, False, True]
    )
    moves = moves.drop_duplicates("clone_key_old")
    n_old = moves.groupby("clone_key_new")["clone_key_old"].transform("nunique")
    moves["reason"] = np.where(n_old > 1, "merged", "renamed")
    moves = moves[moves["clone_key_old"] != moves["clone_key_new"]]
    if moves.empty:
        return empty
    moves = moves.rename(columns={"clone_key_old": "old_key", "clone_key_new": "new_key"})
    return moves[columns].sort_values(["old_key"], ignore_index=True)
