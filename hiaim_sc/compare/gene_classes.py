"""Genes that differ between samples for other reasons than what a cell does."""

from __future__ import annotations

import re

from hiaim_sc.integrate import reason_to_exclude

_HAEMOGLOBIN = re.compile(r"HB[ABDEGMQZ]\d?")
# Immediate early and heat shock genes, which rise while a tissue is cut and digested. A short list
# after van den Brink et al. 2017, doi:10.1038/nmeth.4437, and O'Flanagan et al. 2019,
# doi:10.1186/s13059-019-1830-0.
_DISSOCIATION = re.compile(
    r"ATF3|BAG3|BTG2|CEBPB|DNAJ(A1|B1|B4)|DUSP1|EGR[123]|FOSB?|HSP90A(A1|B1)|HSPA(1A|1B|6|8)|HSPB1"
    r"|HSP[DEH]1|IER[235]|JUN[BD]?|KLF[46]|NR4A[12]|PPP1R15A|SOCS3|UBC|ZFP36"
)


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
    if _HAEMOGLOBIN.fullmatch(symbol):
        return "haemoglobin"
    return "dissociation" if _DISSOCIATION.fullmatch(symbol) else ""
