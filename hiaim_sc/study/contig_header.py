"""Start of a contig table: is it one, of T cells, of human?"""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study.file_kinds import name_kind, read_start
from hiaim_sc.study.species import BCR_LOCI, TCR_LOCI, share_of_mouse_v_calls

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

_N_BYTES = 65_536
_MAX_MOUSE_SHARE = 0.1
_CELL_RANGER = ("barcode", "contig_id", "v_gene", "j_gene", "cdr3_nt", "productive")
_AIRR = ("cell_id", "sequence_id", "v_call", "j_call", "junction", "productive")


def check_contig_start(path: Path) -> None:
    """Refuse what is no contig table of human T cells, as far as its first rows tell.

    Raises
    ------
    LibraryFaultError
        One sentence on what is wrong.
    """
    start = read_start(path, _N_BYTES)
    if kind := name_kind(start):
        _refuse(f"{path.name} is {kind}, not a table of contigs")
    if path.name.removesuffix(".gz").endswith(".json"):
        _refuse(f"{path.name}: the .json of contigs is not read; give the .csv that lies beside it")
    lines = start.decode("utf-8-sig", errors="replace").splitlines()
    if len(start) == _N_BYTES:
        lines.pop()  # the last line is cut by where the reading stopped
    header, rows = _split(lines)
    expected = _AIRR if "cell_id" in header else _CELL_RANGER
    if absent := [name for name in expected if name not in header]:
        _refuse(
            f"{path.name} is no contig table: column{'s' if len(absent) > 1 else ''}"
            f" {', '.join(absent)} not found (it begins with {', '.join(header[:8])}); a Cell"
            " Ranger filtered_contig_annotations.csv or an AIRR .tsv with cell_id is expected"
        )
    if not rows:
        _refuse(f"{path.name} holds no contig: the V(D)J library failed or the file is cut short")
    calls = _column(rows, header, expected[2])
    loci = _column(rows, header, "locus") or _column(rows, header, "chain")
    _check_receptors(path.name, loci or [call[:3] for call in calls], calls)


def _refuse(reason: str) -> None:
    raise LibraryFaultError(reason)


def _split(lines: Sequence[str]) -> tuple[list[str], list[list[str]]]:
    separator = "\t" if lines and "\t" in lines[0] else ","
    table = [row for row in csv.reader(lines, delimiter=separator) if row]
    return (table[0], table[1:]) if table else ([], [])


def _column(rows: Sequence[Sequence[str]], header: Sequence[str], name: str) -> list[str]:
    if name not in header:
        return []
    position = header.index(name)
    return [row[position] for row in rows if len(row) > position]


def _check_receptors(source: str, loci: Sequence[str], v_calls: Sequence[str]) -> None:
    known = [locus.upper() for locus in loci]
    if set(known) & set(BCR_LOCI) and not set(known) & set(TCR_LOCI):
        _refuse(
            f"{source}: its first {len(known):,} contigs are of B cells ({known[0]}): contigs of"
            " T-cell receptors are expected"
        )
    if (share := share_of_mouse_v_calls(v_calls)) > _MAX_MOUSE_SHARE:
        _refuse(
            f"{source}: {share:.0%} of its first V genes are mouse genes ({v_calls[0]}): contigs of"
            " human cells are expected"
        )
