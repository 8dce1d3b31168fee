"""The label that a reference's model gives each cell of a library."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd
import scipy.sparse as sp
from scipy.special import expit

from hiaim_sc.errors import UserInputError
from hiaim_sc.storage import row_reader
from hiaim_sc.study.reference_checks import fault_of_genes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiaim_sc.config import ReferenceOptions
    from hiaim_sc.storage import ReadableCounts
    from hiaim_sc.study.reference_model import ReferenceModel

_COUNTS_PER_CELL: Final = 10_000
_LARGEST: Final = 10.0  # where CellTypist cuts standardised expression off
_BLOCK: Final = 4096  # cells worked on at a time


@dataclass(frozen=True)
class CarriedLabels:
    """What a reference says of one library.

    Attributes
    ----------
    table
        `cell_barcode reference_label reference_score`, a row per cell, sorted.
    n_genes_model, n_genes_used
        Genes of the model, and those of them that the library has.
    """

    table: pd.DataFrame
    n_genes_model: int
    n_genes_used: int


def carry_labels(
    counts: ReadableCounts,
    cells: Sequence[str],
    model: ReferenceModel,
    options: ReferenceOptions,
    *,
    library_id: str,
) -> CarriedLabels:
    r"""The reference's label of each cell, by CellTypist's rule "best match".

    Expression is :math:`x_g = \ln(1 + 10^4 n_g / N)`, :math:`n_g` the gene's counts and N the
    cell's counts of all genes of the library. With the model's mean :math:`\mu`, standard deviation
    :math:`\sigma`, weights w and intercepts b, :math:`z_g = \min((x_g - \mu_g) / \sigma_g, 10)` and
    :math:`s_k = b_k + \sum_g w_{kg} z_g` over the genes of the model that the library has. The
    label is the k with the largest :math:`s_k`, its score :math:`1 / (1 + e^{-s_k})`. A cell is
    judged by itself alone: there is no vote of neighbours or clusters.

    Parameters
    ----------
    counts
        (n_cells, n_genes) of one library; reads ``var["symbol"]``.
    cells
        Cell barcodes to be labelled.
    model
        Its genes are found by Ensembl id where it names most of them so, else by symbol; where two
        genes have one symbol the first counts.
    library_id
        To be named in a fault.

    Raises
    ------
    UserInputError
        When the library lacks too many of the model's genes (``options.min_genes``).

    References
    ----------
    Domínguez Conde et al. 2022, doi:10.1126/science.abl5197.
    """
    column = _find_genes(pd.DataFrame(counts.var), model)
    used = np.flatnonzero(column >= 0)
    if faults := fault_of_genes(model.genes, len(used), library_id, options):
        raise UserInputError(faults)
    names = sorted(cells)
    rows = pd.DataFrame(counts.obs).index.get_indexer(pd.Index(names, dtype=object))
    if (rows < 0).any():
        msg = f"library {library_id}: {(rows < 0).sum()} cell barcodes are not in the matrix"
        raise ValueError(msg)
    scores = _score(counts, model, column)[rows]
    best = scores.argmax(axis=1)
    table = pd.DataFrame(
        {
            "cell_barcode": pd.Series(names, dtype="str"),
            "reference_label": pd.Series(model.labels[best], dtype="str"),
            "reference_score": expit(scores[np.arange(len(names)), best]),
        }
    )
    return CarriedLabels(table, len(model.genes), len(used))


def _find_genes(var: pd.DataFrame, model: ReferenceModel) -> np.ndarray:
    """(n_genes of the model,) column of each in the matrix, -1 where it is not there."""
    names = var.index if model.has_ensembl_ids else var["symbol"]
    place = pd.Series(np.arange(len(var)), index=pd.Index(names, dtype=object))
    place = place[~place.index.duplicated()]
    return place.reindex(model.genes, fill_value=-1).to_numpy()


def _score(counts: ReadableCounts, model: ReferenceModel, column: np.ndarray) -> np.ndarray:
    """(n_cells, n_labels) of all cells of the matrix, a block of them in memory at a time.

    Most counts are 0, so a cell's score is what a cell without any counts has, and what its counts
    add to that: the standardised matrix, which has no zeros, is never made.
    """
    used = np.flatnonzero(column >= 0)
    mean, sd = model.means[used], model.sds[used]
    z_of_zero = np.minimum(-mean / sd, _LARGEST)
    # summed without BLAS: the same bits whatever its threads
    base = model.intercepts + (model.weights[:, used] * z_of_zero).sum(axis=1)
    weights = np.ascontiguousarray(model.weights[:, used].T)
    scores = np.empty((counts.shape[0], len(model.labels)))
    rows = row_reader(counts)
    for start in range(0, len(scores), _BLOCK):
        block = rows(start, start + _BLOCK)
        totals = np.asarray(block.sum(axis=1, dtype=np.int64)).ravel()
        z = sp.csr_matrix(block[:, column[used]], dtype=np.float64)
        per_cell = np.divide(_COUNTS_PER_CELL, totals, out=np.zeros(len(totals)), where=totals > 0)
        expression = np.log1p(z.data * np.repeat(per_cell, np.diff(z.indptr)))
        gene = z.indices
        z.data = np.minimum((expression - mean[gene]) / sd[gene], _LARGEST) - z_of_zero[gene]
        scores[start : start + _BLOCK] = base + z @ weights
    return scores
