"""Tables of the report that say how cells were named, and what was left open."""

from __future__ import annotations

import pandas as pd

from hiaim_sc.report.formats import format_count, format_percent
from hiaim_sc.report.labels import capitalise, label_place
from hiaim_sc.report.values import read_number, read_text
from hiaim_sc.report.views import View

_PASSES = {"all": "All cells", "t_nk": "T and NK cells"}


def view_states(cells: pd.DataFrame) -> View:
    """States of T and NK cells by tissue: number and share of the tissue's cells of the lineage."""
    if "cell_state" not in cells:
        return View("", [], [])
    state = cells["cell_state"].fillna("")
    kept = cells[cells["qc_pass"].astype(bool) & (state != "")]
    counts = pd.crosstab([kept["cell_type_lineage"], kept["cell_state"]], kept["tissue"])
    totals = counts.groupby(level=0).transform("sum")
    rows = [
        [
            str(lineage),
            str(name),
            *(
                f"{format_count(n)} ({format_percent(n / max(totals.loc[(lineage, name), t], 1))})"
                for t, n in row.items()
            ),
        ]
        for (lineage, name), row in counts.iterrows()
    ]
    heads = ["Lineage", "State", *(capitalise(str(t)) for t in counts.columns)]
    caption = "States of T and NK cells, by tissue (share of the tissue's cells of the lineage)."
    return View(caption, heads, rows, frozenset(range(2, len(heads))))


def view_clusters(labels: pd.DataFrame) -> View:
    """What each cluster is called, and by how many of its cells."""
    rows = [
        [
            _PASSES.get(str(row["pass"]), str(row["pass"])),
            str(row["cluster"]),
            format_count(read_number(row["n_cells"])),
            read_text(row["cell_type"]),
            read_text(row["cell_state"]),
            format_percent(read_number(row["vote"])),
            format_percent(read_number(row["state_vote"])) if read_text(row["cell_state"]) else "",
            read_text(row["evidence"]),
        ]
        for row in labels.to_dict("records")
    ]
    heads = [
        "Clusters of",
        "Number",
        "Cells",
        "Cell type",
        "State",
        "Of this type",
        "Of this state",
    ]
    caption = (
        "Clusters: the most frequent labels, the cells that have them, and the genes for them."
    )
    return View(caption, [*heads, "Genes (share of cells)"], rows, frozenset((1, 2, 5, 6)))


def view_open_labels(quality: pd.DataFrame) -> View:
    """What the annotation leaves open in each sample."""
    columns = (
        *("frac_unassigned", "frac_ambiguous", "frac_t_without_lineage"),
        *("frac_state_unassigned", "frac_overridden"),
    )
    rows = [
        [
            read_text(row["sample_id"]),
            label_place(row["tissue"], row["visit"], row["session_phase"]),
            format_count(read_number(row["n_cells"])),
            *(format_percent(read_number(row[name])) for name in columns),
        ]
        for row in quality.to_dict("records")
    ]
    heads = ["Sample", "Where and when", "Cells", "Unassigned", "Ambiguous"]
    heads += ["T cells of no lineage", "T and NK cells of no state", "Named by a person"]
    caption = "Cells without a label, sample by sample."
    return View(caption, heads, rows, frozenset(range(2, len(heads))))


def view_overrides(overrides: pd.DataFrame) -> View:
    """Labels that people gave, by whom and why, and whether they took effect."""
    rows = [
        [
            " ".join(filter(None, (read_text(row["library_id"]), read_text(row["cell_barcode"]))))
            or f"cluster {read_text(row['cluster'])} of {read_text(row['clustering'])}",
            read_text(row["label"]),
            read_text(row["cell_state"]),
            read_text(row["author"]),
            read_text(row["reason"]),
            format_count(read_number(row["n_cells"])),
            read_text(row["status"]),
        ]
        for row in overrides.to_dict("records")
    ]
    heads = ["Cell or cluster", "Label", "State", "By", "Reason", "Cells", "What became of it"]
    return View("Labels given by people.", heads, rows, frozenset((5,)))
