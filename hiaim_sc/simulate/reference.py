"""The packaged tables: marker genes, cell states, composition, gene segments, antigens, alleles."""

from __future__ import annotations

from functools import cache
from importlib.resources import files

import pandas as pd


@cache
def reference_table(name: str) -> pd.DataFrame:
    """A packaged table, text where empty; not to be changed by the caller.

    Parameters
    ----------
    name
        `markers` (group, gene, counts of it in a cell of 3,000), `states` (state, cell type, RNA
        content, groups), `fine_states` (the same, with the name and the flags of the state, the
        cells it comes from and how frequent it is among them), `groups` (number and log2 fold of
        the genes without a name that a group raises or lowers), `composition` (share of cell types
        by tissue), `segments` (V and J genes), `antigens`, `alleles`.
    """
    with (
        files("hiaim_sc.simulate").joinpath("tables", f"{name}.tsv").open(encoding="utf-8") as file
    ):
        return pd.read_csv(file, sep="\t", keep_default_na=False)
