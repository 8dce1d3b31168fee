"""Header of the folder of text files that Cell Ranger writes."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING

from hiaim_sc.errors import LibraryFaultError
from hiaim_sc.study.file_kinds import read_start
from hiaim_sc.study.matrix_header import GENE_EXPRESSION, N_EXAMPLES, MatrixHeader

if TYPE_CHECKING:
    from pathlib import Path


def read_mtx_header(folder: Path, genome: str | None) -> MatrixHeader:
    """Size line of the matrix, and what the table of features says.

    Parameters
    ----------
    genome
        Which genome's folder to look into, where Cell Ranger 2 wrote several.
    """
    inside = genome_folders(folder)
    chosen = genome if genome in inside else next(iter(inside))
    sizes = {name: _read_size(find_mtx_file(path, "matrix.mtx")) for name, path in inside.items()}
    n_features, n_cells = sizes[chosen]
    find_mtx_file(inside[chosen], "barcodes.tsv")
    features = find_mtx_file(inside[chosen], "features.tsv", "genes.tsv")
    table = read_start(features, -1)
    n_rows = table.count(b"\n") + (not table.endswith(b"\n"))
    if n_rows != n_features:
        reason = (
            f"{folder.name}: matrix.mtx has {n_features:,} features, {features.name} {n_rows:,}:"
            " the files belong to different runs or one is cut short"
        )
        raise LibraryFaultError(reason)
    first = [row.split("\t") for row in table[:20_000].decode(errors="replace").splitlines()]
    return MatrixHeader(
        n_cells=n_cells,
        n_features=n_features,
        feature_types=_count_types(table, n_rows),
        genomes={name: size[0] for name, size in sizes.items() if name},
        gene_ids=tuple(row[0] for row in first[:N_EXAMPLES]),
        symbols=tuple(row[1] for row in first[:N_EXAMPLES] if len(row) > 1),
    )


def genome_folders(folder: Path) -> dict[str, Path]:
    """The folder under ``""``; what Cell Ranger 2 wrote under the name of each genome.

    Raises
    ------
    LibraryFaultError
        When there is no matrix in it.
    """
    if any((folder / name).is_file() for name in ("matrix.mtx", "matrix.mtx.gz")):
        return {"": folder}
    found = {path.parent.name: path.parent for path in sorted(folder.glob("*/matrix.mtx*"))}
    if not found:
        reason = f"{folder.name} is a folder without matrix.mtx or matrix.mtx.gz"
        raise LibraryFaultError(reason)
    return found


def find_mtx_file(folder: Path, *names: str) -> Path:
    """The file of the first of these names that is there, gzipped or plain."""
    for name in names:
        for path in (folder / f"{name}.gz", folder / name):
            if path.is_file():
                return path
    reason = f"{folder.name} holds no {' or '.join(names)} (.gz or plain) beside its matrix"
    raise LibraryFaultError(reason)


def _read_size(path: Path) -> tuple[int, int]:
    lines = read_start(path, 10_000).decode(errors="replace").splitlines()
    sizes = [line.split() for line in lines if line.strip() and not line.startswith("%")][:1]
    is_matrix = bool(lines) and lines[0].startswith("%%MatrixMarket")
    if not (is_matrix and sizes and len(sizes[0]) == 3 and all(n.isdigit() for n in sizes[0])):
        reason = f"{path.name} does not begin as a Matrix Market file: copy it again"
        raise LibraryFaultError(reason)
    return int(sizes[0][0]), int(sizes[0][1])


def _count_types(table: bytes, n_rows: int) -> dict[str, int]:
    """Feature types of ``features.tsv``; ``genes.tsv`` has genes only.

    Counting in the bytes spares splitting every row of the genes.
    """
    gene_mark = b"\t" + GENE_EXPRESSION.encode()
    n_genes = table.count(gene_mark)
    if n_genes == n_rows or b"\t" not in table:
        return {GENE_EXPRESSION: n_rows}
    others = [row.split(b"\t") for row in table.splitlines() if gene_mark not in row]
    types = Counter(row[2].decode() if len(row) > 2 else GENE_EXPRESSION for row in others)
    types[GENE_EXPRESSION] += n_genes
    return {name: n for name, n in types.items() if n}
