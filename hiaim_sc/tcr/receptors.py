"""From the contigs of one library to one receptor per cell.

A cell has up to two counted chains per arm, its *slots*: ``VJ_1``, ``VJ_2`` (TRA, TRG, and the
light chains of B cells) and ``VDJ_1``, ``VDJ_2`` (TRB, TRD, IGH). Slot 1 is the primary chain.
The rules and the words are scirpy's (`index_chains`, `chain_qc`), computed here on whole columns.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.tcr.invariant import call_invariant

if TYPE_CHECKING:
    from hiaim_sc.config import TcrOptions

VJ_LOCI: Final = ("TRA", "TRG", "IGK", "IGL")
VDJ_LOCI: Final = ("TRB", "TRD", "IGH")
_LOCI: Final = (*VJ_LOCI, *VDJ_LOCI)
_ARMS: Final = ("VJ", "VDJ")
SLOTS: Final = ("VJ_1", "VJ_2", "VDJ_1", "VDJ_2")
_TEXTS: Final = ("locus", "v_call", "j_call", "c_call", "junction", "junction_aa")
_CALLS: Final = ("v_call", "j_call", "c_call")
_RANKED_BY: Final = ("umi_count", "consensus_count", "junction", "junction_aa", "contig_id")
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
    cell, names = pd.factorize(contigs["cell_barcode"].astype("str"), sort=True)
    chains = _rank_chains(contigs, cell, options.min_umis)
    texts = {name: contigs[name].astype("str") for name in _TEXTS}
    texts |= {name: first_call(texts[name]) for name in _CALLS}
    columns: dict[str, object] = {"cell_barcode": names}
    for arm in _ARMS:
        columns[f"n_{arm}"] = np.bincount(chains.cell[chains.arm == arm], minlength=len(names))
    for slot in SLOTS:
        row = chains.fill(slot, len(names))
        for name, values in texts.items():
            columns[f"{slot}_{name}"] = pd.Series(values.array.take(row, allow_fill=True))
        for name in _COUNTS:
            columns[f"{slot}_{name}"] = np.append(contigs[name].to_numpy(np.int64), 0)[row]
    receptors = pd.DataFrame(columns)
    receptors = receptors.assign(**_classify(receptors, chains.loci(len(names))))
    receptors["invariant"] = call_invariant(receptors)
    return receptors[list(RECEPTOR_COLUMNS)]


def first_call(calls: pd.Series) -> pd.Series:
    """The first gene call of each, without its allele: ``TRBV6-2*01,TRBV6-3`` is ``TRBV6-2``."""
    codes, unique = pd.factorize(calls.astype("str"))  # few genes, many calls
    firsts = pd.Series(unique, dtype="str").str.extract(r"^([^*,;+ ]+)", expand=False)
    return pd.Series(firsts.array.take(codes, allow_fill=True), index=calls.index)


@dataclass(frozen=True)
class _RankedChains:
    """The chains that count, the best first within cell and arm; arrays have an entry per chain.

    Attributes
    ----------
    row
        Position among the contigs.
    cell
        Number of the cell.
    locus
        Number among `_LOCI`.
    arm
        ``VJ`` or ``VDJ``.
    rank
        Within cell and arm, 1 the best.
    """

    row: np.ndarray
    cell: np.ndarray
    locus: np.ndarray
    arm: np.ndarray
    rank: np.ndarray

    def fill(self, slot: str, n_cells: int) -> np.ndarray:
        """(n_cells,) position of the contig in a slot of each cell, -1 where it is empty."""
        arm, rank = slot.split("_")
        fills = (self.arm == arm) & (self.rank == int(rank))
        row = np.full(n_cells, -1)
        row[self.cell[fills]] = self.row[fills]
        return row

    def loci(self, n_cells: int) -> dict[str, np.ndarray]:
        """Per locus (n_cells,) whether a chain of it is in the slots of the cell."""
        has = np.zeros((len(_LOCI), n_cells), dtype=bool)
        in_slot = self.rank <= 2
        has[self.locus[in_slot], self.cell[in_slot]] = True
        return dict(zip(_LOCI, has, strict=True))


def _rank_chains(contigs: pd.DataFrame, cell: np.ndarray, min_umis: int) -> _RankedChains:
    """Chains that count, ranked; `contig_id` settles ties."""
    locus = pd.Index(_LOCI).get_indexer(contigs["locus"])
    counts = contigs["productive"].to_numpy(bool) & contigs["junction_aa"].notna().to_numpy()
    counts &= (locus >= 0) & (contigs["umi_count"].to_numpy() >= min_umis)
    row, cell, locus = np.flatnonzero(counts), cell[counts], locus[counts]
    chains, is_vdj = contigs.loc[counts, list(_RANKED_BY)], locus >= len(VJ_LOCI)
    # the last key is the first one sorted by
    order = np.lexsort(
        [
            _sort_codes(chains["contig_id"]),
            -_sort_codes(chains["junction_aa"]),
            -_sort_codes(chains["junction"].fillna("")),
            -chains["consensus_count"].to_numpy(),
            -chains["umi_count"].to_numpy(),
            is_vdj,
            cell,
        ]
    )
    in_arm = pd.Series(2 * cell + is_vdj).iloc[order]
    rank = in_arm.groupby(in_arm.to_numpy()).cumcount().to_numpy() + 1
    arm = np.array(_ARMS)[is_vdj.astype(int)]
    return _RankedChains(row[order], cell[order], locus[order], arm[order], rank)


def _sort_codes(texts: pd.Series) -> np.ndarray:
    """(n,) place of each text among the different ones, sorted."""
    return pd.factorize(texts, sort=True)[0]


def _classify(receptors: pd.DataFrame, has: dict[str, np.ndarray]) -> dict[str, np.ndarray]:
    """`receptor_type`, `receptor_subtype` and `chain_pairing` of the chains in the slots."""
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
