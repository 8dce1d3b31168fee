"""What each endpoint can detect, from the spread of all patients, whatever their arm."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.compare.contrasts import Place, label_strata
from hiaim_sc.compare.endpoints import CHANGES
from hiaim_sc.compare.families import find_family, find_level
from hiaim_sc.stats import blinded_spread, detectable_effect

if TYPE_CHECKING:
    from hiaim_sc.config import StudyConfig

# Scales on which a difference is the logarithm of a ratio, and its sign: turnover rises where the
# overlap falls.
_LOGARITHMS = {"ln": 1, "logit": 1, "-ln(1 - x)": -1}
_PLACE = ["endpoint", "tissue"]
_COLUMNS = ["endpoint", "tissue", "visit", "scale", "n", "n_per_arm", "sd", "residual_sd"]
_COLUMNS += ["detectable", "detectable_ratio", "detectable_sd"]


def tabulate_power(
    endpoints: pd.DataFrame,
    strata: pd.DataFrame,
    config: StudyConfig,
    *,
    n_per_arm: int | None = None,
    power: float = 0.8,
) -> pd.DataFrame:
    """Smallest difference that each endpoint would show at the last visit and at rest.

    Parameters
    ----------
    endpoints
        Release table with ``scale``.
    strata
        Indexed by ``patient_id``, as randomised.
    config
        Design and plan; the level is that of the comparison, not adjusted for other endpoints.
    n_per_arm
        Patients with a value in each arm; by default those there are, split evenly.
    power
        Probability of finding the difference.

    Returns
    -------
    A row per endpoint and tissue. ``detectable`` is on the analysed scale, ``detectable_ratio`` its
    exponential where that is a logarithm or a logit (a ratio, or an odds ratio; of turnover the
    ratio of overlaps), ``detectable_sd`` in standard deviations of the patients' values.
    """
    design = config.design
    visit = list(design.visits)[-1]
    at_rest = endpoints[endpoints["session_phase"] == "rest"]
    # a patient who is no longer of the study has no stratum
    is_known = at_rest["value_analysed"].notna() & at_rest["patient_id"].isin(strata.index)
    known = at_rest[is_known]
    labels = label_strata(strata) if strata.shape[1] else None
    rows = []
    for (endpoint, tissue), group in known.groupby(_PLACE, sort=True):
        values = group.set_index("patient_id").sort_index()
        after = values.loc[values["visit"] == visit, "value_analysed"].astype(float)
        before = values.loc[values["visit"] == design.baseline, "value_analysed"].astype(float)
        has_baseline = visit != design.baseline and endpoint not in CHANGES and len(before) > 0
        spread = blinded_spread(
            after.to_numpy(),
            baseline=before.reindex(after.index).to_numpy() if has_baseline else None,
            strata=None if labels is None else labels.reindex(after.index).to_numpy(dtype=object),
        )
        place = Place(str(endpoint), str(tissue), visit, "rest")
        n = n_per_arm or spread.n // len(design.arms)
        d = detectable_effect(
            n,
            n,
            n_covariates=spread.n_covariates,
            alpha=find_level(find_family(place, config).gate, config),
            power=power,
        )
        row: dict[str, Any] = {"endpoint": endpoint, "tissue": tissue, "visit": visit}
        row |= {"scale": group["scale"].iloc[0], "n": spread.n, "n_per_arm": n}
        row |= {"sd": spread.sd, "residual_sd": spread.residual_sd}
        rows.append({**row, **_describe(d * spread.residual_sd, row)})
    return pd.DataFrame(rows).reindex(columns=_COLUMNS)


def _describe(detectable: float, row: dict[str, Any]) -> dict[str, float]:
    sign = _LOGARITHMS.get(row["scale"], np.nan)
    return {
        "detectable": detectable,
        "detectable_ratio": float(np.exp(sign * detectable)),
        "detectable_sd": detectable / row["sd"] if row["sd"] > 0 else np.nan,
    }
