"""Cells with one chain only, brought home to the clone that has this chain."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.tcr.chains import ABSENT

if TYPE_CHECKING:
    from hiaim_sc.tcr.chains import Chains

_AMBIGUOUS: Final = -2


def rescue_orphans(
    group: np.ndarray, chains: Chains, clone: np.ndarray, *, with_secondary: bool
) -> np.ndarray:
    """(n_cells,) clone that a single-chain cell joins, `ABSENT` where it joins none.

    A cell with VDJ chains only joins when exactly one clone of paired cells, in its own group, has
    one of its chains: nucleotide junction and V gene. Cells with VJ chains only join none: these
    chains have too little variety, and unrelated clones share them.

    Parameters
    ----------
    group, clone
        (n_cells,) integers.
    chains
        Chains of the cells.
    with_secondary
        Whether secondary chains count too.
    """
    slots = [2, 3] if with_secondary else [2]
    orphans = np.flatnonzero(~chains.has_vj & chains.has_vdj)
    paired = np.flatnonzero(chains.is_paired)
    found = _lookup(
        _owners(group[paired], chains.ids[paired][:, slots], clone[paired]),
        group[orphans],
        chains.ids[orphans][:, slots],
    )
    home = np.full(len(clone), ABSENT)
    home[orphans] = _agreed(found)
    return home


def _owners(group: np.ndarray, ids: np.ndarray, clone: np.ndarray) -> pd.Series:
    """Clone that alone has a chain, by group and chain; `_AMBIGUOUS` where several have it."""
    owners = pd.DataFrame(
        {
            "group": np.repeat(group, ids.shape[1]),
            "chain": ids.ravel(),
            "clone": np.repeat(clone, ids.shape[1]),
        }
    )
    owners = owners[owners["chain"] != ABSENT].drop_duplicates()
    by_chain = owners.groupby(["group", "chain"], sort=True)["clone"]
    first, n_clones = by_chain.min(), by_chain.size()
    return first.where(n_clones == 1, _AMBIGUOUS)


def _lookup(owners: pd.Series, group: np.ndarray, ids: np.ndarray) -> np.ndarray:
    """(n_cells, n_slots) the owner of each chain; `ABSENT` where there is no chain or no owner."""
    wanted = pd.MultiIndex.from_arrays([np.repeat(group, ids.shape[1]), ids.ravel()])
    return owners.reindex(wanted).fillna(ABSENT).to_numpy(np.int64).reshape(ids.shape)


def _agreed(found: np.ndarray) -> np.ndarray:
    """(n_cells,) the one clone found over the slots, `ABSENT` where none, several or ambiguous."""
    largest = found.max(axis=1, initial=ABSENT)
    is_one = ((found == largest[:, None]) | (found == ABSENT)).all(axis=1)
    return np.where(is_one, largest, ABSENT)
