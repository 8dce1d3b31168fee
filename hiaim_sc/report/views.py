"""Release tables as people read them: few columns, words for names, formatted numbers."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import pandas as pd

from hiaim_sc.report.figures.antigens import tabulate_antigens
from hiaim_sc.report.formats import (
    format_count,
    format_number,
    format_percent,
)
from hiaim_sc.report.labels import (
    VERDICT_LABELS,
    capitalise,
    label_endpoint,
    label_place,
    label_reason,
)
from hiaim_sc.report.values import read_number, read_text


@dataclass(frozen=True)
class View:
    """A table of the report.

    Attributes
    ----------
    caption
        What it shows; also read out to those who cannot see it.
    columns
        Heads, one per cell of every row.
    rows
        Text of each cell.
    numeric
        Positions of the columns that are set flush right.
    """

    caption: str
    columns: list[str]
    rows: list[list[str]]
    numeric: frozenset[int] = field(default_factory=frozenset)


def view_libraries(libraries: pd.DataFrame) -> View:
    """Every library with its key numbers, verdict and reason."""
    rows = [
        [
            str(row["library_id"]),
            read_text(row["sample_id"]),
            read_text(row["batch"]),
            format_count(read_number(row["n_cells_read"])),
            format_count(read_number(row["n_cells_kept"])),
            format_count(read_number(row["median_counts"])),
            format_count(read_number(row["median_genes"])),
            format_number(read_number(row["pct_mt"]), digits=2),
            format_percent(read_number(row["join_rate"])),
            VERDICT_LABELS.get(row["verdict"], str(row["verdict"])),
            label_reason(read_text(row["reason"])),
        ]
        for row in libraries.to_dict("records")
    ]
    heads = "Library,Sample,Batch,Cells read,Cells kept,Molecules per cell,Genes per cell"
    heads += ",Mito. %,Receptor cells in expression,Verdict,Reason"
    caption = "Libraries: what was delivered and what of it is used (medians over cells)."
    return View(caption, heads.split(","), rows, frozenset(range(3, 9)))


def view_contigs(libraries: pd.DataFrame) -> View:
    """Receptor contigs of every library, and why some are no chain of a receptor."""
    reasons = {
        "not_cell": "Not of a cell",
        "low_confidence": "Low confidence",
        "bcr_locus": "Of a B cell",
        "no_locus": "Of several loci",
        "not_productive": "Not productive",
        "no_junction": "Without a junction",
    }
    columns = ["n_contigs", "n_contigs_counted", *(f"n_contigs_{reason}" for reason in reasons)]
    rows = [
        [str(row["library_id"]), *(format_count(read_number(row.get(name))) for name in columns)]
        for row in libraries.to_dict("records")
        if read_number(row.get("n_contigs")) > 0
    ]
    caption = (
        "Receptor contigs: what the libraries' files hold and what of it is a receptor's chain."
    )
    heads = ["Library", "Contigs", "Chains", *reasons.values()]
    return View(caption, heads, rows, frozenset(range(1, len(heads))))


def view_library_problems(libraries: pd.DataFrame) -> View:
    """The libraries that were left out or passed with a warning, and why."""
    rows = [
        [
            str(row["library_id"]),
            VERDICT_LABELS.get(row["verdict"], str(row["verdict"])),
            label_reason(read_text(row["reason"])),
        ]
        for row in libraries[libraries["verdict"] != "pass"].to_dict("records")
    ]
    caption = "Libraries that were left out or passed with a warning."
    return View(caption, ["Library", "Verdict", "Reason"], rows)


def view_missing_values(endpoints: pd.DataFrame) -> View:
    """Per endpoint and visit the patients with a value, and why the others have none."""
    keys = ["endpoint", "tissue", "visit", "session_phase"]
    rows = []
    for (endpoint, tissue, visit, phase), found in endpoints.fillna({"tissue": ""}).groupby(
        keys, sort=False
    ):
        reasons = found["reason_missing"].replace("", None).dropna().value_counts()
        ranked = sorted(reasons.items(), key=lambda item: (-item[1], str(item[0])))
        why = ", ".join(f"{n} {label_reason(str(reason))}" for reason, n in ranked)
        label = capitalise(label_endpoint(endpoint))
        counts = format_count(found["value"].notna().sum()), format_count(len(found))
        rows.append([label, label_place(tissue, visit, phase), *counts, why])
    return View(
        "Endpoints: patients with a value, and the reason for each that is missing.",
        ["Endpoint", "Where and when", "With a value", "Expected", "Missing because"],
        sorted(rows),
        frozenset((2, 3)),
    )


def view_cell_types(cells: pd.DataFrame) -> View:
    """Cell types by tissue: number of cells and share of the tissue's kept cells."""
    kept = cells[cells["qc_pass"].astype(bool)]
    names = kept["cell_type"].fillna("").replace("", "unassigned")
    counts = pd.crosstab([kept["cell_type_coarse"].fillna(""), names], kept["tissue"])
    totals = counts.sum()
    counts = counts.iloc[(-counts.sum(axis=1)).argsort(kind="stable")]
    rows = [
        [
            str(name),
            str(compartment),
            *(f"{format_count(n)} ({format_percent(n / totals[t])})" for t, n in row.items()),
        ]
        for (compartment, name), row in counts.iterrows()
    ]
    heads = ["Cell type", "Compartment", *(capitalise(str(t)) for t in counts.columns)]
    caption = "Cells that passed quality control, by type and tissue (share of the tissue's cells)."
    return View(caption, heads, rows, frozenset(range(2, len(heads))))


def view_antigens(specificity: pd.DataFrame, cells: pd.DataFrame) -> View:
    """Per antigen: cells that passed quality control, clones and patients."""
    passed = specificity[specificity["qc_pass"].astype(bool)]
    clones = passed.groupby("dna_barcode")["clone_key"].nunique()
    counts = tabulate_antigens(specificity, cells)
    rows = [
        [str(name), *map(format_count, (row.sum(), clones[name], (row > 0).sum()))]
        for name, row in counts.iterrows()
    ]
    heads = ["Antigen (DNA barcode)", "Cells", "Clones", "Patients"]
    return View("Cells called specific for an antigen.", heads, rows, frozenset((1, 2, 3)))


def view_identity(checks: pd.DataFrame) -> View:
    """Identity checks that did not pass."""
    rows = [
        [
            read_text(row["sample_id"]),
            read_text(row["library_id"]),
            str(row["check"]).replace("_", " "),
            format_number(read_number(row["statistic"])),
            format_number(read_number(row["threshold"])),
            str(row["verdict"]),
            read_text(row["partner"]),
        ]
        for row in checks[checks["verdict"] != "pass"].to_dict("records")
    ]
    heads = ["Sample", "Library", "Check", "Statistic", "Threshold", "Verdict", "Resembles"]
    return View("Identity checks that did not pass.", heads, rows, frozenset((3, 4)))


def view_table(table: pd.DataFrame, caption: str, *, most: int = 50) -> View:
    """A release table as it stands; a long one is cut, and the caption says so."""
    if len(table) > most:
        caption = f"{caption} First {most} of {format_count(len(table))} rows."
    shown = table.head(most)
    rows = [[_cell(value) for value in row] for row in shown.itertuples(index=False, name=None)]
    numeric = [i for i, name in enumerate(table) if pd.api.types.is_numeric_dtype(table[name])]
    heads = [capitalise(str(name).replace("_", " ")) for name in table.columns]
    return View(caption, heads, rows, frozenset(numeric))


def _cell(value: Any) -> str:
    if isinstance(value, float):
        return format_number(value)
    return "" if value is None or value is pd.NA else str(value)
