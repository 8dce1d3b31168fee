"""One library: every file of it read, checked and brought into the project's own form."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np
import pandas as pd
from scipy import sparse

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest.checks import (
    check_contigs,
    check_filtered,
    check_genes_human,
    check_join_rate,
    join_rate,
)
from hiaim_sc.ingest.contigs import count_not_counted, drop_contigs, read_contigs
from hiaim_sc.ingest.empty_droplets import sum_empty_droplets
from hiaim_sc.ingest.feature_matrix import GENE_EXPRESSION, FeatureMatrix
from hiaim_sc.ingest.matrices import read_matrix
from hiaim_sc.ingest.tags import leave_out, take_hashtags, take_tags, take_type
from hiaim_sc.storage import CellCounts
from hiaim_sc.storage.digests import digest_value

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from hiaim_sc.config import IngestOptions


class LibraryFiles(Protocol):
    """Where a library's files are; what was not delivered is None."""

    @property
    def library_id(self) -> str:
        """Name of the library."""

    @property
    def gex(self) -> Path | None:
        """Filtered matrix with ``Gene Expression``."""

    @property
    def gex_raw(self) -> Path | None:
        """Unfiltered matrix with the droplets that hold no cell."""

    @property
    def vdj(self) -> Path | None:
        """Contig table."""

    @property
    def dna_barcodes(self) -> Path | None:
        """Matrix with the pMHC multimers' tags; often the same file as `gex`."""


@dataclass(frozen=True)
class LibraryData:
    """What a library holds; None where the library has no such file.

    Attributes
    ----------
    counts
        Cells x genes, CSR int32; `obs_names` the cell barcodes, sorted; `var["symbol"]`.
    antigen_counts
        Cells x dna_barcodes, CSR int32, negative controls among them.
    hashtag_counts
        Cells x hashtags of a pooled library, CSR int32.
    contigs
        A row per kept contig, AIRR names.
    soup
        ``gene_id n_counts``: counts in empty droplets, of the genes of `counts`.
    report
        What was read and what was left out, ready for JSON.
    """

    counts: CellCounts | None
    antigen_counts: CellCounts | None
    hashtag_counts: CellCounts | None
    contigs: pd.DataFrame | None
    soup: pd.DataFrame | None
    report: dict[str, Any]


def read_library(
    files: LibraryFiles,
    options: IngestOptions,
    *,
    require_gex: bool,
    feature_type: str,
    antigens: pd.DataFrame | None,
    hashtags: Sequence[str] = (),
    hashtag_type: str | None = None,
) -> LibraryData:
    """The library's matrices and contigs, checked, and a report of what was read.

    Parameters
    ----------
    files
        The library's files; each of them may be None.
    options
        Genome, and the least shares of joined cells and of T-cell contigs.
    require_gex
        Whether receptor cells must be GEX cells: then the join rate is a gate.
    feature_type
        Feature type of the pMHC multimers' tags in the file `dna_barcodes`.
    antigens
        Table with `dna_barcode`: the tags to take. None: all features of that type.
    hashtags
        Those of a pooled library, features of the file `gex` by id or name.
    hashtag_type
        Their feature type; None: any but gene expression.

    Raises
    ------
    LibraryFaultError
        One sentence on the first file that is not what it is said to be.
    """
    matrix = read_matrix(files.gex, options.genome) if files.gex is not None else None
    genes = take_type(matrix, GENE_EXPRESSION) if matrix is not None else None
    if genes is not None:
        check_genes_human(genes)
        check_filtered(genes)
    empty = None
    if genes is not None and files.gex_raw is not None:
        empty = sum_empty_droplets(files.gex_raw, genes, options)
    sample_tags = take_hashtags(matrix, hashtags, hashtag_type) if hashtags else None
    tags = None
    if files.dna_barcodes is not None:
        if matrix is None or files.dna_barcodes != files.gex:
            matrix = read_matrix(files.dna_barcodes, options.genome)
        found = leave_out(take_type(matrix, feature_type), hashtags)
        tags = (
            take_tags(found, antigens["dna_barcode"], "dna_barcodes of antigens.tsv")
            if (antigens is not None)
            else found
        )
    contigs, contig_report = _read_receptors(files.vdj, options)
    rate = _join(contigs, genes, files, options, is_gate=require_gex)
    report = {
        "n_cells_gex": 0 if genes is None else len(genes.cell_barcodes),
        **contig_report,
        "join_rate": rate,
        "genome": "" if genes is None else ",".join(sorted(set(genes.genomes) - {""})),
        "n_genes": 0 if genes is None else len(genes.feature_ids),
        "gene_ids": "" if genes is None else digest_value(sorted(genes.feature_ids.tolist())),
        "n_dna_barcodes": 0 if tags is None else len(tags.feature_ids),
        "has_gex": genes is not None,
        "has_vdj": contigs is not None,
        "has_dna": tags is not None,
        "n_empty_droplets": None if empty is None else empty.n_droplets,
    }
    return LibraryData(
        counts=None if genes is None else _to_counts(genes, sort_features=True),
        antigen_counts=None if tags is None else _to_counts(tags),
        hashtag_counts=None if sample_tags is None else _to_counts(sample_tags),
        contigs=contigs,
        soup=None if empty is None else empty.table,
        report=report,
    )


