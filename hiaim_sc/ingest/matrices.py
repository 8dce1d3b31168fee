"""Feature-barcode matrices in every delivered format, read into one form."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.ingest._anndata_file import read_h5ad
from hiaim_sc.ingest._mtx_folder import read_mtx_folder
from hiaim_sc.ingest._tenx_hdf5 import read_tenx_blocks, read_tenx_hdf5
from hiaim_sc.ingest.feature_matrix import GENE_EXPRESSION, FeatureMatrix, choose_genome

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


def read_matrix(path: Path, genome: str | None = None) -> FeatureMatrix:
    """A library's matrix from a 10x ``.h5``, a 10x ``mtx`` folder or an ``.h5ad``.

    Parameters
    ----------
    path
        ``.h5`` of Cell Ranger 2 to 10, a folder with ``matrix.mtx`` (``.gz`` or plain, with
        ``genes.tsv`` or ``features.tsv``), or ``.h5ad`` with raw counts in ``layers["counts"]``,
        ``X`` or ``raw``.
    genome
        Which genome to take where the file holds several.

    Raises
    ------
    LibraryFaultError
        When the file is absent, unreadable, of another kind, or holds several genomes and none is
        named.
    """
    name = path.name.removesuffix(".gz")
    if path.is_dir():
        matrix = read_mtx_folder(path, genome)
    elif name.endswith(".h5ad"):
        matrix = read_h5ad(path)
    elif name.endswith((".h5", ".hdf5")):
        matrix = read_tenx_hdf5(path, genome)
    elif name.endswith(".mtx"):
        matrix = read_mtx_folder(path.parent, genome)
    else:
        reason = (
            f"{path.name} is no kind of matrix known here: a 10x .h5, a folder with matrix.mtx, or"
            " .h5ad is expected"
        )
        raise LibraryFaultError(reason)
    return _take_genome(_split_genome_prefix(matrix), genome)


def read_blocks(path: Path, genome: str | None, n_cells: int) -> Iterator[FeatureMatrix]:
    """The same matrix in blocks of cell barcodes, for unfiltered matrices of millions of them.

    A ``.h5`` of Cell Ranger is read `n_cells` at a time; any other kind is one block.
    """
    name = path.name.removesuffix(".gz")
    if not path.is_dir() and name.endswith((".h5", ".hdf5")):
        for block in read_tenx_blocks(path, genome, n_cells):
            yield _take_genome(_split_genome_prefix(block), genome)
    else:
        yield read_matrix(path, genome)


def _split_genome_prefix(matrix: FeatureMatrix) -> FeatureMatrix:
    """Mixed references write the genome before each id (``GRCh38_ENSG...``): take it off."""
    prefixed = np.char.find(matrix.feature_ids.astype(str), "_ENS") > 0
    if not prefixed.any():
        return matrix
    ids, symbols, genomes = (
        np.array(values, dtype=object)
        for values in (matrix.feature_ids, matrix.symbols, matrix.genomes)
    )
    for column in np.flatnonzero(prefixed):
        prefix, _, rest = ids[column].partition("_ENS")
        ids[column] = f"ENS{rest}"
        genomes[column] = prefix.rstrip("_")
        symbols[column] = symbols[column].removeprefix(genomes[column]).lstrip("_")
    return replace(matrix, feature_ids=ids, symbols=symbols, genomes=genomes)


def _take_genome(matrix: FeatureMatrix, genome: str | None) -> FeatureMatrix:
    """Genes of one genome, with every feature that is no gene."""
    is_gene = matrix.feature_types == GENE_EXPRESSION
    available = sorted(set(matrix.genomes[is_gene]) - {""})
    if not available or (genome is None and len(available) == 1):
        return matrix
    chosen = choose_genome(available, genome, matrix.source)
    return matrix.take_features(~is_gene | (matrix.genomes == chosen))
