"""Cells of a pooled library that are of no sample, or of two, do not count."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

HASHTAG_REASONS: Final = {"doublet": "hashtag_doublet", "negative": "hashtag_unassigned"}


def exclude_unassigned(cell_qc: pd.DataFrame, cell_samples: pd.DataFrame) -> pd.DataFrame:
    """The QC table with the verdict of the hashtags among the reasons.

    Parameters
    ----------
    cell_qc
        `cell_barcode qc_pass qc_reason` and others, which stay (`assess_cells`).
    cell_samples
        `cell_barcode verdict` (`hiaim_sc.dna_barcodes.assign_samples`); a cell without a row is of
        no sample.
    """
    verdict = cell_samples.set_index("cell_barcode")["verdict"].reindex(cell_qc["cell_barcode"])
    added = verdict.fillna("negative").map(HASHTAG_REASONS).fillna("").to_numpy()
    reason = cell_qc["qc_reason"].fillna("").to_numpy()
    joint = np.where((reason != "") & (added != ""), ";", "")
    return cell_qc.assign(
        qc_reason=reason.astype(object) + joint + added,
        qc_pass=cell_qc["qc_pass"].to_numpy() & (added == ""),
    ).astype({"qc_reason": cell_qc["qc_reason"].dtype})
