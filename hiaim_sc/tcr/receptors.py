"""From the contigs of one library to one receptor per cell.

A cell has up to two counted chains per arm, its *slots*: ``VJ_1``, ``VJ_2`` (TRA, TRG, and the
light chains of B cells) and ``VDJ_1``, ``VDJ_2`` (TRB, TRD, IGH). Slot 1 is the primary chain.
The rules and the words are scirpy's (`index_chains`, `chain_qc`), computed here on whole columns.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.tcr.invariant import call_invariant

if TYPE_CHECKING:
    from hiaim_sc.config import TcrOptions

VJ_LOCI: Final = ("TRA", "TRG", "IGK", "IGL")
VDJ_LOCI: Final = ("TRB", "TRD", "IGH")
SLOTS: Final = ("VJ_1", "VJ_2", "VDJ_1", "VDJ_2")
_TEXTS: Final = ("locus", "v_call", "j_call", "c_call", "junction", "junction_aa")
_COUNTS: Final = ("umi_count", "consensus_count")
RECEPTOR_COLUMNS: Final = (
    "cell_barcode",
    "receptor_type",
    "receptor_subtype",
    "chain_pairing",
    "n_VJ",
    "n_VDJ",
    *(f"{slot}_{field}" for slot in SLOTS for field in (*_TEXTS, *_COUNTS)),
    "invariant",
)


def call_receptors(contigs: pd.DataFrame, options: TcrOptions) -> pd.DataFrame:
    """Receptor of every cell barcode that has a contig, sorted by `cell_barcode`.

    A chain counts when it is productive, has a `junction_aa`, a known locus and at least
    `options.min_umis` UMIs. Chains are ranked within their arm by `umi_count`, `consensus_count`,
    `junction`, `junction_aa`, largest first; the first two fill the slots. A cell none of whose
    chains counts has the pairing ``no IR``; one with more than two of an arm is ``multichain``.

    Parameters
    ----------
    contigs
        A row per contig of one library, AIRR names (see `docs/architecture.md`).
    options
        `min_umis` is read.

    Returns
    -------
    pandas.DataFrame
        `RECEPTOR_COLUMNS`. `n_VJ`, `n_VDJ`: counted chains before the cut to two. Texts of an empty
        slot are missing, its counts 0. `invariant` is ``MAIT``, ``iNKT`` or empty. Gene calls are
        the first call without its allele.
    """
    chains = _rank_chains(_countable_chains(contigs, options.min_umis))
    cells = pd.Index(np.sort(contigs["cell_barcode"].astype(str).unique()), name="cell_barcode")
    columns: dict[str, np.ndarray | pd.Series] = {
        f"n_{arm}": _count_per_cell(chains[chains["arm"] == arm], cells) for arm in ("VJ", "VDJ")
    }
    for slot in SLOTS:
        columns |= _fill_slot(chains, slot, cells)
    receptors = pd.DataFrame(columns, index=cells).reset_index()
    receptors = receptors.assign(**_classify(receptors))
    receptors["invariant"] = call_invariant(receptors)
    return receptors[list(RECEPTOR_COLUMNS)]


def first_call(calls: pd.Series) -> pd.Series:
    """The first gene call of each, without its allele: ``TRBV6-2*01,TRBV6-3`` is ``TRBV6-2``."""
    return calls.astype("str").str.extract(r"^([^*,;+ ]+)", expand=False)


def _countable_chains(contigs: pd.DataFrame, min_umis: int) -> pd.DataFrame:
    arm = np.select(
        [contigs["locus"].isin(VJ_LOCI), contigs["locus"].isin(VDJ_LOCI)], ["VJ", "VDJ"], default=""
    )
    counts = contigs["productive"].to_numpy(bool) & contigs["junction_aa"].notna().to_numpy()
    counts &= (arm != "") & (contigs["umi_count"].to_numpy() >= min_umis)
    chains = contigs.loc[counts].assign(arm=arm[counts])
    for call in ("v_call", "j_call", "c_call"):
        chains[call] = first_call(chains[call])
    return chains


def _rank_chains(chains: pd.DataFrame) -> pd.DataFrame:
    """Chains with their `rank` within cell and arm, 1 the best; `contig_id` settles ties."""
    keys = chains.assign(
        junction=chains["junction"].fillna(""), junction_aa=chains["junction_aa"].fillna("")
    ).sort_values(
        [
            "cell_barcode",
            "arm",
            "umi_count",
            "consensus_count",
            "junction",
            "junction_aa",
            "contig_id",
        ],
        ascending=[True, True, False, False, False, False, True],
    )
    ranked = chains.loc[keys.index]
    return ranked.assign(rank=ranked.groupby(["cell_barcode", "arm"]).cumcount() + 1)


def _count_per_cell(chains: pd.DataFrame, cells: pd.Index) -> np.ndarray:
    return chains["cell_barcode"].value_counts().reindex(cells, fill_value=0).to_numpy(np.int64)


def _fill_slot(chains: pd.DataFrame, slot: str, cells: pd.Index) -> dict[str, pd.Series]:
    arm, rank = slot.split("_")
    chain = chains[(chains["arm"] == arm) & (chains["rank"] == int(rank))]
    chain = chain.set_index("cell_barcode").reindex(cells)
    texts = {f"{slot}_{field}": chain[field].astype("str") for field in _TEXTS}
    counts = {f"{slot}_{field}": chain[field].fillna(0).astype(np.int64) for field in _COUNTS}
    return texts | counts


def _classify(receptors: pd.DataFrame) -> dict[str, np.ndarray]:
    """`receptor_type`, `receptor_subtype` and `chain_pairing` of the chains in the slots."""
    loci = receptors[[f"{slot}_locus" for slot in SLOTS]]
    has = {locus: (loci == locus).any(axis=1).to_numpy() for locus in (*VJ_LOCI, *VDJ_LOCI)}
    is_multichain = (receptors[["n_VJ", "n_VDJ"]] > 2).any(axis=1).to_numpy()
    has_none = (receptors[["n_VJ", "n_VDJ"]] == 0).all(axis=1).to_numpy()
    fixed = {"multichain": is_multichain, "no IR": has_none}
    subtype = _first_true(fixed | _subtypes(has))
    ab_or_gd = has["TRA"] | has["TRB"] | has["TRG"] | has["TRD"]
    b_cell = has["IGK"] | has["IGL"] | has["IGH"]
    return {
        "receptor_type": _first_true(
            fixed | {"TCR": ab_or_gd & ~b_cell, "BCR": b_cell & ~ab_or_gd}
        ),
        "receptor_subtype": subtype,
        "chain_pairing": _first_true(
            fixed | {"ambiguous": subtype == "ambiguous"} | _pairings(receptors)
        ),
    }


def _subtypes(has: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    ab, gd = has["TRA"] | has["TRB"], has["TRG"] | has["TRD"]
    heavy, kappa, light = has["IGH"], has["IGK"], has["IGL"]
    b_cell = heavy | kappa | light
    return {
        "TRA+TRB": ab & ~gd & ~b_cell,
        "TRG+TRD": gd & ~ab & ~b_cell,
        "IGH": heavy & ~kappa & ~light & ~ab & ~gd,
        "IGH+IGL": light & ~kappa & ~ab & ~gd,
        "IGH+IGK": kappa & ~light & ~ab & ~gd,
        "IGH+IGK/L": heavy & kappa & light & ~ab & ~gd,
    }


def _pairings(receptors: pd.DataFrame) -> dict[str, np.ndarray]:
    n_vj, n_vdj = receptors["n_VJ"].to_numpy(), receptors["n_VDJ"].to_numpy()
    return {
        "orphan VJ": n_vdj == 0,
        "orphan VDJ": n_vj == 0,
        "single pair": (n_vj == 1) & (n_vdj == 1),
        "extra VJ": (n_vj == 2) & (n_vdj == 1),
        "extra VDJ": (n_vj == 1) & (n_vdj == 2),
        "two full chains": (n_vj == 2) & (n_vdj == 2),
    }


def _first_true(conditions: dict[str, np.ndarray]) -> np.ndarray:
    """For each cell the first name whose condition holds, else ``ambiguous``."""
    chosen = np.select(list(conditions.values()), list(conditions), default="ambiguous")
    return chosen.astype(object)
