"""One spelling of V genes, whoever wrote them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.tcr.receptors import first_call

if TYPE_CHECKING:
    import pandas as pd


def spell_gene(calls: pd.Series) -> pd.Series:
    """First gene of each call without its allele, as Cell Ranger spells it; missing where none.

    ``TRAV14/DV4*01`` is ``TRAV14DV4``, ``TRBV12-3/12-4`` is ``TRBV12-3``, ``TCRBV06-05`` is
    ``TRBV6-5``; McPAS-TCR writes ``TRBV19:01``.
    """
    text = calls.astype("str").str.strip().str.upper().str.replace(":", "*", regex=False)
    gene = first_call(text).astype("str").str.replace("/DV", "DV", regex=False)
    gene = gene.str.replace(r"/.*", "", regex=True)
    gene = gene.str.replace(r"^TCR([ABGD])", r"TR\1", regex=True)
    gene = gene.str.replace(r"(?<=[V-])0+(?=\d)", "", regex=True)
    return gene.where(gene.str.match(r"TR[ABGD]V\d").eq(other=True))
