"""What a bout of exercise does at once: the same patient and visit, after the bout and at rest."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    import pandas as pd

_SEQUENCED = "blood_nk_frac"
_PLACE = ["patient_id", "tissue", "visit", "endpoint"]
_SUFFIX = "_acute"


def measure_mobilisation(table: pd.DataFrame) -> pd.DataFrame:
    """``<endpoint>_acute``: value after the bout over value at rest, analysed as ln.

    Of ``blood_nk_frac`` and of every measurement that is analysed as ln, wherever a value after a
    bout is expected. Fractions have half a cell more in both, as in their logit, so that a sample
    without a NK cell has a ratio.

    Parameters
    ----------
    table
        Endpoints of both phases with ``scale`` and ``n_cells``.

    Returns
    -------
    Rows at ``post_bout``. The reason is the later sample's, else that of the one at rest;
    ``not_collected`` where nothing at rest was expected.
    """
    is_measured = (table["tissue"] == "") & (table["scale"] == "ln")
    chosen = table[is_measured | (table["endpoint"] == _SEQUENCED)]
    chosen = chosen.assign(logarithm=_take_logarithm(chosen))
    after = chosen[chosen["session_phase"] == "post_bout"]
    rest = chosen.loc[
        chosen["session_phase"] == "rest", [*_PLACE, "logarithm", "reason_missing"]
    ].rename(columns={"logarithm": "before", "reason_missing": "reason_at_rest"})
    pairs = after.merge(rest, on=_PLACE, how="left", validate="one_to_one")
    change = pairs["logarithm"] - pairs["before"]
    at_rest = pairs["reason_at_rest"].fillna("not_collected")
    reason = pairs["reason_missing"].where(pairs["reason_missing"] != "", at_rest)
    return pairs[[*_PLACE, "sample_id", "session_phase", "n_cells"]].assign(
        endpoint=pairs["endpoint"] + _SUFFIX,
        value=np.exp(change),
        value_analysed=change,
        scale="ln",
        reason_missing=reason,
    )


def _take_logarithm(rows: pd.DataFrame) -> pd.Series:
    n_cells = rows["n_cells"].astype("float64")
    fraction = (rows["value"] * n_cells + 0.5) / (n_cells + 1)
    is_fraction = rows["endpoint"] == _SEQUENCED
    return np.log(fraction.where(is_fraction, rows["value"]).astype("float64"))
