"""What was done otherwise than planned, over all releases so far."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.names import RELEASE_TABLES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from hiaim_sc.study import PlanChange

COLUMNS = list(RELEASE_TABLES["deviations"])
_SAME = ["plan_hash_before", "plan_hash_after", "item", "reason"]


def list_deviations(
    changes: Sequence[PlanChange],
    *,
    hashes: tuple[str, str],
    reason: str,
    when: str,
    earlier: pd.DataFrame | None,
) -> pd.DataFrame:
    """The release table ``deviations``: a row per changed item, those of earlier releases first.

    Parameters
    ----------
    changes
        What differs from the frozen plan.
    hashes
        Of the plan as frozen and as it is now.
    reason
        As the user gave it.
    when
        UTC time of the run.
    earlier
        The table of the last release; a deviation that stands there already keeps its time.
    """
    rows = [(when, *hashes, str(change), reason) for change in changes]
    now = pd.DataFrame(rows, columns=COLUMNS, dtype="str")
    known = pd.DataFrame(columns=COLUMNS) if earlier is None else earlier[COLUMNS]
    table = pd.concat([known.astype("str"), now], ignore_index=True)
    return table.drop_duplicates(_SAME, ignore_index=True).astype("str")
