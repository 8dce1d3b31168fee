"""What is to be held against a response, or against all that a sample of a screen says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.names import BULK_FLAGS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import pandas as pd

    from hiaim_sc.config import BulkOptions


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
    common = [word for word in BULK_FLAGS if always.get(word)]
    return [
        ";".join([*(word for word in holds if response and holds[word][i]), *common])
        for i, response in enumerate(rows["response"])
    ]
