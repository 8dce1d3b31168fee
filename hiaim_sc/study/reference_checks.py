"""The label reference of a study, and whether its genes are those of the libraries."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault, LibraryFaultError
from hiaim_sc.study.gene_names import read_gene_names
from hiaim_sc.study.paths import PathRoots
from hiaim_sc.study.reference_model import MODEL_KEY, ReferenceModel, read_reference_model

if TYPE_CHECKING:
    from collections.abc import Collection

    from hiaim_sc.config import ReferenceOptions
    from hiaim_sc.study.study import Study


def study_reference(study: Study) -> ReferenceModel | None:
    """The model whose labels are carried over, None where the study names none.

    Raises
    ------
    UserInputError
        When the file is not, or not any more, the one that the study names.
    """
    options = study.config.options.reference
    if options.model is None or options.sha256 is None:
        return None
    roots = PathRoots.of(study.folder, study.config.data_roots)
    return read_reference_model(roots.locate(options.model), options.sha256)


def check_reference(study: Study) -> list[Fault]:
    """A fault where the libraries lack too many of the model's genes.

    All libraries are of one annotation, so that the first one that can be read stands for them.
    """
    model = study_reference(study)
    if model is None:
        return []
    for library_id in study.delivered_libraries():
        path = study.library_files(library_id).gex
        if path is None:
            continue
        try:
            names = read_gene_names(path)
        except LibraryFaultError:
            continue  # `check_files` says so
        n_there = sum(gene in names for gene in model.genes)
        return fault_of_genes(model.genes, n_there, library_id, study.config.options.reference)
    return []


def fault_of_genes(
    genes: Collection[str], n_there: int, library_id: str, options: ReferenceOptions
) -> list[Fault]:
    """A fault where too few of a model's genes are there; none where there are enough."""
    if n_there > 0 and n_there >= options.min_genes * len(genes):
        return []
    found = f"{n_there:,} of its {len(genes):,} genes in library {library_id}"
    allowed = (
        f"a model of which the libraries have at least {options.min_genes:.0%} of the genes"
        " (options.reference.min_genes), by symbol or Ensembl id; its first gene is"
        f" {next(iter(genes))}"
    )
    return [Fault("study.yaml", 0, MODEL_KEY, found, allowed)]
