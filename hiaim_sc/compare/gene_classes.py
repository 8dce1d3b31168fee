"""Genes that differ between samples for other reasons than what a cell does."""

from __future__ import annotations

from hiaim_sc.integrate import reason_to_exclude
from hiaim_sc.names.genes import gene_set

_NO_DISCOVERY = ("haemoglobin", "dissociation")


def classify_gene(symbol: str) -> str:
    """Why a gene's change is no discovery; empty for all other genes.

    ``receptor`` (V, D, J and C genes of T- and B-cell receptors: they follow the clones), ``sex``
    (XIST and the Y chromosome), ``mitochondrial`` and ``ribosomal`` (the state of the cell and of
    its preparation), ``haemoglobin`` (red cells around it), ``dissociation`` (the digestion).

    >>> classify_gene("TRBV20-1"), classify_gene("HBB"), classify_gene("FOS"), classify_gene("GZMB")
    ('receptor', 'haemoglobin', 'dissociation', '')
    """
    if reason := reason_to_exclude(symbol):
        return reason
    return next((name for name in _NO_DISCOVERY if symbol in gene_set(name)), "")
