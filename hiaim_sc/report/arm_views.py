"""The comparisons of arms and what they hang on, as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hiaim_sc.names import MAX_BATCH_INFLATION
from hiaim_sc.report.batches import format_inflation
from hiaim_sc.report.contrasts import split_contrast
from hiaim_sc.report.effects import back_transform
from hiaim_sc.report.formats import format_count, format_estimate, format_number, format_p_cell
from hiaim_sc.report.labels import capitalise, label_endpoint, label_place, label_reason
from hiaim_sc.report.values import read_flag, read_number, read_text
from hiaim_sc.report.views import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_LEVEL = 0.05


def view_comparisons(comparisons: pd.DataFrame) -> View:
    """Every comparison with its numbers; those that could not be made with the reason."""
    rows = [_comparison_row(row) for row in comparisons.to_dict("records")]
    pairs = {split_contrast(str(contrast)) for contrast in comparisons["contrast"]}
    treated, reference = pairs.pop() if len(pairs) == 1 else ("treated", "reference")
    heads = ["Endpoint", "Where and when", f"n {treated}", f"n {reference}", "Scale"]
    heads += ["Estimate (95 % interval)", "p", "p adjusted", "Hedges g", "Batch inflation"]
    heads += ["Family", "Prespecified"]
    caption = (
        f"Comparisons of {treated} with {reference}; p by re-randomisation within strata, adjusted "
        "within the family. Hedges g: the adjusted estimate in standard deviations of the patients "
        "of an arm. Batch inflation: what taking batches out of it would multiply its variance by; "
        f"above {MAX_BATCH_INFLATION:g} batches nearly follow the arms."
    )
    return View(caption, heads, rows, frozenset((2, 3, 6, 7, 8, 9)))


def view_sensitivity(table: pd.DataFrame) -> View:
    """Per planned comparison how many settings, patients and batches agree with its direction."""
    rows = []
    for (endpoint, tissue, _), group in table.groupby(["endpoint", "tissue", "contrast"]):
        made = group[group["estimate"].notna() & (group["setting"] != "as planned")]
        is_one = made["setting"].str.startswith("leave one")
        settings, left = made[~is_one], made[is_one]
        estimates = left["estimate"]
        spread = ""
        if len(left):
            ends = format_number(estimates.min()), format_number(estimates.max())
            spread = f"{ends[0]} to {ends[1]}"
        rows.append(
            [
                capitalise(label_endpoint(str(endpoint))),
                str(tissue),
                format_number(group.loc[group["setting"] == "as planned", "estimate"].iloc[0]),
                f"{int(settings['same_sign'].sum())} of {len(settings)}",
                f"{int((settings['same_sign'] & (settings['p_perm'] <= _LEVEL)).sum())}",
                spread,
            ]
        )
    heads = [
        "Endpoint",
        "Tissue",
        "As planned",
        "Settings with its sign",
        "... and p ≤ .05",
    ]
    heads += ["Leaving out one patient or batch"]
    caption = "The planned comparisons under other settings, estimates on the analysed scale."
    return View(caption, heads, rows, frozenset((2, 3, 4)))


def view_missing_data(table: pd.DataFrame) -> View:
    """Per planned comparison what patients without a value could change, method by method."""
    is_missing = table["n_missing"].astype(float) + table["n_died"].astype(float) > 0
    rows = []
    for (endpoint, tissue, _), group in table[is_missing].groupby(
        ["endpoint", "tissue", "contrast"]
    ):
        by_method = {str(row["method"]): row for row in group.to_dict("records")}
        first = group.iloc[0]
        tipping = by_method.get("tipping", {})
        rows.append(
            [
                capitalise(label_endpoint(str(endpoint))),
                str(tissue),
                format_count(read_number(first["n_missing"])),
                format_count(read_number(first["n_died"])),
                *(_with_interval(by_method.get(method, {})) for method in ("clda", "mi")),
                read_text(tipping.get("reason_empty"))
                or format_number(read_number(tipping.get("delta"))),
            ]
        )
    heads = ["Endpoint", "Tissue", "Missing", "Died", "All visits (cLDA)", "Imputed"]
    heads += ["Shift of the imputed that overturns it"]
    caption = "What missing values could change; estimates with 95 % interval, analysed scale."
    return View(caption, heads, rows, frozenset((2, 3)))


def _with_interval(row: Mapping[str, Any]) -> str:
    numbers = (read_number(row.get(name)) for name in ("estimate", "ci_low", "ci_high"))
    return format_estimate(*numbers) or read_text(row.get("reason_empty"))


def _comparison_row(row: Mapping[str, Any]) -> list[str]:
    effect = back_transform(row)
    estimate = format_estimate(effect.estimate, effect.low, effect.high)
    reason = label_reason(read_text(row["reason_empty"])) or "no estimate"
    return [
        capitalise(label_endpoint(str(row["endpoint"]))),
        label_place(read_text(row["tissue"]), str(row["visit"]), str(row["session_phase"])),
        format_count(read_number(row["n_treated"])),
        format_count(read_number(row["n_reference"])),
        effect.kind if estimate else "",
        estimate.replace(" ", "\u00a0") or f"not compared: {reason}",
        format_p_cell(read_number(row["p_perm"])) or "no test",
        format_p_cell(read_number(row["p_adj"])),
        format_number(read_number(row["effect_g"]), digits=2).replace("-", "\u2212"),
        format_inflation(read_number(row["batch_inflation"])),
        read_text(row["family"]).replace("_", " "),
        "yes" if read_flag(row["prespecified"]) else "no",
    ]
