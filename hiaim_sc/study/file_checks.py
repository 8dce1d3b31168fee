"""The libraries' files by their headers: is each what it is said to be, and of one annotation?"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault, LibraryFaultError, can_recover
from hiaim_sc.study.contig_header import check_contig_start
from hiaim_sc.study.hdf5_header import read_h5ad_header, read_tenx_header
from hiaim_sc.study.matrix_header import GENE_EXPRESSION, MatrixHeader
from hiaim_sc.study.mtx_header import read_mtx_header
from hiaim_sc.study.reading import read_table
from hiaim_sc.study.species import is_other_genome, share_of_other_genes
from hiaim_sc.study.tables import LIBRARIES

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from hiaim_sc.config import Options
    from hiaim_sc.study.library_files import LibraryFiles
    from hiaim_sc.study.study import Study

# ten times what the largest wells hold; unfiltered matrices have from half a million on
_MAX_CELLS = 300_000


@dataclass(frozen=True)
class Annotation:
    """What must be the same in all libraries; None where a file does not say.

    Attributes
    ----------
    genome
        Name of the reference genome.
    n_genes
        Number of genes, where the file holds all of the annotation's.
    gene_id
        What names a gene.
    """

    genome: str | None
    n_genes: int | None
    gene_id: str


def check_files(study: Study) -> list[Fault]:
    """Every fault that the headers of the delivered libraries' files show, in the table's order.

    Also refuses libraries whose genes are of another annotation than most libraries': by the name
    of the genome, by the number of genes (Cell Ranger's matrices hold all of them) and by whether
    genes are named by Ensembl id. Reads no matrix.
    """
    reasons: list[tuple[str, str, str]] = []
    annotations: dict[str, Annotation] = {}
    for library_id in study.delivered_libraries():
        files = study.library_files(library_id)
        annotation, found = inspect_library(files, study.config.options)
        reasons += [(library_id, column, reason) for column, reason in found.items()]
        if annotation is not None:
            annotations[library_id] = annotation
    reasons += find_odd_annotations(annotations)
    if not reasons:
        return []
    rows = read_table(study.folder / LIBRARIES).frame
    line_of = {library_id.strip(): int(line) for line, library_id in rows["library_id"].items()}
    return sorted(
        Fault(LIBRARIES, line, column, str(rows.at[line, column]).strip(), reason)
        for library_id, column, reason in reasons
        for line in [line_of[library_id]]
    )


def inspect_library(
    files: LibraryFiles, options: Options
) -> tuple[Annotation | None, dict[str, str]]:
    """Annotation of the gene expression where it has no fault, and column: fault of its file."""
    types = {
        "gex": GENE_EXPRESSION,
        "gex_raw": GENE_EXPRESSION,
        "dna_barcodes": options.dna_barcodes.feature_type,
    }
    headers: dict[Path, MatrixHeader] = {}
    faults: dict[str, str] = {}
    for column, feature_type in types.items():
        path = getattr(files, column)
        if path is None:
            continue
        try:
            if path not in headers:
                headers[path] = read_header(path, options.ingest.genome)
            check_header(headers[path], path.name, feature_type, options.ingest.genome)
            _refuse_unfiltered(headers[path], path.name, column)
        except LibraryFaultError as error:
            faults[column] = _reason(error)
    if files.vdj is not None:
        try:
            check_contig_start(files.vdj)
        except LibraryFaultError as error:
            faults["vdj"] = _reason(error)
    if files.gex is None or "gex" in faults:
        return None, faults
    return _annotation(headers[files.gex], options.ingest.genome), faults


def read_header(path: Path, genome: str | None) -> MatrixHeader:
    """Header of a matrix of any kind that can be read: ``.h5``, ``.h5ad``, folder of ``mtx``.

    Raises
    ------
    LibraryFaultError
        When the file is damaged, or no matrix of the kind that its name says.
    """
    name = path.name.removesuffix(".gz")
    if path.is_dir():
        return read_mtx_header(path, genome)
    if name.endswith(".mtx"):
        return read_mtx_header(path.parent, genome)
    if name.endswith(".h5ad"):
        return read_h5ad_header(path)
    if name.endswith((".h5", ".hdf5")):
        return read_tenx_header(path)
    reason = (
        f"{path.name} is no kind of matrix known here: a 10x .h5, a folder with matrix.mtx, or"
        " .h5ad is expected"
    )
    raise LibraryFaultError(reason)


def check_header(header: MatrixHeader, source: str, feature_type: str, genome: str | None) -> None:
    """Refuses a matrix that is empty, lacks a feature type or is not of one human genome.

    Raises
    ------
    LibraryFaultError
        One sentence on what is wrong.
    """
    reason = (
        _fault_of_shape(header, source, feature_type)
        or _fault_of_genome(header, source, genome)
        or _fault_of_genes(header, source)
    )
    if reason:
        raise LibraryFaultError(reason)


def _refuse_unfiltered(header: MatrixHeader, source: str, column: str) -> None:
    if column == "gex" and header.n_cells > _MAX_CELLS:
        reason = (
            f"{source} holds {header.n_cells:,} cell barcodes, as an unfiltered (raw) matrix does:"
            f" at most {_MAX_CELLS:,} are believed of one library; gex is the filtered one, the"
            " unfiltered one is gex_raw"
        )
        raise LibraryFaultError(reason)


def find_odd_annotations(annotations: Mapping[str, Annotation]) -> list[tuple[str, str, str]]:
    """Library, column and fault, for each library whose annotation is not that of most."""
    odd = []
    for name, words in (("genome", "genome"), ("n_genes", "genes"), ("gene_id", "gene names")):
        values = {
            library_id: value
            for library_id, annotation in annotations.items()
            if (value := getattr(annotation, name)) is not None
        }
        counts = Counter(values.values())
        if len(counts) < 2:
            continue
        usual = max(counts, key=lambda value: (counts[value], str(value)))
        for library_id, value in values.items():
            if value != usual:
                reason = (
                    f"of another annotation ({words}: {value}) than {counts[usual]} of the"
                    f" {len(values)} libraries ({usual}); process all with one reference"
                )
                odd.append((library_id, "gex", reason))
    return odd


def _reason(error: LibraryFaultError) -> str:
    """What is wrong with the file; a storage that is away for a moment says nothing of it."""
    if can_recover(error):
        raise error
    return error.reason


def _annotation(header: MatrixHeader, genome: str | None) -> Annotation:
    chosen = genome if genome in header.genomes else ", ".join(header.genomes) or None
    n_genes = header.genomes.get(str(chosen), header.feature_types.get(GENE_EXPRESSION))
    is_ensembl = sum(name.startswith("ENS") for name in header.gene_ids) * 2 > len(header.gene_ids)
    return Annotation(
        genome=chosen,
        n_genes=n_genes if header.has_all_genes else None,
        gene_id="Ensembl id" if is_ensembl else "symbol",
    )


def _fault_of_shape(header: MatrixHeader, source: str, feature_type: str) -> str:
    if header.n_cells == 0 or header.n_features == 0:
        return (
            f"{source} holds {header.n_cells} cells and {header.n_features} features: at least 1"
            " is needed"
        )
    if header.feature_types and feature_type not in header.feature_types:
        there = ", ".join(f"{name!r} ({n:,})" for name, n in sorted(header.feature_types.items()))
        return f"{source} has no feature of type {feature_type!r}; its types are: {there}"
    return ""


def _fault_of_genome(header: MatrixHeader, source: str, genome: str | None) -> str:
    available = sorted(header.genomes)
    if len(available) > 1 and genome not in available:
        return (
            f"{source} holds {len(available)} genomes ({', '.join(available)}): name the human one"
            " in options.ingest.genome"
        )
    if available and genome is not None and genome not in available:
        return f"{source} holds {available[0]}, not {genome} (options.ingest.genome)"
    chosen = genome or "".join(available)
    if is_other_genome(chosen):
        return f"{source} is of the genome {chosen}: a human genome is expected"
    return ""


def _fault_of_genes(header: MatrixHeader, source: str) -> str:
    is_mixed = len(header.genomes) > 1  # the first genes may be the other genome's
    share = share_of_other_genes(header.gene_ids, header.symbols)
    if is_mixed or share <= 0.5:
        return ""
    example = (*header.gene_ids, *header.symbols)[0]
    return f"{source}: {share:.0%} of its first genes are not human, such as {example}"
