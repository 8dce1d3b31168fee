"""Tables of clones as people read them."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from hiaim_sc.names import CLONE_PATTERNS, TRACKING_CLASSES
from hiaim_sc.report.formats import format_count, format_number, format_percent
from hiaim_sc.report.labels import capitalise, label_place, label_reason, label_visit
from hiaim_sc.report.values import read_number, read_text
from hiaim_sc.report.views import View

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_PATTERN_LABELS = {
    "tumor_singleton": "Tumour only, one cell",
    "tumor_expanded": "Tumour only, two or more",
    "shared": "Both",
    "dual_expanded": "Both, two or more each",
    "blood_only": "Blood only",
}


def view_repertoires(repertoires: pd.DataFrame) -> View:
    """Every sample's T cell clones, as counted and at depth m; why it stands without a depth."""
    found = repertoires[repertoires["cell_class"] == "T"]
    rows = [_describe_sample(row) for row in found.to_dict("records")]
    heads = "Patient,Where and when,T cells with a clone,Clones,Cells in clones of two or more,"
    heads += "Largest clone,Ten largest,Seen from,Depth m,Clones at m,Clonality at m,"
    heads += "Not at depth because"
    caption = (
        "Clones of T cells per sample. Only numbers at depth m can be compared between samples; "
        "a rarer clone than the frequency under \u201cseen from\u201d is missed more often than "
        "once in twenty."
    )
    return View(caption, heads.split(","), rows, frozenset(range(2, 11)))


def _describe_sample(row: Mapping[Any, Any]) -> list[str]:
    place = (row["tissue"], row["visit"], row["session_phase"])
    counts = [format_count(read_number(row[name])) for name in ("n_cells", "n_clones")]
    shares = [
        format_percent(read_number(row[name]))
        for name in ("frac_expanded", "frac_top_1", "frac_top_10", "detection_limit")
    ]
    at_depth = [
        format_count(read_number(row["depth"])),
        format_number(read_number(row["hill_0_m"])),
        format_number(read_number(row["clonality_m"]), digits=2),
    ]
    where = [str(row["patient_id"]), label_place(*map(str, place))]
    return [*where, *counts, *shares, *at_depth, label_reason(read_text(row["reason_missing"]))]


def view_turnover(turnover: pd.DataFrame) -> View:
    """Per patient, tissue and pair of visits the clones of each class and their cells."""
    keys = ["patient_id", "tissue", "visit_from", "visit_to"]
    rows = []
    for place, found in turnover.groupby(keys, sort=False):
        patient, tissue, start, end = map(str, place)
        by_class = found.set_index("class")
        cells = [_describe_class(by_class.loc[name], name) for name in TRACKING_CLASSES]
        bound = format_percent(by_class.loc["novel", "unseen_below"])
        rows.append([patient, tissue, label_visit(start), label_visit(end), *cells, bound])
    heads = ["Patient", "Tissue", "From", "To", *map(capitalise, TRACKING_CLASSES)]
    heads.append("Novel: was below")
    caption = (
        "Clones by what became of them from visit to visit, and the share of the later cells in "
        "them (lost: of the earlier); descriptive, not a test of arms. A novel clone was not seen "
        "before, so it was rarer than stated in the last column (95 %), not absent."
    )
    return View(caption, heads, rows, frozenset(range(4, len(heads))))


def _describe_class(row: pd.Series, name: str) -> str:
    share = row["frac_from" if name == "lost" else "frac_to"]
    return f"{format_count(row['n_clones'])} ({format_percent(share)})"


def view_patterns(patterns: pd.DataFrame) -> View:
    """Per patient and visit the clones of each pattern, and how many blood cells match."""
    rows = []
    for (patient, visit), found in patterns.groupby(["patient_id", "visit"], sort=False):
        numbers = found["pattern"].value_counts().reindex(list(CLONE_PATTERNS), fill_value=0)
        matching = found.loc[found["n_tumor"] > 0, "n_blood"].sum() / found["n_blood"].sum()
        counts = map(format_count, numbers)
        rows.append([str(patient), label_visit(str(visit)), *counts, format_percent(matching)])
    heads = ["Patient", "Visit", *_PATTERN_LABELS.values(), "Blood cells of tumour clones"]
    caption = (
        "Clones in tumour and blood at a visit with both, as counted; the endpoint ctm_frac is the "
        "last column at equal depth, of the T cells that are compared."
    )
    return View(caption, heads, rows, frozenset(range(2, len(heads))))
