"""Builders of small contig and receptor tables."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd
import pytest

from hiaim_sc.config import TcrOptions
from hiaim_sc.tcr import call_receptors

if TYPE_CHECKING:
    from collections.abc import Callable

# name -> locus, V, J, junction, junction_aa
_CHAINS = {
    "A1": ("TRA", "TRAV1-1", "TRAJ10", "TGTGCTACA", "CAT"),
    "A2": ("TRA", "TRAV2", "TRAJ20", "TGTGGTTCA", "CGS"),
    "A3": ("TRA", "TRAV3", "TRAJ30", "TGTAAAACA", "CKT"),
    "B1": ("TRB", "TRBV5-1", "TRBJ1-1", "TGCGCCAGC", "CAS"),
    "B1other": ("TRB", "TRBV7-2", "TRBJ1-1", "TGCGCCAGC", "CAS"),
    "B2": ("TRB", "TRBV9", "TRBJ2-1", "TGCGGCAGC", "CGS"),
    "G1": ("TRG", "TRGV9", "TRGJP", "TGTGCCTTG", "CAL"),
    "D1": ("TRD", "TRDV2", "TRDJ1", "TGTGCTTGT", "CAC"),
    "H1": ("IGH", "IGHV1-2", "IGHJ4", "TGTGCGAGA", "CAR"),
}


def _contigs(cells: dict[str, list[str]]) -> pd.DataFrame:
    """A row per chain, given as ``name`` or ``name:umis``; ``!`` before it: not productive."""
    rows = []
    for cell, chains in cells.items():
        for i, chain in enumerate(chains):
            name, _, umis = chain.lstrip("!").partition(":")
            locus, v, j, junction, junction_aa = _CHAINS[name]
            rows.append(
                {
                    "cell_barcode": cell,
                    "contig_id": f"{cell}_contig_{i + 1}",
                    "locus": locus,
                    "v_call": v,
                    "d_call": None,
                    "j_call": j,
                    "c_call": f"{locus}C",
                    "junction": junction,
                    "junction_aa": junction_aa,
                    "productive": not chain.startswith("!"),
                    "umi_count": int(umis or 5),
                    "consensus_count": 100,
                    "is_cell": True,
                    "high_confidence": True,
                }
            )
    return pd.DataFrame(rows)


@pytest.fixture(scope="session")
def make_contigs() -> Callable[[dict[str, list[str]]], pd.DataFrame]:
    return _contigs


@pytest.fixture(scope="session")
def make_receptors() -> Callable[..., pd.DataFrame]:
    """Receptors of one library, with what clones need beside them."""

    def make(cells: dict[str, list[str]], library: str = "L1", patient: str = "P1") -> pd.DataFrame:
        receptors = call_receptors(_contigs(cells), TcrOptions())
        return receptors.assign(library_id=library, patient_id=patient, predicted_doublet=False)

    return make


@pytest.fixture(scope="session")
def truth_table() -> dict[str, list[str]]:
    """Receptor configurations whose grouping is known for every clone option."""
    return {
        "c1": ["A1", "B1"],
        "c2": ["B1"],
        "c3": ["A1"],
        "c4": ["A1:5", "A2:3", "B1"],
        "c5": ["A2:9", "A1:1", "B1"],
        "c6": ["A2", "B1"],
        "c7": ["A1", "B1other"],
        "c8": ["A1", "A2", "A3", "B1"],
        "c9": ["A1:5", "A2:3", "B1:5", "B2:3"],
        "c11": ["!A1", "!B1"],
        "c12": ["G1", "D1"],
        "c13": ["A1", "B1:5", "D1:3"],
        "c14": ["A1", "B1:5", "H1:3"],
    }
