"""The report's sentences, made by rule so that no result is ever worded more strongly than it is.

The rules: a comparison without evidence is "no evidence of a difference", never "no effect"; every
estimate has its interval; a p stands only beside the patients per arm; what was not prespecified is
called exploratory; with random labels nothing is said about the arms at all.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING, Any, Final

from hiaim_sc.report.batches import warn_of_batches
from hiaim_sc.report.contrasts import split_contrast
from hiaim_sc.report.effects import back_transform
from hiaim_sc.report.formats import (
    format_amount,
    format_count,
    format_estimate,
    format_names,
    format_p,
)
from hiaim_sc.report.labels import capitalise, label_endpoint, label_place, label_reason
from hiaim_sc.report.values import read_flag, read_number, read_text
from hiaim_sc.stats import detectable_effect

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_LEVEL: Final = 0.05
_KIND_WORDS: Final = {
    "ratio": "ratio of geometric means",
    "odds ratio": "odds ratio",
    "ratio of overlaps": "ratio of overlaps with the baseline",
    "difference": "difference",
}


def describe_comparison(row: Mapping[str, Any]) -> str:
    """One comparison in a sentence: verdict, estimate with interval, patients per arm, p.

    Where batches nearly follow the arms, a second one says so.

    Parameters
    ----------
    row
        A row of `comparisons`. The verdict follows `p_adj` where there is one, else `p_perm`, at
        the row's `alpha`.
    """
    where = label_place(str(row["tissue"]), str(row["visit"]), str(row["session_phase"]))
    name = f"{capitalise(label_endpoint(str(row['endpoint'])))} ({where})"
    effect = back_transform(row)
    if not math.isfinite(effect.estimate):
        reason = label_reason(read_text(row["reason_empty"]) or "no estimate")
        return f"{name}: not compared; {reason}."
    interval = format_estimate(effect.estimate, effect.low, effect.high)
    estimate = (
        f"{_KIND_WORDS[effect.kind]} {interval.replace(' (', ', 95 % interval ').rstrip(')')}"
    )
    numbers = ", ".join(filter(None, (estimate, describe_patients(row), _p_words(row))))
    said = f"{name}: {choose_verdict(row)} ({numbers})."
    return " ".join(filter(None, (said, warn_of_batches(row))))


def choose_verdict(row: Mapping[str, Any]) -> str:
    """How sure a comparison is, in words that claim no more than the test does."""
    if read_flag(row["blinded"]):
        return "labels are random, so this says nothing about the arms"
    p = read_number(row["p_perm"])
    if not math.isfinite(p):
        return "too few patients for a test, so the estimate stands alone"
    if not gives_evidence(row):
        if p <= read_number(row["alpha"]):
            return "no evidence of a difference once the endpoints of its family are counted"
        return "no evidence of a difference"
    treated, reference = split_contrast(str(row["contrast"]))
    direction = "higher" if read_number(row["estimate"]) > 0 else "lower"
    strength = "evidence" if read_flag(row["prespecified"]) else "exploratory evidence"
    return f"{strength} of a difference, {direction} in {treated} than in {reference}"


def gives_evidence(row: Mapping[str, Any]) -> bool:
    """Whether the test rejects: by `p_adj`, or by `p_perm` where there is no adjusted p."""
    if read_flag(row["blinded"]):
        return False
    p, adjusted = read_number(row["p_perm"]), read_number(row["p_adj"])
    decisive = adjusted if math.isfinite(adjusted) else p
    return math.isfinite(decisive) and decisive <= read_number(row["alpha"])


def describe_patients(row: Mapping[str, Any]) -> str:
    """How many patients of each arm stand behind a comparison: ``n = 11 exercise, 12 control``."""
    treated, reference = split_contrast(str(row["contrast"]))
    n_treated, n_reference = (read_number(row[name]) for name in ("n_treated", "n_reference"))
    counts = format_count(n_treated) or "0", format_count(n_reference) or "0"
    return f"n = {counts[0]} {treated}, {counts[1]} {reference}"


def describe_prespecification(comparisons: pd.DataFrame) -> str:
    """Whether the comparisons were fixed before the arms were seen."""
    if comparisons.empty:
        return ""
    n_all, n = len(comparisons), sum(map(read_flag, comparisons["prespecified"]))
    if n == 0:
        return (
            "Prespecified: no. The arms were not compared under an analysis plan that was frozen "
            "before and has not changed, so every comparison below is exploratory."
        )
    if n == n_all:
        return "Prespecified: yes. The analysis plan was frozen before the arms were seen."
    return (
        f"Prespecified: {n} of {n_all} comparisons; the others are exploratory, or stand behind a "
        "gate that stayed shut, and are marked so."
    )


def summarise_comparisons(comparisons: pd.DataFrame) -> str:
    """How many comparisons were made, tested and gave evidence, in one or two sentences."""
    if comparisons.empty:
        return "Nothing has been compared between arms yet."
    rows = comparisons.to_dict("records")
    made = [row for row in rows if math.isfinite(read_number(row["estimate"]))]
    tested = [row for row in made if math.isfinite(read_number(row["p_perm"]))]
    text = (
        f"{format_amount(len(rows), 'comparison')} between arms: {len(made)} could be estimated, "
        f"{len(tested)} had enough patients for a test."
    )
    if any(read_flag(row["blinded"]) for row in rows):
        return f"{text} The labels are random: the numbers show that the machinery works, no more."
    found = [row for row in tested if "evidence of a difference, " in choose_verdict(row)]
    if not tested:
        return f"{text} How sure a difference is cannot be said without a test."
    if not found:
        return (
            f"{text} None gives evidence of a difference between the arms after its family is "
            "adjusted for; this does not show that the arms are alike."
        )
    return f"{text} {len(found)} of them {_gives(len(found))} evidence of a difference."


def describe_power(comparisons: pd.DataFrame) -> str:
    """What the number of patients can detect, per tissue: in standard deviations at 80 % power."""
    parts = []
    known = comparisons[comparisons["estimate"].notna()]
    for tissue, rows in known.groupby("tissue"):
        largest = rows.sort_values(["n_treated", "n_reference"]).iloc[-1]
        n = int(largest["n_reference"]), int(largest["n_treated"])
        size = detectable_effect(*n)
        if math.isfinite(size):
            place = tissue or "measurements"
            parts.append(
                f"{place} ({n[1]} against {n[0]} patients): {size:.1f} standard deviations"
            )
    if not parts:
        return ""
    return (
        "Smallest difference that a test at 5 % would find four times out of five, before "
        f"adjustment for baseline: {'; '.join(parts)}. Smaller true differences are likely missed."
    )


def describe_unequal_losses(comparisons: pd.DataFrame) -> str:
    """Where values are missing more in one arm, as `p_missing` has it; empty where nowhere."""
    if comparisons.empty or any(map(read_flag, comparisons["blinded"])):
        return ""
    p = comparisons["p_missing"].astype(float)
    parts = []
    for (tissue, visit, phase), rows in comparisons[p <= _LEVEL].groupby(
        ["tissue", "visit", "session_phase"], sort=False
    ):
        place = label_place(str(tissue) or "measurements", str(visit), str(phase))
        smallest = format_p(float(rows["p_missing"].astype(float).min()))
        parts.append(f"{place} ({format_amount(len(rows), 'comparison')}, smallest {smallest})")
    if not parts:
        return ""
    return (
        f"Values are missing more in one arm than in the other: {format_names(parts)}. Patients "
        "with a value may no longer be as randomised there."
    )


def describe_losses(losses: Mapping[str, int], *, total: int, noun: str) -> str:
    """What is missing and why: ``4 of 32 samples are missing: 2 died, 1 withdrew ...``.

    Parameters
    ----------
    losses
        Reason -> number; the largest is named first.
    total
        How many were expected.
    noun
        Singular of what is counted.
    """
    n = sum(losses.values())
    expected = format_amount(total, noun)
    if n == 0:
        return f"None of {expected} is missing."
    ranked = sorted(losses.items(), key=lambda item: (-item[1], item[0]))
    reasons = [f"{count} {label_reason(reason)}" for reason, count in ranked if count]
    verb = "is" if n == 1 else "are"
    return f"{format_count(n)} of {expected} {verb} missing: {format_names(reasons)}."


def _gives(n: int) -> str:
    return "gives" if n == 1 else "give"


def _p_words(row: Mapping[str, Any]) -> str:
    p, adjusted = read_number(row["p_perm"]), read_number(row["p_adj"])
    words = format_p(p)
    if words and math.isfinite(adjusted):
        words += f", adjusted within its family {format_p(adjusted).removeprefix('p = ')}"
    return words
