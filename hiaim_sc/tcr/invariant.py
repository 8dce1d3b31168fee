"""Invariant T cells, told by the genes and the length of their alpha chain."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class InvariantRule:
    """What makes a T cell invariant (human).

    Attributes
    ----------
    name
        ``MAIT`` or ``iNKT``.
    v_alpha, j_alpha
        Gene of the alpha chain's V, and its possible Js.
    lengths
        Possible lengths of `junction_aa`, conserved residues included.
    v_beta
        What V of the beta chain must be, where the cell has one; empty: anything.
    """

    name: str
    v_alpha: str
    j_alpha: tuple[str, ...]
    lengths: tuple[int, ...]
    v_beta: str


# Most MAIT have TRBV6 or TRBV20, a quarter do not, and chance hardly makes this alpha chain: it
# decides alone. iNKT are so rare that chance does compete, so their beta chain must agree.
RULES: Final = (
    InvariantRule("MAIT", "TRAV1-2", ("TRAJ33", "TRAJ20", "TRAJ12"), (12,), ""),
    InvariantRule("iNKT", "TRAV10", ("TRAJ18",), (14, 15, 16), "TRBV25-1"),
)


def call_invariant(receptors: pd.DataFrame) -> np.ndarray:
    """``MAIT``, ``iNKT`` or empty text, per cell.

    Either alpha chain may fit; so must one of the beta chains, where the cell has any. A cell
    called on its alpha chain alone is seen by its `chain_pairing`, ``orphan VJ``. Cells with more
    than two chains of an arm, or of mixed receptors, are not called.

    Parameters
    ----------
    receptors
        A row per cell, with `receptor_subtype` and the slots.
    """
    is_ab = (receptors["receptor_subtype"] == "TRA+TRB").to_numpy()
    called = np.full(len(receptors), "", dtype=object)
    for rule in RULES:
        called[is_ab & _alpha_fits(receptors, rule) & _beta_fits(receptors, rule)] = rule.name
    return called


def _alpha_fits(receptors: pd.DataFrame, rule: InvariantRule) -> np.ndarray:
    fits = np.zeros(len(receptors), dtype=bool)
    for slot in ("VJ_1", "VJ_2"):
        has_genes = (receptors[f"{slot}_v_call"] == rule.v_alpha) & receptors[
            f"{slot}_j_call"
        ].isin(rule.j_alpha)
        fits |= (
            has_genes & receptors[f"{slot}_junction_aa"].str.len().isin(rule.lengths)
        ).to_numpy(bool)
    return fits


def _beta_fits(receptors: pd.DataFrame, rule: InvariantRule) -> np.ndarray:
    fits = (receptors["n_VDJ"] == 0).to_numpy() | (rule.v_beta == "")
    for slot in ("VDJ_1", "VDJ_2"):
        fits = fits | (receptors[f"{slot}_v_call"] == rule.v_beta).to_numpy(bool)
    return fits
