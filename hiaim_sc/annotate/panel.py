"""The marker panel: which genes speak for and against which cell type."""

from __future__ import annotations

from importlib.resources import files
from itertools import count
from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.errors import Fault, UserInputError
from hiaim_sc.names import COARSE_OF_CELL_TYPE
from hiaim_sc.storage import StoredCounts

if TYPE_CHECKING:
    from pathlib import Path

    from anndata import AnnData

    from hiaim_sc.storage import ReadableCounts

LEVELS = ("compartment", "lineage", "state", "flag")
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
    ``level`` is compartment, lineage (within T), state (within the lineage that is its ``parent``)
    or flag (beside the state: proliferating, stressed, activated).

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
    faults += _find_orphans(name, table)
    twice = table.duplicated(["level", "cell_type", "gene"])
    faults += [
        Fault(name, line, "gene", gene, "once for a cell type")
        for line, gene, bad in zip(count(2), table["gene"], twice, strict=False)
        if bad
    ]
    return faults


def _find_orphans(name: str, table: pd.DataFrame) -> list[Fault]:
    """Lineages and states whose parent the table does not have, so that they would not be told."""
    known = sorted(set(table.loc[table["level"].isin(["compartment", "lineage"]), "cell_type"]))
    has_parent = table["level"].isin(["lineage", "state"])
    orphans = table.loc[has_parent & ~table["parent"].isin(known), "parent"]
    return [
        Fault(name, int(line) + 2, "parent", parent, f"one of {', '.join(known)}")
        for line, parent in orphans.items()
    ]


def panel_genes(
    features: pd.DataFrame, panel: pd.DataFrame, signatures: pd.DataFrame
) -> pd.DataFrame:
    """Genes to be gathered: the highly variable ones, those of the panel and of the signatures.

    Parameters
    ----------
    features
        ``gene_id symbol highly_variable``.
    panel, signatures
        As `read_panel` and `read_signatures` return them; genes are symbols or gene ids.

    Returns
    -------
    ``gene_id symbol highly_variable in_panel in_signature``.
    """
    table = features[["gene_id", "symbol", "highly_variable"]].copy()
    for name, wanted in (("in_panel", panel["gene"]), ("in_signature", signatures["gene"])):
        table[name] = table["symbol"].isin(set(wanted)) | table["gene_id"].isin(set(wanted))
    is_wanted = table[["highly_variable", "in_panel", "in_signature"]].any(axis=1)
    return table[is_wanted].reset_index(drop=True)


def without_signatures(selected: AnnData | StoredCounts) -> AnnData | StoredCounts:
    """The counts that cell types are told by: genes that only a signature wants are left out.

    Scores are ranks among the genes of a cell, so that a further gene would move them.
    """
    told_by = (selected.var["highly_variable"] | selected.var["in_panel"]).to_numpy()
    return (
        selected.of_genes(told_by) if isinstance(selected, StoredCounts) else selected[:, told_by]
    )


def find_columns(selected: ReadableCounts, wanted: set[str]) -> dict[str, int]:
    """Column of each wanted gene that is there, by the name it is wanted by; the first of twins."""
    columns: dict[str, int] = {}
    symbols = selected.var["symbol"].astype(str)
    for position, (gene_id, symbol) in enumerate(zip(selected.var.index, symbols, strict=True)):
        for name in (symbol, gene_id):
            if name in wanted:
                columns.setdefault(name, position)
    return columns
