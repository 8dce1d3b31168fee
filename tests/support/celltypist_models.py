"""Models that CellTypist itself trained, and files that are no such models."""

from __future__ import annotations

import hashlib
import os
import tempfile
from functools import cache
from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd
import scipy.sparse as sp
from anndata import AnnData

if TYPE_CHECKING:
    from pathlib import Path


@cache
def celltypist() -> Any:
    """CellTypist, with its folder, which it makes when it is imported, out of the way."""
    os.environ.setdefault("CELLTYPIST_FOLDER", tempfile.mkdtemp())
    import celltypist

    return celltypist


def normalise(counts: AnnData, names: pd.Index) -> AnnData:
    """What CellTypist asks for: log1p of counts per 10,000 of all genes."""
    x = sp.csr_matrix(counts.X, dtype=np.float64)
    x = sp.csr_matrix(sp.diags_array(1e4 / np.asarray(x.sum(axis=1)).ravel()) @ x).log1p()
    return AnnData(X=x, obs=counts.obs.copy(), var=pd.DataFrame(index=names))


def train(counts: AnnData, names: pd.Index, labels: Any, **options: Any) -> Any:
    """A model by stochastic gradient descent, the training that CellTypist 1.7.1 can still do.

    Its other way asks scikit-learn for ``multi_class``, which 1.8 took out.
    """
    table = normalise(counts, names)
    return celltypist().train(
        table, labels=np.asarray(labels), use_SGD=True, random_state=0, n_jobs=1, **options
    )


def write(model: Any, path: Path) -> str:
    """Save a model as CellTypist does; the digest of the file."""
    model.write(str(path))
    return digest(path)


def digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()
