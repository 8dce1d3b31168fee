"""Start of a contig table: is it one, of human T cells, of one sample?"""

from __future__ import annotations

import csv
from collections import Counter
from typing import TYPE_CHECKING, Final

from hiaim_sc.study.contig_faults import (
    fault_of_length,
    fault_of_receptors,
    fault_of_repeats,
    fault_of_samples,
    fault_of_species,
    find_gem_wells,
    refuse_contigs,
)
from hiaim_sc.study.contig_formats import (
    CELL_RANGER,
    LOCUS_OF_CHAIN,
    SAMPLE_COLUMNS,
    is_json,
    read_layout,
    refuse_other_kinds,
)
from hiaim_sc.study.contig_json import COLUMNS, read_contig_rows
from hiaim_sc.study.file_kinds import read_start
from hiaim_sc.study.species import BCR_LOCI, TCR_LOCI

if TYPE_CHECKING:
    from pathlib import Path

_N_BYTES: Final = 65_536
_N_BYTES_JSON: Final = 1_000_000  # some 200 contigs

# our names: values, in the order of the rows
_Columns = dict[str, list[str]]


def check_contig_start(path: Path) -> None:
    """Refuse what is no contig table of one sample's human T cells, as far as its start tells.

    Raises
    ------
    LibraryFaultError
        One sentence with everything that is wrong.
    """
    start = read_start(path, _N_BYTES)
    refuse_other_kinds(start, path.name)
    table = _read_json(path) if is_json(start) else _read_rows(start, path.name)
    cells = table["cell_barcode"]
    what = f"first {len(cells):,} contigs"
    groups = {f"column {name}": set(table.get(name, ())) - {""} for name in SAMPLE_COLUMNS}
    ids = Counter(zip(cells, table.get("contig_id", ()), strict=False))
    twice = [name for (_, name), n in ids.items() if n > 1 and name]
    refuse_contigs(
        path.name,
        [
            fault_of_length(len(cells)),
            fault_of_receptors(_count_loci(table), 0, what),
            fault_of_species(Counter(table["v_call"]), what),
            fault_of_samples(groups | {"the end of cell barcodes": find_gem_wells(cells)}),
            fault_of_repeats(len(twice), twice[0] if twice else ""),
        ],
    )


def _read_rows(start: bytes, source: str) -> _Columns:
    layout = read_layout(start, source)
    lines = start.decode("utf-8-sig", errors="replace").splitlines()[layout.n_skipped + 1 :]
    if len(start) == _N_BYTES and lines:
        lines.pop()  # the last line is cut by where the reading stopped
    rows = [row for row in csv.reader(lines, delimiter=layout.separator) if row]
    return {
        ours: [row[position] for row in rows if len(row) > position]
        for ours, name in layout.columns.items()
        for position in [layout.header.index(name)]
    }


def _read_json(path: Path) -> _Columns:
    start = read_start(path, _N_BYTES_JSON)
    text = start.decode("utf-8-sig", errors="replace")
    rows = read_contig_rows([text], path.name, is_whole=len(start) < _N_BYTES_JSON)
    found = [["" if value is None else str(value) for value in row] for row in rows]
    return {
        ours: [row[COLUMNS.index(name)] for row in found]
        for ours, name in CELL_RANGER.find(COLUMNS).items()
    }


def _count_loci(table: _Columns) -> Counter[str]:
    given = table.get("locus") or [call[:3] for call in table["v_call"]]
    loci = (LOCUS_OF_CHAIN.get(name.upper(), name.upper()) for name in given)
    return Counter(locus for locus in loci if locus in (*TCR_LOCI, *BCR_LOCI))
