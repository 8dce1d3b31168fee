"""Is a file what it is said to be? Each check raises a fault with the number it found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.storage import sum_rows
from hiaim_sc.study.contig_faults import (
    fault_of_length,
    fault_of_receptors,
    fault_of_repeats,
    fault_of_samples,
    fault_of_species,
    find_gem_wells,
    refuse_contigs,
)
from hiaim_sc.study.species import share_of_other_genes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiaim_sc.config import IngestOptions
    from hiaim_sc.ingest.contigs import ContigTable
    from hiaim_sc.ingest.feature_matrix import FeatureMatrix

# The one check that a person may open: the files are right, the droplets are few.
JOIN_RATE = "join_rate"
_MAX_OTHER_GENES_SHARE = 0.5
_MANY_BARCODES, _EMPTY_COUNTS = 1000, 10
_CORE = re.compile(r"[ACGTN]{8,}")


def check_counts(matrix: FeatureMatrix) -> None:
    """Refuses an empty matrix, repeated cell barcodes or ids, and values that are no raw counts."""
    n_cells, n_features = matrix.counts.shape
    if n_cells == 0 or n_features == 0:
        reason = (
            f"{matrix.source} holds {n_cells} cells and {n_features} features: at least 1 is needed"
        )
        raise LibraryFaultError(reason)
    _refuse_repeats(matrix.cell_barcodes, "cell barcodes", matrix.source)
    _refuse_repeats(matrix.feature_ids, "feature ids", matrix.source)
    values = matrix.counts.data
    if values.dtype.kind in "iu" and values.min(initial=0) >= 0:
        return
    faults = {"negative": values < 0}
    if values.dtype.kind not in "iu":
        faults = {
            "missing (NaN or infinite)": ~np.isfinite(values),
            **faults,
            "not whole numbers (already normalised values?)": values != np.rint(values),
        }
    for what, wrong in faults.items():
        if wrong.any():
            reason = (
                f"{matrix.source}: {int(wrong.sum()):,} of {values.size:,} stored counts are"
                f" {what}; raw counts, whole numbers >= 0, are expected"
            )
            raise LibraryFaultError(reason)


def check_genes_human(genes: FeatureMatrix) -> None:
    """Refuses a matrix most of whose genes are of another species, by Ensembl id or by symbol."""
    share = share_of_other_genes(genes.feature_ids.tolist(), genes.symbols.tolist())
    if share > _MAX_OTHER_GENES_SHARE:
        reason = (
            f"{genes.source}: {share:.0%} of the genes are not human by id or by the case of their"
            f" symbol, such as {genes.feature_ids[0]} {genes.symbols[0]}: human genes (ENSG...,"
            " symbols in capital letters) are expected"
        )
        raise LibraryFaultError(reason)


def check_filtered(genes: FeatureMatrix) -> None:
    """Refuses an unfiltered matrix: most of its many cell barcodes are empty droplets."""
    n_cells = len(genes.cell_barcodes)
    if n_cells < _MANY_BARCODES:
        return
    n_empty = int((sum_rows(genes.counts) < _EMPTY_COUNTS).sum())
    if n_empty > n_cells / 2:
        reason = (
            f"{genes.source}: {n_empty:,} of {n_cells:,} cell barcodes have fewer than"
            f" {_EMPTY_COUNTS} counts, as in the unfiltered (raw) matrix: gex is the filtered one,"
            " the unfiltered one is gex_raw"
        )
        raise LibraryFaultError(reason)


def check_contigs(contigs: ContigTable, options: IngestOptions) -> None:
    """Refuses a table that is empty, of B cells, of another species or of several samples."""
    table = contigs.table
    cells = table["cell_barcode"].dropna()
    repeated = table["contig_id"][
        table.duplicated(["cell_barcode", "contig_id"]) & table["is_cell"]
    ]
    groups = {f"column {name}": values for name, values in contigs.samples.items()}
    refuse_contigs(
        contigs.source,
        [
            fault_of_length(len(table)),
            fault_of_receptors(_count_values(table["locus"]), options.min_receptor_share, "contigs")
            if len(table)
            else "",
            fault_of_species(_count_values(table["v_call"]), "contigs"),
            fault_of_samples(groups | {"the end of cell barcodes": _gem_wells(cells)}),
            fault_of_repeats(len(repeated), "".join(repeated.iloc[:1])),
        ],
    )


def _count_values(values: pd.Series) -> dict[str, int]:
    return {str(value): int(n) for value, n in values.value_counts().items()}


def _gem_wells(cells: pd.Series) -> set[str]:
    # nearly always the first well alone, which is seen without a look at each name
    return set() if cells.str.endswith("-1").all() else find_gem_wells(cells.unique())


def check_join_rate(
    cells_vdj: Sequence[str], cells_gex: Sequence[str], source: str, options: IngestOptions
) -> None:
    """Refuses receptors whose cell barcodes are not those of the gene expression."""
    rate = join_rate(cells_vdj, cells_gex)
    if rate >= options.min_join_rate:
        return
    reason = (
        f"{source}: {rate:.1%} of its {len(set(cells_vdj)):,} cell barcodes are cells of the gene"
        f" expression, at least {options.min_join_rate:.0%} is needed"
        f"{_join_hint(cells_vdj, cells_gex, options)}"
    )
    raise LibraryFaultError(reason, gate=JOIN_RATE)


def join_rate(cells_vdj: Sequence[str], cells_gex: Sequence[str]) -> float:
    """Share of the VDJ cell barcodes that are GEX cell barcodes; 0 without any."""
    unique = set(cells_vdj)
    return len(unique & set(cells_gex)) / len(unique) if unique else 0.0


def _join_hint(cells_vdj: Sequence[str], cells_gex: Sequence[str], options: IngestOptions) -> str:
    """What to do: the same droplets under other names, or another library's file."""
    bare = join_rate(_cores(cells_vdj), _cores(cells_gex))
    example = f"{min(cells_vdj)} in the contigs, {min(cells_gex)} in the gene expression"
    if bare >= options.min_join_rate:
        return (
            f"; without suffix ('-1') and prefix ('..._') {bare:.0%} would match: write them alike"
            f" ({example})"
        )
    return f": are both files of the same library? ({example})"


def _cores(cell_barcodes: Sequence[str]) -> list[str]:
    found = ((_CORE.search(name), name) for name in cell_barcodes)
    return [match.group() if match else name for match, name in found]


def _refuse_repeats(names: np.ndarray, what: str, source: str) -> None:
    repeated = pd.Series(names).duplicated()
    if repeated.any():
        reason = (
            f"{source}: {int(repeated.sum()):,} {what} stand in it twice, such as"
            f" {names[repeated.to_numpy()][0]}: each must be there once"
        )
        raise LibraryFaultError(reason)
