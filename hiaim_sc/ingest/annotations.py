"""Are the libraries' genes of one annotation? Those of another one than most are set aside."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

_MIN_SHARED = 0.5  # of the smaller set of genes


def find_odd_libraries(
    reports: Mapping[str, Mapping[str, Any]], genes_of: Callable[[str], Iterable[str]]
) -> dict[str, str]:
    """Libraries whose genes are not those of most libraries, and why.

    A library is odd when its genome is named and is another one than most name, or when less than
    half of the smaller set of gene ids is shared: Ensembl ids against symbols, another species'
    annotation under human names, a panel of other genes. What is shared by more is compared on the
    genes that all libraries have.

    Parameters
    ----------
    reports
        What ingest reported, by library_id: ``genome n_genes gene_ids`` (a digest); libraries
        without gene expression are never odd.
    genes_of
        Gene ids of a library; called once for each different set of them, and only where there are
        several.

    Returns
    -------
    library_id: reason. Where two annotations are as frequent, the one of more genes is usual, then
    that of the first library.
    """
    with_genes = {name: report for name, report in sorted(reports.items()) if report["n_genes"]}
    odd = _of_other_genomes(with_genes)
    rest = {name: report for name, report in with_genes.items() if name not in odd}
    first_of: dict[str, str] = {}
    for name, report in rest.items():
        first_of.setdefault(report["gene_ids"], name)
    if len(first_of) < 2:
        return odd
    size = Counter(report["gene_ids"] for report in rest.values())
    usual = max(first_of, key=lambda d: (size[d], rest[first_of[d]]["n_genes"]))
    genes = set(genes_of(first_of[usual]))
    for digest, example in first_of.items():
        own = set(genes_of(example))
        n_shared = len(own & genes)
        if n_shared < _MIN_SHARED * min(len(own), len(genes)):
            reason = (
                f"only {n_shared:,} of its {len(own):,} genes are among the {len(genes):,} of"
                f" {size[usual]} of the {len(rest)} libraries (such as {min(own)} here and"
                f" {min(genes)} there): another annotation, or symbols against Ensembl ids; process"
                " all libraries with one reference"
            )
            odd |= {name: reason for name, r in rest.items() if r["gene_ids"] == digest}
    return odd


def _of_other_genomes(reports: Mapping[str, Mapping[str, Any]]) -> dict[str, str]:
    named = {name: report["genome"] for name, report in reports.items() if report["genome"]}
    if len(set(named.values())) < 2:
        return {}
    size = Counter(named.values())
    usual = max(size, key=lambda genome: (size[genome], genome))
    return {
        name: (
            f"of the genome {genome}, {size[usual]} of the {len(named)} libraries are of {usual}:"
            " process all libraries with one reference"
        )
        for name, genome in named.items()
        if genome != usual
    }
