"""Counts of genes that only one sex expresses, per sample of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.names.genes import gene_set
from hiaim_sc.qc.metrics import whole_counts

if TYPE_CHECKING:
    from anndata import AnnData

SEXES = ("female", "male")


def count_sex_genes(
    counts: AnnData, cell_qc: pd.DataFrame, cell_samples: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Counts of XIST and TSIX (female) and of Y genes (male) in the cells that pass.

    Parameters
    ----------
    counts
        One library, cells x genes, raw counts; `var["symbol"]` is read.
    cell_qc
        `cell_barcode qc_pass`.
    cell_samples
        Of a pooled library, `cell_barcode sample_id`; a cell of no sample is not counted.

    Returns
    -------
    ``sample_id female male``: a row per sample of a pooled library by its id, else one row without
    a sample.
    """
    from hiaim_sc.qc.passes import measure

    kept = counts.obs_names.isin(cell_qc.loc[cell_qc["qc_pass"], "cell_barcode"])
    arrays, symbols = whole_counts(counts), counts.var["symbol"].tolist()
    found = pd.DataFrame(
        {
            sex: measure(*arrays, np.array([name in gene_set(sex) for name in symbols]))[2]
            for sex in SEXES
        },
        index=counts.obs_names,
    )[kept]
    if cell_samples is None:
        return found.sum().to_frame().T.assign(sample_id=None)[["sample_id", *SEXES]]
    sample = cell_samples.set_index("cell_barcode")["sample_id"].reindex(found.index)
    by_sample = found.assign(sample_id=sample).groupby("sample_id", sort=True)
    return by_sample[list(SEXES)].sum().reset_index()
