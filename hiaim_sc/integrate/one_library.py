"""Clusters of the cells of one library, which knows no other."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.config import EmbedOptions
from hiaim_sc.integrate.embed import embed, limit_components
from hiaim_sc.integrate.features import select_features
from hiaim_sc.integrate.gather import gather_counts
from hiaim_sc.integrate.genes import summarise_genes

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from hiaim_sc.storage import Counts

_N_TOP_GENES, _N_PCS = 1000, 20


def cluster_library(counts: Counts, kept: Sequence[str], *, rng: np.random.Generator) -> pd.Series:
    """Clusters of the cells of a library that pass QC.

    The path of all libraries together, with 1,000 genes, 20 components and no batch: genes that
    vary, principal components, nearest neighbours, Leiden.

    Parameters
    ----------
    counts
        One library, cells x genes, raw counts; `var["symbol"]` is read.
    kept
        Cell barcodes that pass QC, one at least; their order does not matter.
    rng
        Seeds Leiden.

    Returns
    -------
    Cluster by cell barcode, sorted. Fewer than 10 cells are one cluster.
    """
    options = EmbedOptions(n_top_genes=_N_TOP_GENES, n_pcs=_N_PCS, harmony=False)
    features = select_features({"": summarise_genes(counts, kept)}, options)
    variable = features[features["highly_variable"]]
    selected = gather_counts([("", "", counts, kept)], variable).to_anndata()
    embedding = embed(selected, limit_components(options, selected.n_obs), rng=rng)
    cells = pd.DataFrame(embedding.obs)
    return cells.set_index("cell_barcode")["leiden"]
