"""Is a file what it is said to be? Each check raises a fault with the number it found."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study.species import (
    BCR_LOCI,
    TCR_LOCI,
    share_of_mouse_v_calls,
    share_of_other_genes,
)

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiaim_sc.config import IngestOptions
    from hiaim_sc.ingest.contigs import ContigTable
    from hiaim_sc.ingest.feature_matrix import FeatureMatrix

_MAX_MOUSE_SHARE = 0.1
_MAX_OTHER_GENES_SHARE = 0.5
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
    faults = {
        "missing (NaN or infinite)": ~np.isfinite(values),
        "negative": values < 0,
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


def check_contigs(contigs: ContigTable, options: IngestOptions) -> None:
    """Refuses a table that is empty, of B cells, of another species or of several libraries."""
    table, source = contigs.table, contigs.source
    if table.empty:
        reason = f"{source} holds no contig: the V(D)J library failed or the file is cut short"
        raise LibraryFaultError(reason)
    known = table["locus"].notna()
    share = float(table["locus"].isin(TCR_LOCI).sum() / max(known.sum(), 1))
    if share < options.min_receptor_share:
        bcr_share = float(table["locus"].isin(BCR_LOCI).sum() / max(known.sum(), 1))
        what = f", {bcr_share:.0%} are of B cells (IGH, IGK, IGL)" if bcr_share else ""
        reason = (
            f"{source}: {share:.0%} of the contigs are of T-cell receptors{what}; at least"
            f" {options.min_receptor_share:.0%} is needed: this is another library's file"
        )
        raise LibraryFaultError(reason)
    _refuse_mouse(table["v_call"].dropna().tolist(), source)
    repeated = table.duplicated(["cell_barcode", "contig_id"])
    if repeated.any():
        reason = (
            f"{source}: {int(repeated.sum()):,} contigs stand in it twice, such as"
            f" {table.loc[repeated, 'contig_id'].iloc[0]}: several libraries were joined into one"
            " table; give each library its own"
        )
        raise LibraryFaultError(reason)


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
    raise LibraryFaultError(reason)


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


def _refuse_mouse(v_calls: Sequence[str], source: str) -> None:
    share = share_of_mouse_v_calls(v_calls)
    if share > _MAX_MOUSE_SHARE:
        example = next(call for call in v_calls if share_of_mouse_v_calls([call]))
        reason = (
            f"{source}: {share:.0%} of the V genes are mouse genes, such as {example}: contigs of"
            " human cells are expected"
        )
        raise LibraryFaultError(reason)


def _refuse_repeats(names: np.ndarray, what: str, source: str) -> None:
    repeated = pd.Series(names).duplicated()
    if repeated.any():
        reason = (
            f"{source}: {int(repeated.sum()):,} {what} stand in it twice, such as"
            f" {names[repeated.to_numpy()][0]}: each must be there once"
        )
        raise LibraryFaultError(reason)
