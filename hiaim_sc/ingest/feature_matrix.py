"""The one form that every delivered matrix is read into."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from hiaim_sc.errors import LibraryFaultError

if TYPE_CHECKING:
    import numpy as np
    from scipy import sparse

GENE_EXPRESSION = "Gene Expression"


@dataclass(frozen=True)
class FeatureMatrix:
    """Cells x features as read from one file, before any check of its values.

    Attributes
    ----------
    counts
        (n_cells, n_features), of the file's own dtype.
    cell_barcodes
        (n_cells,) str.
    feature_ids
        (n_features,) str: Ensembl id where the file has it.
    symbols
        (n_features,) str.
    feature_types
        (n_features,) str: ``Gene Expression``, ``Antigen Capture``, ...
    genomes
        (n_features,) str, empty where the file does not say.
    source
        Name of the file, for messages.
    """

    counts: sparse.csr_matrix
    cell_barcodes: np.ndarray
    feature_ids: np.ndarray
    symbols: np.ndarray
    feature_types: np.ndarray
    genomes: np.ndarray
    source: str

    def take_features(self, index: np.ndarray) -> FeatureMatrix:
        """The same cells with the features of an index array or a boolean mask."""
        return replace(
            self,
            counts=self.counts[:, index],
            feature_ids=self.feature_ids[index],
            symbols=self.symbols[index],
            feature_types=self.feature_types[index],
            genomes=self.genomes[index],
        )


def choose_genome(available: list[str], genome: str | None, source: str) -> str:
    """The genome to read; a fault where several are there and none of them is named."""
    if genome is not None and genome in available:
        return genome
    if genome is None and len(available) == 1:
        return available[0]
    said = "none is named" if genome is None else f"{genome!r} is named, which is none of them"
    reason = (
        f"{source} holds {len(available)} genome{'s' if len(available) != 1 else ''}"
        f" ({', '.join(available) or 'none'}) and {said}: set options.ingest.genome"
    )
    raise LibraryFaultError(reason)
