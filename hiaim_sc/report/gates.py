"""Which gates opened, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hiaim_sc.report.formats import format_amount, format_p
from hiaim_sc.report.sentences import gives_evidence
from hiaim_sc.report.values import read_flag

if TYPE_CHECKING:
    import pandas as pd

_WORDS: Final = {
    "registered_primary": "The registered primary outcome, at its own level",
    "primary": "Gate 1, the primary question of the plan",
    "key_secondary": "Gate 2, the key secondary endpoints",
}
GATES: Final = tuple(_WORDS)


def describe_gates(comparisons: pd.DataFrame) -> list[str]:
    """A sentence per gate that has comparisons: open or shut, by which p, of how many endpoints.

    Parameters
    ----------
    comparisons
        Release table; random labels open no gate, so a blinded table gives no sentence.
    """
    if comparisons.empty or any(map(read_flag, comparisons["blinded"])):
        return []
    many = len(set(comparisons["contrast"])) > 1
    found = []
    for gate, words in _WORDS.items():
        rows = comparisons[comparisons["gate"] == gate]
        for contrast, group in rows.groupby("contrast"):
            where = f" ({contrast})" if many else ""
            found.append(f"{words}{where}: {_judge(group, is_gate=gate != 'registered_primary')}")
    return found


def _judge(rows: pd.DataFrame, *, is_gate: bool) -> str:
    adjusted = rows["p_adj"].to_numpy(dtype=float)
    tested = adjusted[np.isfinite(adjusted)]
    behind = "what stands behind it is exploratory"
    if len(tested) == 0:
        return f"could not be tested, so {behind}." if is_gate else "could not be tested."
    p, alpha = format_p(float(tested.min())), float(rows["alpha"].iloc[0])
    opens = any(map(gives_evidence, rows.to_dict("records")))
    if not is_gate:
        verdict = "evidence of a difference" if opens else "no evidence of a difference"
        return f"{verdict} ({p}, level {alpha:g})."
    tests = f"smallest adjusted {p} of {format_amount(len(tested), 'test')}, level {alpha:g}"
    return f"open ({tests})." if opens else f"shut ({tests}); {behind}."
