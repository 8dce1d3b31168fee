"""Genes that differ between samples for other reasons than what a cell does."""

from __future__ import annotations

from hiaim_sc.integrate import reason_to_exclude


def classify_gene(symbol: str) -> str:
    """Why a gene's change is no discovery, for the reasons for which it is not embedded either.

    >>> classify_gene("TRBV20-1"), classify_gene("HBB"), classify_gene("FOS"), classify_gene("GZMB")
    ('receptor', 'haemoglobin', 'dissociation', '')
    """
    return reason_to_exclude(symbol)
