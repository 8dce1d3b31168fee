"""Clones: cells of one patient with the same receptor.

A *chain token* is an integer that stands for a chain's nucleotide junction (and V gene, where these
must agree); -1 stands for no chain. Everything below works on arrays of tokens, a row per cell.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

from hiaim_sc.tcr.receptors import SLOTS

if TYPE_CHECKING:
    from typing import Self

    import numpy as np
    import pandas as pd


_ABSENT: Final = -1
CLONE_CELL_COLUMNS: Final = (
    "library_id",
    "cell_barcode",
    "patient_id",
    "clone_key",
    "clone_source",
)


@dataclass(frozen=True)
class ChainTokens:
    """The chains of each cell as integers.

    Attributes
    ----------
    group
        (n_cells,) patient and receptor subtype: cells of two groups are never one clone.
    vj, vdj
        (n_cells, 2) tokens of the primary and the secondary chain, -1 where there is none. A
        secondary chain never stands without a primary one.
    """

    group: np.ndarray
    vj: np.ndarray
    vdj: np.ndarray

    @classmethod
    def of(cls, cells: pd.DataFrame, *, same_v_gene: bool) -> Self:
        """Tokens of receptors; a chain without nucleotide junction is no chain here."""
        group = cells.groupby(["patient_id", "receptor_subtype"], sort=True).ngroup().to_numpy()
        tokens = {slot: _chain_texts(cells, slot, same_v_gene=same_v_gene) for slot in SLOTS}
        return cls(
            group,
            _encode(tokens["VJ_1"], tokens["VJ_2"]),
            _encode(tokens["VDJ_1"], tokens["VDJ_2"]),
        )

    @property
    def is_paired(self) -> np.ndarray:
        """(n_cells,) whether the cell has both arms."""
        return (self.vj[:, 0] != _ABSENT) & (self.vdj[:, 0] != _ABSENT)
