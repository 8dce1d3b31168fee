"""What a delivered matrix says of itself."""

from __future__ import annotations

from dataclasses import dataclass, field

GENE_EXPRESSION = "Gene Expression"
N_EXAMPLES = 200


@dataclass(frozen=True)
class MatrixHeader:
    """What can be known of a matrix in milliseconds.

    Attributes
    ----------
    n_cells, n_features
        Shape.
    feature_types
        Feature type: number of features. Empty where the file does not say.
    genomes
        Genome: number of its genes. Empty where the file does not say.
    gene_ids, symbols
        Of the first genes.
    has_all_genes
        Whether the genes are all of the annotation's (Cell Ranger), so that two files can be
        compared by their number.
    """

    n_cells: int
    n_features: int
    feature_types: dict[str, int] = field(default_factory=dict)
    genomes: dict[str, int] = field(default_factory=dict)
    gene_ids: tuple[str, ...] = ()
    symbols: tuple[str, ...] = ()
    has_all_genes: bool = True
