"""What is to be held against a response, or against all that a sample of a screen says."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from hiaim_sc.config import BulkOptions

# In this order; the first four stand at responses only, the others at every row of the sample.
FLAGS: Final = {
    "below_log2_fc": "the log2 fold change is below bulk.min_log2_fc",
    "below_count_fraction": "its share of the sample's molecules is below bulk.min_count_fraction",
    "low_input": "the mean input has fewer molecules of it than bulk.min_input_count",
    "hla_mismatch": "the patient does not have its HLA",
    "one_sample_replicate": "the sample has one replicate: only large fold changes can be found",
    "one_input_replicate": "the screen has one input: only large fold changes can be found",
    "low_saturation": "reads still found new molecules (bulk.min_saturation): too few were read",
}


def flag_rows(
    rows: pd.DataFrame, presented: Sequence[str], options: BulkOptions, always: Mapping[str, bool]
) -> list[str]:
    """The flags of each row, joined by ``;``.

    Parameters
    ----------
    rows
        `response log_fold_change count_fraction n_input` of one sample.
    presented
        Of each row whether the patient has its HLA: ``yes``, ``no`` or ``unknown``.
    options
        The limits.
    always
        Flags of the whole sample, and whether they hold.
    """
    holds = {
        "below_log2_fc": (rows["log_fold_change"] < options.min_log2_fc).to_numpy(),
        "below_count_fraction": (rows["count_fraction"] < options.min_count_fraction).to_numpy(),
        "low_input": (rows["n_input"] < options.min_input_count).to_numpy(),
        "hla_mismatch": [verdict == "no" for verdict in presented],
    }
    common = [word for word in FLAGS if always.get(word)]
    return [
        ";".join([*(word for word in holds if response and holds[word][i]), *common])
        for i, response in enumerate(rows["response"])
    ]
