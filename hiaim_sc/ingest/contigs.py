"""Contig tables of Cell Ranger, AIRR and BD Rhapsody, read into one table of AIRR names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest._contig_columns import read_columns
from hiaim_sc.names import CONTIG_COLUMNS, CONTIG_REASONS
from hiaim_sc.study.contig_formats import LOCUS_OF_CHAIN, SAMPLE_COLUMNS
from hiaim_sc.study.species import BCR_LOCI, TCR_LOCI

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

_CALLS: Final = ("v_call", "d_call", "j_call", "c_call")
_SHARED_V: Final = r"^TRAV[\d-]+/?DV"  # of TRA and TRD
_MAX_COUNT: Final = 2**53
_DROPPED, _NOT_COUNTED = CONTIG_REASONS[:3], CONTIG_REASONS[3:]


@dataclass(frozen=True)
class ContigTable:
    """A contig table as read, before anything is dropped.

    Attributes
    ----------
    table
        `CONTIG_COLUMNS`, sorted by `cell_barcode`, `contig_id`.
    source
        Name of the file, for messages.
    samples
        Column that names samples: its values, where the file has such columns.
    n_bare_junctions
        Productive contigs whose `junction` is the CDR3 alone, without the C before and the F or W
        behind that AIRR has there.
    """

    table: pd.DataFrame
    source: str
    samples: Mapping[str, tuple[str, ...]]
    n_bare_junctions: int = 0


def read_contigs(path: Path) -> ContigTable:
    """Contigs of Cell Ranger (``.csv``, ``.json``), AIRR (``.tsv``) or BD Rhapsody (``.csv``).

    Calls lose their allele (``*01``) and every call but the first. A count that is not given is 0.
    `locus` is missing where it is none of the known ones (Cell Ranger's ``Multi``), and such a
    contig is not productive; where the file has no such column it is that of the genes. Where a
    file does not say `is_cell` or `high_confidence`, all rows are True; a contig without a cell
    barcode is of no cell. A contig without an id is named by its cell and a number.

    BD Rhapsody's CDR3 gets the conserved residues from the framework regions beside it.

    Raises
    ------
    LibraryFaultError
        When the file is no such table.
    """
    raw = read_columns(path)
    given, source = raw.table, path.name
    is_whole = np.ones(len(given), dtype=bool)
    if raw.kind.junction_is_cdr3:
        given, is_whole = _complete_junctions(given)
    table = given.reindex(columns=list(CONTIG_COLUMNS)).astype("str")
    table["locus"] = _loci(table)
    for name in _CALLS:
        table[name] = _first_calls(table[name])
    for name in ("umi_count", "consensus_count"):
        table[name] = _whole_numbers(table[name], source)
    for name in ("is_cell", "high_confidence"):
        table[name] = _are_true(table[name]) if name in given else True
    table["is_cell"] &= table["cell_barcode"].notna()
    table["productive"] = _are_true(table["productive"]) & table["locus"].notna()
    table["contig_id"] = _name_contigs(table)
    return ContigTable(
        table.sort_values(["cell_barcode", "contig_id"], ignore_index=True),
        source,
        {name: tuple(given[name].dropna().unique()) for name in SAMPLE_COLUMNS if name in given},
        n_bare_junctions=int((~is_whole & table["productive"].to_numpy(bool)).sum()),
    )


def drop_contigs(contigs: pd.DataFrame) -> tuple[pd.DataFrame, dict[str, int]]:
    """Contigs of cells, of high confidence and not of B cells; how many went for which reason.

    A contig that fails twice is counted under the first reason of `CONTIG_REASONS`. A contig
    without a locus stays: it keeps its cell in sight, as a cell without a receptor.
    """
    reasons = np.select(
        [~contigs["is_cell"], ~contigs["high_confidence"], contigs["locus"].isin(BCR_LOCI)],
        _DROPPED,
        default="",
    )
    return contigs[reasons == ""].reset_index(drop=True), _count(reasons, _DROPPED)


def count_not_counted(contigs: pd.DataFrame) -> dict[str, int]:
    """How many of the contigs that stay are no chain of a receptor, by the first reason."""
    reasons = np.select(
        [contigs["locus"].isna(), ~contigs["productive"], contigs["junction_aa"].isna()],
        _NOT_COUNTED,
        default="",
    )
    return _count(reasons, _NOT_COUNTED)


def _count(reasons: np.ndarray, names: tuple[str, ...]) -> dict[str, int]:
    return {name: int((reasons == name).sum()) for name in names}


def _complete_junctions(given: pd.DataFrame) -> tuple[pd.DataFrame, np.ndarray]:
    """BD Rhapsody's CDR3 with the codon before and after it, and whether that was possible."""
    framework = given.reindex(columns=["fwr3", "fwr3_aa", "fwr4", "fwr4_aa"]).astype("str")
    is_whole = framework.notna().all(axis=1)
    junction = framework["fwr3"].str[-3:] + given["junction"] + framework["fwr4"].str[:3]
    amino_acids = (
        framework["fwr3_aa"].str[-1:] + given["junction_aa"] + framework["fwr4_aa"].str[:1]
    )
    completed = given.assign(
        junction=junction.where(is_whole, given["junction"]),
        junction_aa=amino_acids.where(is_whole, given["junction_aa"]),
    )
    return completed, is_whole.to_numpy(bool)


def _first_calls(calls: pd.Series) -> pd.Series:
    """The first call of each without its allele; done once per distinct call."""
    codes, distinct = pd.factorize(calls)
    first = pd.Series(distinct, dtype="str").str.extract(r"^([^*,;+ ]+)", expand=False)
    return first.reindex(codes).set_axis(calls.index)


def _are_true(values: pd.Series) -> pd.Series:
    return values.str.lower().isin(("true", "t", "1"))


def _whole_numbers(values: pd.Series, source: str) -> pd.Series:
    numbers = pd.to_numeric(values, errors="coerce")
    is_count = (numbers >= 0) & (numbers % 1 == 0) & (numbers < _MAX_COUNT)
    wrong = values.notna() & ~is_count
    if wrong.any():
        reason = (
            f"{source}: {int(wrong.sum()):,} values of {values.name} are no whole number >= 0,"
            f" such as {values[wrong].iloc[0]!r}"
        )
        raise LibraryFaultError(reason)
    return numbers.fillna(0).astype(np.int64)


def _loci(table: pd.DataFrame) -> pd.Series:
    """The locus as given, or the one on which the genes agree where the table has none at all.

    The V genes that TRA and TRD share (``TRAV29/DV5``) have no say.
    """
    locus = table["locus"].str.upper()
    if locus.isna().all():
        is_shared = table["v_call"].str.contains(_SHARED_V, na=False)
        calls = table[list(_CALLS)].assign(v_call=table["v_call"].mask(is_shared))
        loci = calls.apply(lambda column: column.str[:3].str.upper()).bfill(axis=1)
        agree = loci.eq(loci["v_call"], axis=0) | loci.isna()
        locus = loci["v_call"].where(agree.all(axis=1))
    return locus.replace(LOCUS_OF_CHAIN).where(lambda known: known.isin((*TCR_LOCI, *BCR_LOCI)))


def _name_contigs(table: pd.DataFrame) -> pd.Series:
    """`contig_id`, where missing ``<cell_barcode>_contig_<number>`` by the order of their values.

    Contigs that agree in everything get one name: a file that holds them twice is refused.
    """
    unnamed = table[table["contig_id"].isna()]
    if unnamed.empty:
        return table["contig_id"]
    unnamed = unnamed.sort_values(list(CONTIG_COLUMNS))
    number = (~unnamed.duplicated()).groupby(unnamed["cell_barcode"], dropna=False).cumsum()
    names = unnamed["cell_barcode"].fillna("") + "_contig_" + number.astype("str")
    return table["contig_id"].fillna(names)
