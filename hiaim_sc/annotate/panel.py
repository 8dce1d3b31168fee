"""The marker panel: which genes speak for and against which cell type."""

from __future__ import annotations

from importlib.resources import files
from itertools import count
from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.names import COARSE_OF_CELL_TYPE

if TYPE_CHECKING:
    from pathlib import Path

LEVELS = ("compartment", "lineage", "state")
_COLUMNS = ["cell_type", "gene", "sign", "level", "parent", "source"]


def read_panel(path: Path | None) -> pd.DataFrame:
    """The marker panel, sorted; the packaged one when no path is given.

    Parameters
    ----------
    path
        A tab-separated table with the columns below, or None.

    Returns
    -------
    ``cell_type gene sign level parent source``: ``sign`` is 1 (speaks for) or -1 (against);
    ``level`` is compartment, lineage (within T) or state (within T or NK).

    Raises
    ------
    UserInputError
        With every fault of the table.
    """
    source = files("hiaim_sc.annotate") / "panel.tsv" if path is None else path
    with source.open(encoding="utf-8") as handle:
        table = pd.read_csv(handle, sep="\t", dtype=str, keep_default_na=False)
    name = "panel.tsv" if path is None else path.name
    missing = [column for column in _COLUMNS if column not in table]
    if missing:
        raise UserInputError(
            [Fault(name, 1, column, "", "this column is required") for column in missing]
        )
    faults = _find_faults(name, table)
    if faults:
        raise UserInputError(faults)
    table["sign"] = table["sign"].astype("int64")
    return table[_COLUMNS].sort_values(["level", "cell_type", "sign", "gene"], ignore_index=True)


def _find_faults(name: str, table: pd.DataFrame) -> list[Fault]:
    vocabulary = {"sign": ("1", "-1"), "level": LEVELS}
    faults = [
        Fault(name, line, column, value, f"one of {', '.join(allowed)}")
        for column, allowed in vocabulary.items()
        for line, value in enumerate(table[column], start=2)
        if value not in allowed
    ]
    known = ", ".join(COARSE_OF_CELL_TYPE)
    is_unknown = (table["level"] == "compartment") & ~table["cell_type"].isin(COARSE_OF_CELL_TYPE)
    faults += [
        Fault(name, line, "cell_type", cell_type, f"one of {known}")
        for line, cell_type, bad in zip(count(2), table["cell_type"], is_unknown, strict=False)
        if bad
    ]
    twice = table.duplicated(["level", "cell_type", "gene"])
    faults += [
        Fault(name, line, "gene", gene, "once for a cell type")
        for line, gene, bad in zip(count(2), table["gene"], twice, strict=False)
        if bad
    ]
    return faults


def panel_genes(features: pd.DataFrame, panel: pd.DataFrame) -> pd.DataFrame:
    """Genes to be gathered: the highly variable ones and those of the panel.

    Parameters
    ----------
    features
        ``gene_id symbol highly_variable``.
    panel
        As `read_panel` returns it; its genes are symbols or gene ids.

    Returns
    -------
    ``gene_id symbol highly_variable in_panel``.
    """
    wanted = set(panel["gene"])
    in_panel = features["symbol"].isin(wanted) | features["gene_id"].isin(wanted)
    table = features[["gene_id", "symbol", "highly_variable"]].assign(in_panel=in_panel)
    return table[table["highly_variable"] | table["in_panel"]].reset_index(drop=True)
