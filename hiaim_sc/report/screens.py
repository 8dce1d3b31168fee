"""Bulk DNA-barcode screens in words and as tables."""

from __future__ import annotations

from collections import Counter
from typing import TYPE_CHECKING, Any, Final

import numpy as np
import pandas as pd

from hiaim_sc.names import BULK_FLAGS, BULK_RESPONSE_FLAGS
from hiaim_sc.report.formats import (
    format_amount,
    format_count,
    format_names,
    format_number,
    format_p_cell,
    format_percent,
)
from hiaim_sc.report.labels import VERDICT_LABELS
from hiaim_sc.report.values import read_flag, read_number, read_text
from hiaim_sc.report.views import View

if TYPE_CHECKING:
    from collections.abc import Iterable, Mapping

    type Tables = Mapping[str, pd.DataFrame]

_MOST_NAMED: Final = 6
_FLAG_LABELS: Final = {
    "below_log2_fc": "small fold change",
    "below_count_fraction": "few of the sample's molecules",
    "low_input": "few molecules in the input",
    "hla_mismatch": "not of the patient's HLA",
    "one_sample_replicate": "one replicate",
    "one_input_replicate": "one input",
    "low_saturation": "too few reads",
}


def describe_screens(tables: Tables) -> list[str]:
    """What the bulk screens of a release found, and how far they could look.

    Parameters
    ----------
    tables
        Release tables `bulk_responses bulk_breadth bulk_samples_qc bulk_screens_qc`. Without a
        screen there is nothing to say.
    """
    breadth, quality = tables["bulk_breadth"], tables["bulk_screens_qc"]
    if quality.empty:
        return []
    lines = [_describe_losses(quality)]
    if len(breadth):
        lines += [
            _describe_extent(breadth),
            _describe_responses(tables["bulk_responses"], breadth),
            _describe_flags(tables["bulk_responses"]),
            _describe_power(breadth),
        ]
    lines.append(_describe_empty_tags(tables["bulk_samples_qc"], quality))
    return [line for line in lines if line]


def view_breadth(breadth: pd.DataFrame) -> View:
    """Every sample of a screen: how many antigens it was screened for, and how many it knows."""
    heads = [
        "Screen",
        "Patient",
        "Sample",
        "Screened",
        "Responses",
        "Breadth",
        "Magnitude, % of CD8",
    ]
    heads += ["Replicates", "Inputs", "Least fold change"]
    rows = [
        [
            str(row["screen_id"]),
            read_text(row["patient_id"]),
            read_text(row["sample_id"]) or str(row["sample_tag"]),
            *(format_count(read_number(row[name])) for name in ("n_screened", "n_responses")),
            format_percent(read_number(row["breadth"])),
            format_number(read_number(row["magnitude"]), digits=2),
            *(format_count(read_number(row[name])) for name in ("n_replicates", "n_inputs")),
            format_number(read_number(row["least_fold_change"]), digits=2),
        ]
        for row in breadth.sort_values(["screen_id", "patient_id", "sample_tag"]).to_dict("records")
    ]
    caption = (
        "Samples of bulk screens: antigens that the patient's HLA presents, responses among them, "
        "and the fold change below which these replicates find none."
    )
    return View(caption, heads, rows, frozenset(range(3, 10)))


def view_responses(responses: pd.DataFrame) -> View:
    """The responses of bulk screens, patient by patient, those with the smallest FDR first."""
    found = _select_responses(responses).sort_values(["patient_id", "sample_tag", "fdr"])
    heads = [
        "Patient",
        "Sample",
        "DNA barcode",
        "Peptide",
        "HLA",
        "Log2 fold change",
        "FDR",
        "% of CD8",
    ]
    rows = [
        [
            read_text(row["patient_id"]),
            read_text(row["sample_id"]) or str(row["sample_tag"]),
            str(row["dna_barcode"]),
            read_text(row["peptide"]),
            read_text(row["hla"]),
            format_number(read_number(row["log_fold_change"])),
            format_p_cell(read_number(row["fdr"])),
            format_number(read_number(row["estimated_frequency"]), digits=2),
            ", ".join(_FLAG_LABELS[flag] for flag in _split_flags(row["flags"])),
        ]
        for row in found.to_dict("records")
    ]
    return View(
        "Responses in bulk DNA-barcode screens, and what is to be held against them.",
        [*heads, "Read with care"],
        rows,
        frozenset({5, 6, 7}),
    )


def view_quality(quality: pd.DataFrame) -> View:
    """The screens: reads, what was lost of them, and the verdict."""
    numbers = ("pct_counted", "pct_tie", "pct_without_n12", "pct_outside_panel")
    heads = ["Screen", "Reads", "Counted, %", "Ties, %", "Without N12, %", "Outside the panel, %"]
    rows = [
        [
            str(row["screen_id"]),
            format_count(read_number(row["n_reads"])),
            *(format_number(read_number(row[name])) for name in numbers),
            format_percent(read_number(row["saturation"])),
            VERDICT_LABELS.get(row["verdict"], str(row["verdict"])),
            read_text(row["reason"]),
        ]
        for row in quality.to_dict("records")
    ]
    heads += ["Saturation", "Verdict", "Reason"]
    caption = "Bulk screens: what became of their reads."
    return View(caption, heads, rows, frozenset(range(1, 7)))


