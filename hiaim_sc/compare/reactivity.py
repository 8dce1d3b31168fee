"""Clones that may recognise the tumour, by the scores of their cells in it."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np
import pandas as pd

from hiaim_sc.names import PUTATIVE

if TYPE_CHECKING:
    from hiaim_sc.config import PhenotypeOptions

_CELL: Final = ["library_id", "cell_barcode"]
_PLACE: Final = [*_CELL, "patient_id", "tissue", "cell_type_lineage"]


def call_reactive(
    scores: pd.DataFrame, cells: pd.DataFrame, exclusion: pd.Series, options: PhenotypeOptions
) -> pd.DataFrame:
    """Which clones are ``putative_tumor_reactive``, by their CD8 cells in the tumour.

    A clone's score is the mean over these cells, of all visits; it is called above the threshold of
    its patient: the 95th percentile of the CD8 cells in the tumour whose clone has no other cell
    in the patient, or Otsu's threshold of all of them.

    Parameters
    ----------
    scores
        As `hiaim_sc.annotate.score_signatures` returns them.
    cells
        Cells with a clone and expression: `library_id cell_barcode clone_key`.
    exclusion
        By `clone_key` of the clones that are judged: why one is not asked; empty where it is.
    options
        The signature that decides, the minima and the threshold.

    Returns
    -------
    ``clone_key n_scored score threshold label reason`` and ``score_<signature>`` of each. `label`
    is putative_tumor_reactive, other, excluded or untestable; `reason` the exclusion, or
    too_few_tumor_cells, too_few_reference_cells, genes_not_measured.
    """
    signatures = [name for name in scores if name not in _PLACE]
    is_tumour_cd8 = (scores["tissue"] == "tumor") & (scores["cell_type_lineage"] == "CD8")
    tumour = scores[is_tumour_cd8.to_numpy(bool)].merge(
        cells[[*_CELL, "clone_key"]], on=_CELL, how="left"
    )
    size = cells["clone_key"].value_counts()
    single = tumour["clone_key"].map(size) == 1
    by_clone = tumour.groupby("clone_key")
    n_scored = by_clone.size().reindex(exclusion.index, fill_value=0)
    means = by_clone[signatures].mean().reindex(exclusion.index)
    means = means.where(n_scored >= options.min_tumor_cells).add_prefix("score_")
    known = options.score in signatures and bool(scores[options.score].notna().any())
    deciding = tumour.assign(value=tumour[options.score] if known else np.nan)
    thresholds = _thresholds(deciding, single, options)
    owner = cells.drop_duplicates("clone_key").set_index("clone_key")["patient_id"]
    table = pd.DataFrame({"n_scored": n_scored, "score": np.nan, "threshold": np.nan})
    if known:
        table["score"] = means[f"score_{options.score}"]
        table["threshold"] = owner.reindex(table.index).map(thresholds).astype(float)
    table["reason"] = _explain(table, exclusion, known=known, options=options)
    table["label"] = np.select(
        [exclusion != "", table["reason"] != "", table["score"] > table["threshold"]],
        ["excluded", "untestable", PUTATIVE],
        default="other",
    )
    return table.join(means).rename_axis("clone_key").reset_index()


def _explain(
    table: pd.DataFrame, exclusion: pd.Series, *, known: bool, options: PhenotypeOptions
) -> np.ndarray:
    reasons = {
        "genes_not_measured": np.full(len(table), not known),
        "too_few_tumor_cells": (table["n_scored"] < options.min_tumor_cells).to_numpy(),
        "too_few_reference_cells": table["threshold"].isna().to_numpy(),
    }
    found = np.select(list(reasons.values()), list(reasons), default="")
    return np.where(exclusion != "", exclusion, found)


def _thresholds(tumour: pd.DataFrame, single: pd.Series, options: PhenotypeOptions) -> pd.Series:
    """By patient; missing where too few cells would set it."""
    reference = tumour[single.to_numpy(bool)] if options.threshold == "percentile" else tumour
    values = reference.dropna(subset="value").groupby("patient_id")["value"]
    found = {
        patient: find_otsu_threshold(scores.to_numpy())
        if options.threshold == "otsu"
        else float(np.percentile(scores, options.percentile))
        for patient, scores in values
        if len(scores) >= options.min_reference_cells
    }
    return pd.Series(found, dtype=float)


def find_otsu_threshold(values: np.ndarray) -> float:
    r"""The cut between two groups of values that are most alike within.

    Of all cuts halfway between neighbouring values the one with the largest
    :math:`n_1 n_2 (\bar x_1 - \bar x_2)^2`, the first of equal ones; where all values are equal,
    that value.

    References
    ----------
    Otsu 1979, doi:10.1109/TSMC.1979.4310076.
    """
    ordered = np.sort(values)
    n = len(ordered)
    below = np.cumsum(ordered)[:-1]
    n_below = np.arange(1, n)
    gap = below / n_below - (ordered.sum() - below) / (n - n_below)
    between = np.where(ordered[1:] > ordered[:-1], n_below * (n - n_below) * gap**2, 0.0)
    if not between.any():
        return float(ordered[-1])
    cut = int(np.argmax(between))
    return float((ordered[cut] + ordered[cut + 1]) / 2)