def _read_receptors(
    path: Path | None, options: IngestOptions
) -> tuple[pd.DataFrame | None, dict[str, Any]]:
    if path is None:
        return None, {
            "n_cells_vdj": 0,
            "n_contigs": 0,
            "n_contigs_dropped": {},
            "n_contigs_not_counted": {},
        }
    contigs = read_contigs(path)
    check_contigs(contigs, options)
    kept, dropped = drop_contigs(contigs.table)
    if kept.empty:
        reason = (
            f"{contigs.source}: none of its {len(contigs.table):,} contigs is of a cell and of high"
            " confidence: the filtered table is expected"
        )
        raise LibraryFaultError(reason)
    return kept, {
        "n_cells_vdj": int(kept["cell_barcode"].nunique()),
        "n_contigs": len(contigs.table),
        "n_contigs_dropped": dropped,
        "n_contigs_not_counted": count_not_counted(kept),
        "n_bare_junctions": contigs.n_bare_junctions,
    }


def _join(
    contigs: pd.DataFrame | None,
    genes: FeatureMatrix | None,
    files: LibraryFiles,
    options: IngestOptions,
    *,
    is_gate: bool,
) -> float | None:
    """Share of receptor cells that are GEX cells; None where one of the two is absent."""
    if contigs is None or genes is None or files.vdj is None:
        return None
    cells_vdj = contigs["cell_barcode"].unique().tolist()
    cells_gex = genes.cell_barcodes.tolist()
    if is_gate:
        check_join_rate(cells_vdj, cells_gex, files.vdj.name, options)
    return join_rate(cells_vdj, cells_gex)


def _to_counts(matrix: FeatureMatrix, *, sort_features: bool = False) -> CellCounts:
    """Cells sorted by cell barcode, genes by id, counts as CSR int32 with sorted column indices.

    Tags stay in the order of their table.

    Sums in another order have other last bits: files that hold the same cells and genes in other
    orders are one library.
    """
    cells = _order(matrix.cell_barcodes)
    features = _order(matrix.feature_ids) if sort_features else None
    counts = matrix.counts if cells is None else matrix.counts[cells]
    counts = sparse.csr_matrix(counts, dtype=np.int32)
    if features is not None:
        place = np.empty(len(features), dtype=np.int32)
        place[features] = np.arange(len(features), dtype=np.int32)
        moved = (counts.data, place[counts.indices], counts.indptr)
        # through columns and back is the fastest way to sort the indices of all rows
        counts = sparse.csr_matrix(moved, shape=counts.shape).tocsc().tocsr()
    counts.sum_duplicates()
    if (counts.data == 0).any():
        counts.eliminate_zeros()
    kept = slice(None) if features is None else features
    return CellCounts(
        X=counts,
        obs=pd.DataFrame(index=pd.Index(np.sort(matrix.cell_barcodes))),
        var=pd.DataFrame(
            {"symbol": matrix.symbols[kept]}, index=pd.Index(matrix.feature_ids[kept])
        ),
    )


def _order(names: np.ndarray) -> np.ndarray | None:
    """Positions that sort the names; None where they are sorted, as cell barcodes mostly are."""
    order = np.argsort(names.astype(str), kind="stable")
    return None if (order == np.arange(len(order))).all() else order
