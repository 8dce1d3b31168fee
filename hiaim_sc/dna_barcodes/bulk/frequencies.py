"""How frequent the cells of a response are, and how many responses a sample has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    import pandas as pd

    from hiaim_sc.dna_barcodes.bulk.specimens import Specimen

BREADTH_COLUMNS: Final = (
    *("sample_id", "patient_id", "sample_tag", "n_screened", "n_responses", "breadth", "magnitude"),
    *("n_replicates", "n_inputs", "least_fold_change"),
)


def estimate_frequency(
    counts: np.ndarray, is_response: np.ndarray, percent_pe: float
) -> tuple[np.ndarray, np.ndarray]:
    r"""Frequency of cells specific for each dna_barcode, in per cent of CD8 T cells, in two forms.

    :math:`f_i = P\,c_i / \sum_j c_j`, with the multimer-positive cells :math:`P` in per cent, over
    the responses :math:`j` of the sample (NaN for what is none), and over all its counts.

    Examples
    --------
    >>> found = estimate_frequency(np.array([400, 60, 40]), np.array([True, True, False]), 0.8)
    >>> found[0].round(4).tolist(), found[1].round(4).tolist()
    ([0.6957, 0.1043, nan], [0.64, 0.096, 0.064])

    References
    ----------
    Over all counts: Bentzen et al. 2016, doi:10.1038/nbt.3662.
    """
    of_responses = counts[is_response].sum()
    over_responses = np.where(is_response, percent_pe * counts / max(of_responses, 1), np.nan)
    return over_responses, percent_pe * counts / max(np.nansum(counts), 1)


def sum_up(rows: pd.DataFrame, specimen: Specimen, presented: Sequence[str]) -> dict[str, object]:
    """Breadth and magnitude over what was screened that the patient's HLA presents.

    What is not known not to be presented counts as screened.
    """
    is_presented = np.array([verdict != "no" for verdict in presented], dtype=bool)
    is_found = is_presented & rows["response"].to_numpy()
    n_screened, n_found = int(is_presented.sum()), int(is_found.sum())
    frequency = rows.loc[is_found, "estimated_frequency"].sum(min_count=min(n_found, 1))
    return {
        "sample_id": specimen.sample_id,
        "patient_id": specimen.patient_id,
        "sample_tag": specimen.name,
        "n_screened": n_screened,
        "n_responses": n_found,
        "breadth": n_found / n_screened if n_screened else np.nan,
        "magnitude": frequency if np.isfinite(specimen.percent_pe) else np.nan,
    }
