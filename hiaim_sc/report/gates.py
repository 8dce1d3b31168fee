"""Which gates opened, in words."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import numpy as np

from hiaim_sc.compare.families import KEY_SECONDARY, PRIMARY, REGISTERED, is_open
from hiaim_sc.report.formats import format_amount, format_p
from hiaim_sc.report.labels import label_endpoint
from hiaim_sc.report.sentences import gives_evidence
from hiaim_sc.report.values import read_flag

if TYPE_CHECKING:
    from collections.abc import Collection, Mapping

    import pandas as pd

_WORDS: Final = {
    REGISTERED: "The registered primary outcome, at its own level",
    PRIMARY: "Gate 1, the primary question of the plan",
    KEY_SECONDARY: "Gate 2, the key secondary endpoints",
}
GATES: Final = tuple(_WORDS)
_BEHIND: Final = "what stands behind it is exploratory"


def describe_gates(comparisons: pd.DataFrame, planned: Mapping[str, Collection[str]]) -> list[str]:
    """A sentence per gate that was planned or tested, of each contrast: open or shut, and why.

    Parameters
    ----------
    comparisons
        Release table; random labels open no gate, so a blinded table gives no sentence.
    planned
        Endpoints that the plan names for each gate.
    """
    if comparisons.empty or any(map(read_flag, comparisons["blinded"])):
        return []
    contrasts = sorted(set(comparisons["contrast"]))
    found, shut = [], set()
    for gate, words in _WORDS.items():
        for contrast in contrasts:
            names = set(planned.get(gate, ()))
            is_own = (comparisons["gate"] == gate) & (comparisons["contrast"] == contrast)
            rows = comparisons[is_own]
            if rows.empty and not names:
                continue
            if gate == REGISTERED:
                verdict = _judge_alone(rows)
            elif contrast in shut:
                verdict = "stands behind a gate that stayed shut, so it is exploratory."
            elif is_open(rows, names):
                verdict = f"open ({_describe_tests(rows)})."
            else:
                verdict = _explain_shut(rows, names)
                shut.add(contrast)
            where = f" ({contrast})" if len(contrasts) > 1 else ""
            found.append(f"{words}{where}: {verdict}")
    return found


def _judge_alone(rows: pd.DataFrame) -> str:
    tested = _tested(rows)
    if tested.empty:
        return "could not be tested."
    opens = any(map(gives_evidence, rows.to_dict("records")))
    verdict = "evidence of a difference" if opens else "no evidence of a difference"
    p = format_p(float(tested["p_adj"].min()))
    return f"{verdict} ({p}, level {float(rows['alpha'].iloc[0]):g})."


def _explain_shut(rows: pd.DataFrame, planned: set[str]) -> str:
    """Why a gate stayed shut: what could not be tested, and what the tests came to."""
    tested = _tested(rows)
    if tested.empty:
        return f"could not be tested, so {_BEHIND}."
    lacking = rows.loc[~rows.index.isin(tested.index), "endpoint"]
    names = sorted({*lacking, *planned.difference(rows["endpoint"])})
    why = f"; not tested: {', '.join(map(label_endpoint, names))}" if names else ""
    return f"shut ({_describe_tests(rows)}{why}); {_BEHIND}."


def _describe_tests(rows: pd.DataFrame) -> str:
    tested = _tested(rows)
    p, alpha = format_p(float(tested["p_adj"].max())), float(rows["alpha"].iloc[0])
    n_passed = int((tested["p_adj"] <= tested["alpha"]).sum())
    tests = format_amount(len(tested), "test")
    return f"{n_passed} of {tests} at level {alpha:g}, largest adjusted {p}"


def _tested(rows: pd.DataFrame) -> pd.DataFrame:
    return rows[np.isfinite(rows["p_adj"].to_numpy(dtype=float))]
