"""Shares of many cell types in few patients: their variances are estimated together."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from hiaim_sc.compare.contrasts import PLACE, Place
from hiaim_sc.stats import moderated_t

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.compare.contrasts import Trial

_FROM_VARIANCE = ("se", "df", "ci_low", "ci_high")


def moderate(table: pd.DataFrame, trial: Trial) -> pd.DataFrame:
    """The comparisons with moderated errors, intervals and ``p_t`` in the plan's joint families.

    The endpoints of a family at one visit and phase share a prior of their residual variances
    (`hiaim_sc.stats.moderated_t`). Where their patients differ, some have a baseline and some none,
    or there is but one endpoint, nothing changes. The estimates and ``p_perm`` stay.

    Parameters
    ----------
    table
        A row per comparison, as `hiaim_sc.compare.families.judge` returns it.
    trial
        What the rows were computed from.
    """
    joint = trial.config.analysis_plan.joint_families
    chosen = table[table["family"].isin(joint) & np.isfinite(table["p_t"].astype(float))]
    for (_, contrast, *_), group in chosen.groupby(
        ["family", "contrast", "tissue", "visit", "session_phase"]
    ):
        places = [Place(*row) for row in group[PLACE].itertuples(index=False, name=None)]
        treated = str(contrast).split(" - ", maxsplit=1)[0]
        outcomes = [trial.outcome(place, treated) for place in places]
        first = outcomes[0]
        before = [o.baseline for o in outcomes if o.baseline is not None]
        is_common = all(o.patients.equals(first.patients) for o in outcomes)
        if len(outcomes) < 2 or not is_common or len(before) not in (0, len(outcomes)):
            continue
        found = moderated_t(
            np.column_stack([o.values for o in outcomes]),
            first.is_treated,
            baseline=np.column_stack(before) if before else None,
            strata=first.strata,
        )
        for name in _FROM_VARIANCE:
            table.loc[group.index, name] = getattr(found, name)
        table.loc[group.index, "p_t"] = found.p_value
        table.loc[group.index, "method"] = group["method"] + ", variances moderated"
    return table
