"""Contig tables of Cell Ranger and of AIRR, read into one table of AIRR names."""

from __future__ import annotations

import io
from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest._files import read_text
from hiaim_sc.names import CONTIG_COLUMNS
from hiaim_sc.study.species import BCR_LOCI, TCR_LOCI

if TYPE_CHECKING:
    from pathlib import Path

# Cell Ranger's name -> AIRR's. Its `cdr3` runs from C to F/W: that is the junction.
_FROM_CELL_RANGER = {
    "barcode": "cell_barcode",
    "contig_id": "contig_id",
    "chain": "locus",
    "v_gene": "v_call",
    "d_gene": "d_call",
    "j_gene": "j_call",
    "c_gene": "c_call",
    "cdr3_nt": "junction",
    "cdr3": "junction_aa",
    "productive": "productive",
    "umis": "umi_count",
    "reads": "consensus_count",
    "is_cell": "is_cell",
    "high_confidence": "high_confidence",
}
_FROM_AIRR = {"cell_id": "cell_barcode", "sequence_id": "contig_id"}
_NEEDED = ("cell_barcode", "contig_id", "v_call", "j_call", "junction", "productive")
_MISSING = ("", "None", "none", "NA", "NaN", "nan", "null")
_CALLS = ("v_call", "d_call", "j_call", "c_call")


@dataclass(frozen=True)
class ContigTable:
    """A contig table as read, before anything is dropped.

    Attributes
    ----------
    table
        `CONTIG_COLUMNS`, sorted by `cell_barcode`, `contig_id`.
    source
        Name of the file, for messages.
    """

    table: pd.DataFrame
    source: str


def read_contigs(path: Path) -> ContigTable:
    """Contigs of a Cell Ranger ``*_contig_annotations.csv`` or an AIRR rearrangement ``.tsv``.

    Calls lose their allele (``*01``) and every call but the first. A count that is not given is 0.
    `locus` is missing where it is none of the known ones (Cell Ranger's ``Multi``), and such a
    contig is not productive. Where AIRR has no `is_cell` or `high_confidence`, all rows are True.

    Raises
    ------
    LibraryFaultError
        When the file is no such table.
    """
    raw = _rename(_read_table(path), path.name)
    table = raw.reindex(columns=list(CONTIG_COLUMNS)).astype("str")
    table = table.mask(table.isin(_MISSING))
    for name in _CALLS:
        table[name] = table[name].str.extract(r"^([^*,;+ ]+)", expand=False)
    for name in ("umi_count", "consensus_count"):
        table[name] = _whole_numbers(table[name], path.name)
    for name in ("is_cell", "high_confidence"):
        table[name] = _are_true(table[name]) if name in raw else True
    table["locus"] = _loci(table)
    table["productive"] = _are_true(table["productive"]) & table["locus"].notna()
    return ContigTable(
        table.sort_values(["cell_barcode", "contig_id"], ignore_index=True), path.name
    )


def drop_contigs(contigs: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Contigs of cells, of high confidence and not of B cells; how many went for which reason.

    A contig that fails twice is counted under the first reason. A contig without a locus stays: it
    keeps its cell in sight, as a cell without a receptor.
    """
    reasons = np.select(
        [~contigs["is_cell"], ~contigs["high_confidence"], contigs["locus"].isin(BCR_LOCI)],
        ["not_cell", "low_confidence", "bcr_locus"],
        default="",
    )
    dropped = {
        reason: int((reasons == reason).sum())
        for reason in ("not_cell", "low_confidence", "bcr_locus")
    }
    return contigs[reasons == ""].reset_index(drop=True), dropped


def _read_table(path: Path) -> pd.DataFrame:
    if path.name.removesuffix(".gz").endswith(".json"):
        reason = f"{path.name}: the .json of contigs is not read; give the .csv that lies beside it"
        raise LibraryFaultError(reason)
    text = read_text(path)
    first_line = text.partition("\n")[0]
    try:
        return pd.read_csv(
            io.StringIO(text),
            sep="\t" if "\t" in first_line else ",",
            dtype=str,
            keep_default_na=False,
            na_filter=False,
        )
    except (pd.errors.ParserError, pd.errors.EmptyDataError) as error:
        reason = f"{path.name} is no contig table: {str(error).strip()}"
        raise LibraryFaultError(reason) from error


def _rename(raw: pd.DataFrame, source: str) -> pd.DataFrame:
    is_airr = "cell_id" in raw.columns
    table = raw.rename(columns=_FROM_AIRR if is_airr else _FROM_CELL_RANGER)
    if is_airr and "umi_count" not in table and "duplicate_count" in table:  # before AIRR 1.4
        table = table.rename(columns={"duplicate_count": "umi_count"})
    absent = [name for name in _NEEDED if name not in table]
    if absent:
        originals = {new: old for old, new in _FROM_CELL_RANGER.items()}
        missing = [name if is_airr else originals[name] for name in absent]
        found = ", ".join(map(str, raw.columns[:8]))
        reason = (
            f"{source} is no contig table: column{'s' if len(missing) > 1 else ''}"
            f" {', '.join(missing)} not found (it begins with {found}); a Cell Ranger"
            " filtered_contig_annotations.csv or an AIRR .tsv with cell_id is expected"
        )
        raise LibraryFaultError(reason)
    return table


def _are_true(values: pd.Series) -> pd.Series:
    return values.str.lower().isin(("true", "t", "1"))


def _whole_numbers(values: pd.Series, source: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    wrong = (numbers.isna() & values.notna()) | (numbers < 0) | (numbers % 1 > 0)
    if wrong.any():
        reason = (
            f"{source}: {int(wrong.sum()):,} values of {values.name} are no whole number >= 0,"
            f" such as {values[wrong].iloc[0]!r}"
        )
        raise LibraryFaultError(reason)
    return numbers.fillna(0).astype(np.int64)


def _loci(table: pd.DataFrame) -> pd.Series:
    """The locus as given, or from the genes' names where the table has no such column."""
    locus = table["locus"]
    if locus.isna().all():
        for name in ("v_call", "j_call", "c_call"):
            locus = locus.fillna(table[name].str[:3])
    locus = locus.str.upper()
    return locus.where(locus.isin((*TCR_LOCI, *BCR_LOCI)))
