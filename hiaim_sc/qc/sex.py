"""Counts of genes that only one sex expresses, per sample of a library."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.qc.metrics import SEXES

if TYPE_CHECKING:
    import pandas as pd


def count_sex_genes(
    counted: pd.DataFrame, cell_qc: pd.DataFrame, cell_samples: pd.DataFrame | None = None
) -> pd.DataFrame:
    """Counts of XIST and TSIX (female) and of Y genes (male) in the cells that pass.

    Parameters
    ----------
    counted
        `female male` of one library's cells, by cell barcode.
    cell_qc
        `cell_barcode qc_pass`.
    cell_samples
        Of a pooled library, `cell_barcode sample_id`; a cell of no sample is not counted.

    Returns
    -------
    ``sample_id female male``: a row per sample of a pooled library by its id, else one row without
    a sample.
    """
    kept = counted.index.isin(cell_qc.loc[cell_qc["qc_pass"], "cell_barcode"])
    found = counted.loc[kept, list(SEXES)]
    if cell_samples is None:
        return found.sum().to_frame().T.assign(sample_id=None)[["sample_id", *SEXES]]
    sample = cell_samples.set_index("cell_barcode")["sample_id"].reindex(found.index)
    by_sample = found.assign(sample_id=sample).groupby("sample_id", sort=True)
    return by_sample[list(SEXES)].sum().reset_index()