def _describe_losses(quality: pd.DataFrame) -> str:
    n_out = int((quality["verdict"] == "quarantined").sum())
    screens = format_amount(len(quality), "bulk screen")
    if n_out:
        return f"{format_count(n_out)} of {screens} could not be used; the reason is below."
    few = quality[quality["verdict"] == "warn"]
    if len(few):
        return f"Of {format_count(len(few))} of {screens} fewer than half of the reads count."
    return ""


def _describe_empty_tags(samples: pd.DataFrame, quality: pd.DataFrame) -> str:
    """The sample tags of usable screens that no read counts for: their samples are left out."""
    used = quality.loc[quality["verdict"] != "quarantined", "screen_id"]
    own = samples[samples["screen_id"].isin(used)]
    empty = own[~(own["n_reads"].astype(float) > 0)]
    if empty.empty:
        return ""
    names = [f"{row.sample_tag} of {row.screen_id} ({row.role})" for row in empty.itertuples()]
    more = f" and {len(names) - _MOST_NAMED} more" if len(names) > _MOST_NAMED else ""
    listed = ", ".join(names[:_MOST_NAMED]) + more if more else format_names(names)
    return f"No read counts for {format_amount(len(names), 'sample tag')}: {listed}."


def _describe_extent(breadth: pd.DataFrame) -> str:
    screened = breadth["n_screened"].astype(float)
    least, most = format_count(screened.min()), format_count(screened.max())
    number = f"{least} to {most} antigens" if least != most else f"{most} antigens"
    return (
        f"{format_amount(breadth['screen_id'].nunique(), 'bulk screen')} looked in "
        f"{format_amount(len(breadth), 'sample')} of {_name_owners(breadth)} for {number} that "
        "their HLA presents."
    )


def _name_owners(breadth: pd.DataFrame) -> str:
    n_patients = breadth["patient_id"].replace("", pd.NA).nunique()
    others = breadth["patient_id"].replace("", pd.NA).isna().sum()
    parts = [format_amount(n_patients, "patient")] if n_patients else []
    parts += ["controls"] if others else []
    return format_names(parts)


def _describe_responses(responses: pd.DataFrame, breadth: pd.DataFrame) -> str:
    """Responses per patient: a dna_barcode counts once, in however many samples it is found."""
    patients = sorted({read_text(name) for name in breadth["patient_id"]} - {""})
    if not patients:
        return ""
    found = _select_responses(responses)
    is_own = ["hla_mismatch" not in _split_flags(flags) for flags in found["flags"]]
    distinct = found[np.array(is_own, dtype=bool)].drop_duplicates(["patient_id", "dna_barcode"])
    per_patient = distinct.groupby("patient_id").size().reindex(patients, fill_value=0)
    n_with = int((per_patient > 0).sum())
    if not n_with:
        return f"No response was found in any of {format_amount(len(patients), 'patient')}."
    n, least, most = per_patient.sum(), per_patient.min(), per_patient.max()
    each = f"{per_patient.median():g} in the median, from {least} to {most}"
    return (
        f"{format_amount(n, 'response')} {'was' if n == 1 else 'were'} found, in {n_with} of "
        f"{format_amount(len(patients), 'patient')}: per patient {most if least == most else each}."
    )


def _describe_flags(responses: pd.DataFrame) -> str:
    found = _select_responses(responses)
    flags = Counter(
        flag for row in found["flags"] for flag in _split_flags(row) if flag in BULK_RESPONSE_FLAGS
    )
    if not flags:
        return ""
    n = sum(bool(set(_split_flags(row)) & set(BULK_RESPONSE_FLAGS)) for row in found["flags"])
    reasons = [f"{_FLAG_LABELS[flag]} ({flags[flag]})" for flag in BULK_FLAGS if flags[flag]]
    return (
        f"{format_count(n)} of {format_amount(len(found), 'response')} in all samples "
        f"{'is' if n == 1 else 'are'} to be read with care: {format_names(reasons)}."
    )


def _describe_power(breadth: pd.DataFrame) -> str:
    """What the replicates can find at all, the poorest samples in words of their own."""
    least = breadth["least_fold_change"].astype(float)
    alone = (breadth["n_replicates"].astype(float) == 1) | (breadth["n_inputs"].astype(float) == 1)
    if not alone.any():
        return (
            f"With the replicates there are, no response below {least.max():.1f}-fold can be found."
        )
    n, others = int(alone.sum()), ""
    if not alone.all():
        others = f", in the others none below {least[~alone].max():.1f}-fold"
    has, them = ("has", "it") if n == 1 else ("have", "them")
    return (
        f"{format_amount(n, 'sample')} {has} one replicate only, or one input: in {them} no "
        f"response below {least[alone].max():.1f}-fold can be found, whatever was counted{others}."
    )


def _select_responses(responses: pd.DataFrame) -> pd.DataFrame:
    return responses[np.array([read_flag(value) for value in responses["response"]], dtype=bool)]


def _split_flags(flags: Any) -> Iterable[str]:
    return [word for word in read_text(flags).split(";") if word]
