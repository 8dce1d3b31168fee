"""Counts in memory: cells x genes, whole or block by block."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

if TYPE_CHECKING:
    from collections.abc import Iterable

    import scipy.sparse as sp
    from anndata import AnnData

    type Block = tuple[sp.csr_matrix, pd.DataFrame]

type Counts = AnnData | CellCounts


@dataclass(frozen=True, eq=False)
class CellCounts:
    """Counts in memory with their cells and genes: what a library's stages read of an AnnData.

    Importing anndata takes a second and 70 MB of every worker, of which these stages use nothing.

    Attributes
    ----------
    X
        (n_cells, n_genes) CSR.
    obs, var
        The cells and the genes, by name.
    """

    X: sp.csr_matrix
    obs: pd.DataFrame
    var: pd.DataFrame

    @property
    def obs_names(self) -> pd.Index:
        """Names of the cells."""
        return self.obs.index

    @property
    def var_names(self) -> pd.Index:
        """Names of the genes."""
        return self.var.index

    @property
    def n_obs(self) -> int:
        """Number of cells."""
        return len(self.obs)

    @property
    def n_vars(self) -> int:
        """Number of genes."""
        return len(self.var)

    @property
    def shape(self) -> tuple[int, int]:
        """Number of cells and of genes."""
        return self.n_obs, self.n_vars

    def to_anndata(self) -> AnnData:
        """The same as anndata has it."""
        from anndata import AnnData

        return AnnData(X=self.X, obs=self.obs.copy(), var=self.var.copy())


@dataclass(frozen=True)
class CountBlocks:
    """Counts that come block by block, to be stored without ever being together.

    Attributes
    ----------
    blocks
        CSR counts of some cells, all genes, and the cells' ``obs``; consumed once.
    var
        The genes.
    obs
        The columns of ``obs`` with no cell in them, for a cohort that has none.
    """

    blocks: Iterable[Block]
    var: pd.DataFrame
    obs: pd.DataFrame

    def to_anndata(self) -> AnnData:
        """All blocks together in memory."""
        import scipy.sparse as sp
        from anndata import AnnData

        blocks = list(self.blocks)
        empty = sp.csr_matrix((0, len(self.var)), dtype=np.int32)
        x = sp.vstack([empty, *(x for x, _ in blocks)], format="csr")
        obs = pd.concat([self.obs, *(obs for _, obs in blocks)])
        return AnnData(X=sp.csr_matrix(x), obs=obs, var=self.var.copy())


def sum_rows(matrix: sp.csr_matrix) -> np.ndarray:
    """Sum of each row, (n_rows,), without the copy of the matrix that its own `sum` makes.

    Numbers of fewer than 32 bits are added as such of 32.
    """
    return matrix @ np.ones(matrix.shape[1], dtype=np.result_type(matrix.dtype, np.int32))


def blocks_of(counts: Counts) -> CountBlocks:
    """Sparse counts in memory as one block."""
    import scipy.sparse as sp

    obs = pd.DataFrame(counts.obs)
    block = (sp.csr_matrix(counts.X), obs)
    return CountBlocks([block], pd.DataFrame(counts.var), obs.iloc[:0])


def is_counts(adata: AnnData) -> bool:
    """Whether an AnnData is a sparse matrix of whole numbers with its cells and genes, no more."""
    import scipy.sparse as sp

    x: Any = adata.X
    raw: Any = adata.raw
    named: Any = adata.layers
    layers = [name for name in named if name is not None]  # None is X itself
    further = (layers, adata.obsm, adata.varm, adata.obsp, adata.varp, adata.uns)
    is_whole = sp.issparse(x) and np.issubdtype(x.dtype, np.integer)
    return is_whole and raw is None and not any(len(part) for part in further)
