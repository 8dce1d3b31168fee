"""The chains of each cell as integers, so that receptors are compared on whole columns."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.tcr.receptors import SLOTS, first_call

if TYPE_CHECKING:
    from collections.abc import Sequence

ABSENT: Final = -1
CHAIN_COLUMNS: Final = tuple(
    f"{slot}_{field}" for slot in SLOTS for field in ("locus", "v_call", "junction")
)


@dataclass(frozen=True)
class Chains:
    """Chains of cells.

    Attributes
    ----------
    ids
        (n_cells, 4) id of the chain in each of `SLOTS`, `ABSENT` where there is none. A secondary
        chain never stands without a primary one.
    texts
        ``LOCUS:v_call:junction`` of each id, sorted.
    """

    ids: np.ndarray
    texts: np.ndarray

    @property
    def has_vj(self) -> np.ndarray:
        """(n_cells,) bool."""
        return self.ids[:, 0] != ABSENT

    @property
    def has_vdj(self) -> np.ndarray:
        """(n_cells,) bool."""
        return self.ids[:, 2] != ABSENT

    @property
    def is_paired(self) -> np.ndarray:
        """(n_cells,) whether the cell has both arms."""
        return self.has_vj & self.has_vdj

    def tokens(self, *, same_v_gene: bool) -> np.ndarray:
        """(n_cells, 4) integers, equal where two chains count as the same one."""
        if same_v_gene:
            return self.ids
        parts = pd.Series(self.texts, dtype="str").str.split(":", expand=True)
        without_v = pd.factorize(parts[0] + ":" + parts[2])[0] if len(parts) else np.array([], int)
        return np.where(self.ids == ABSENT, ABSENT, np.append(without_v, ABSENT)[self.ids])

    def take(self, cells: np.ndarray) -> Chains:
        """The chains of some of the cells."""
        return Chains(self.ids[cells], self.texts)

    def describe(self, ids: np.ndarray) -> pd.Series:
        """Texts of ids; empty where there is no chain."""
        return pd.Series(np.append(self.texts, "")[ids], dtype="str")


def read_chains(receptors: pd.DataFrame) -> Chains:
    """Chains in the slots of `receptors`; one without a nucleotide junction is no chain."""
    columns = [_chain_texts(receptors, slot) for slot in SLOTS]
    codes, texts = pd.factorize(pd.concat(columns, ignore_index=True), sort=True)
    ids = codes.reshape(len(SLOTS), len(receptors)).T
    return Chains(np.hstack([_close_up(ids[:, :2]), _close_up(ids[:, 2:])]), np.asarray(texts))


def group_rows(columns: Sequence[np.ndarray]) -> np.ndarray:
    """(n_rows,) number of the group of rows that are equal in all columns."""
    table = pd.DataFrame(dict(enumerate(columns)))
    return table.groupby(list(table.columns), sort=True).ngroup().to_numpy()


def _chain_texts(receptors: pd.DataFrame, slot: str) -> pd.Series:
    locus, junction = receptors[f"{slot}_locus"], receptors[f"{slot}_junction"]
    text = locus + ":" + first_call(receptors[f"{slot}_v_call"]).fillna("") + ":" + junction
    return text.where(junction.fillna("") != "").astype("str")


def _close_up(ids: np.ndarray) -> np.ndarray:
    """Both chains of an arm, the secondary one moved up where the primary is no chain."""
    is_gap = ids[:, :1] == ABSENT
    return np.where(is_gap, np.hstack([ids[:, 1:], ids[:, :1]]), ids)
