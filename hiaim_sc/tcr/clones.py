"""Clones: cells of one patient with the same receptor."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
from scipy import sparse
from scipy.sparse.csgraph import connected_components

from hiaim_sc.tcr.chains import ABSENT, CHAIN_COLUMNS, group_rows, read_chains
from hiaim_sc.tcr.clone_keys import name_clones
from hiaim_sc.tcr.rescue import rescue_orphans

if TYPE_CHECKING:
    from hiaim_sc.config import TcrOptions

_READ: Final = ("library_id", "cell_barcode", "patient_id", "receptor_subtype", *CHAIN_COLUMNS)
CLONE_CELL_COLUMNS: Final = (
    "library_id",
    "cell_barcode",
    "patient_id",
    "clone_key",
    "clone_source",
)


def define_clones(receptors: pd.DataFrame, options: TcrOptions) -> pd.DataFrame:
    """Clone of every cell whose receptor can have one, sorted by library and cell barcode.

    Two cells are of one clone when patient and `receptor_subtype` agree, both have the same arms,
    and in each arm the nucleotide junction agrees (and V, with `options.same_v_gene`): of the
    primary chains (``primary_only``), of all chains in either order (``all``), or of at least one
    chain (``any``: transitive, the connected components of cells that share a VJ-VDJ pair). This
    is scirpy's `define_clonotypes` over both arms, within patient.

    No clone have: cells that are ``multichain``, ``ambiguous``, ``no IR`` or no T cells, ``two full
    chains`` that are also predicted doublets, and cells without any nucleotide junction.

    Parameters
    ----------
    receptors
        Receptors of all libraries (`call_receptors`), with `library_id`, `patient_id` and
        `predicted_doublet`.
    options
        `dual_ir`, `same_v_gene`, `orphan_rescue`.

    Returns
    -------
    pandas.DataFrame
        `CLONE_CELL_COLUMNS`. `clone_source`: ``paired``; ``orphan``, a clone of single-chain cells;
        ``rescued``, a single-chain cell in the clone of paired cells that alone has its chain
        (`rescue_orphans`).

    Raises
    ------
    ValueError
        When a cell stands twice or has no patient.
    """
    if receptors.empty:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in CLONE_CELL_COLUMNS})
    _check_cells(receptors)
    cells = receptors.loc[can_have_clone(receptors), list(_READ)].sort_values(
        ["library_id", "cell_barcode"], ignore_index=True
    )
    chains = read_chains(cells)
    has_chain = chains.has_vj | chains.has_vdj
    cells, chains = cells[has_chain].reset_index(drop=True), chains.take(has_chain)
    group = group_rows([cells["patient_id"].to_numpy(), cells["receptor_subtype"].to_numpy()])
    clone = link_cells(group, chains.tokens(same_v_gene=options.same_v_gene), options.dual_ir)
    source = np.where(chains.is_paired, "paired", "orphan").astype(object)
    if options.orphan_rescue:
        with_secondary = options.dual_ir != "primary_only"
        home = rescue_orphans(group, chains, clone, with_secondary=with_secondary)
        source[home != ABSENT] = "rescued"
        clone = np.where(home != ABSENT, home, clone)
    key = name_clones(
        cells["patient_id"],
        clone,
        chains,
        defines=source != "rescued",
        with_secondary=options.dual_ir == "all",
    )
    return cells.assign(clone_key=key, clone_source=source)[list(CLONE_CELL_COLUMNS)]


def can_have_clone(receptors: pd.DataFrame) -> np.ndarray:
    """(n_cells,) whether the pairing of chains allows a clone at all."""
    pairing = receptors["chain_pairing"]
    is_flagged = (
        receptors["predicted_doublet"].eq(other=True).to_numpy(bool)
    )  # missing: not flagged
    is_doublet = is_flagged & (pairing == "two full chains").to_numpy()
    is_clear = ~pairing.isin(("multichain", "ambiguous", "no IR")).to_numpy()
    return (receptors["receptor_type"] == "TCR").to_numpy() & is_clear & ~is_doublet


def link_cells(group: np.ndarray, tokens: np.ndarray, dual_ir: str) -> np.ndarray:
    """(n_cells,) number of each cell's clone.

    Parameters
    ----------
    group
        (n_cells,) integers: cells of different groups are never linked.
    tokens
        (n_cells, 4) chains of VJ_1, VJ_2, VDJ_1, VDJ_2 as integers, `ABSENT` for none.
    dual_ir
        Which chains must agree: ``primary_only``, ``all`` or ``any``.
    """
    if dual_ir == "primary_only":
        return group_rows([group, tokens[:, 0], tokens[:, 2]])
    if dual_ir == "all":
        arms = np.hstack([np.sort(tokens[:, :2], axis=1), np.sort(tokens[:, 2:], axis=1)])
        return group_rows([group, *arms.T])
    return _link_by_any_pair(group, tokens)


def _link_by_any_pair(group: np.ndarray, tokens: np.ndarray) -> np.ndarray:
    """Connected components of the graph that joins each cell to its VJ-VDJ pairs."""
    n_cells = len(group)
    cell, vj, vdj = [], [], []
    for i in (0, 1):
        for j in (2, 3):
            # The absent chain of an orphan counts once, as the primary one.
            is_pair = ((tokens[:, i] != ABSENT) | (i == 0)) & ((tokens[:, j] != ABSENT) | (j == 2))
            cell.append(np.flatnonzero(is_pair))
            vj.append(tokens[is_pair, i])
            vdj.append(tokens[is_pair, j])
    cells = np.concatenate(cell)
    pairs = group_rows([group[cells], np.concatenate(vj), np.concatenate(vdj)])
    n_nodes = n_cells + (pairs.max() + 1 if len(pairs) else 0)
    edges = sparse.coo_array(
        (np.ones(len(cells), dtype=bool), (cells, n_cells + pairs)), shape=(n_nodes, n_nodes)
    )
    return connected_components(edges.tocsr(), directed=False)[1][:n_cells].astype(np.int64)


def _check_cells(receptors: pd.DataFrame) -> None:
    n_twice = int(receptors.duplicated(["library_id", "cell_barcode"]).sum())
    if n_twice:
        message = f"{n_twice} cells stand twice (same library_id and cell_barcode)"
        raise ValueError(message)
    n_without = int(receptors["patient_id"].isna().sum())
    if n_without:
        message = f"{n_without} cells have no patient_id: a clone is of one patient"
        raise ValueError(message)
