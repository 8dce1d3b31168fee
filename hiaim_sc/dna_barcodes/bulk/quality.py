"""The screens of a study side by side: what became of their reads."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

import pandas as pd

from hiaim_sc.dna_barcodes.bulk.counting import SAMPLE_COLUMNS
from hiaim_sc.dna_barcodes.bulk.frequencies import BREADTH_COLUMNS
from hiaim_sc.dna_barcodes.bulk.losses import explain_losses
from hiaim_sc.dna_barcodes.bulk.outcomes import OUTCOMES
from hiaim_sc.dna_barcodes.bulk.responses import RESPONSE_COLUMNS
from hiaim_sc.study import pool_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    type Tables = Mapping[str, pd.DataFrame]

SCREEN_QC_COLUMNS: Final = (
    *("screen_id", "n_reads", "pct_counted", "pct_tie", "pct_without_n12", "saturation"),
    *("pct_outside_panel", "verdict", "reason", *(f"n_{outcome}" for outcome in OUTCOMES)),
)


def pool_screens(
    counted: Mapping[str, Tables],
    called: Mapping[str, Tables],
    tags: pd.DataFrame,
    faults: Mapping[str, str],
) -> dict[str, pd.DataFrame]:
    """The release tables of all screens: responses, breadth, sample tags and quality.

    Parameters
    ----------
    counted
        `counts`, `outcomes` and `samples`, each by screen_id, as `count_screen` returns them.
    called
        `responses` and `breadth`, each by screen_id, as `call_responses` returns them.
    tags
        `screen_id sample_tag role sample_id patient_id` of every sample tag that is used.
    faults
        screen_id: why it cannot be used.
    """
    samples = _pool(counted["samples"], SAMPLE_COLUMNS)
    known = tags[["screen_id", "sample_tag", "role", "sample_id", "patient_id"]]
    found = known.merge(samples, on=["screen_id", "sample_tag"], how="left")
    panels = {name: frozenset(table["dna_barcode"]) for name, table in called["responses"].items()}
    return {
        "bulk_responses": _pool(called["responses"], RESPONSE_COLUMNS),
        "bulk_breadth": _pool(called["breadth"], BREADTH_COLUMNS),
        "bulk_samples_qc": found.sort_values(["screen_id", "sample_tag"], ignore_index=True),
        "bulk_screens_qc": _assess(counted, panels, faults),
    }


def _pool(tables: Tables, columns: tuple[str, ...]) -> pd.DataFrame:
    return pool_tables(tables, columns).rename(columns={"library_id": "screen_id"})


def _assess(
    counted: Mapping[str, Tables], panels: Mapping[str, frozenset[str]], faults: Mapping[str, str]
) -> pd.DataFrame:
    """`SCREEN_QC_COLUMNS`, a row per screen; reads of what is outside the panel are chimeras."""
    outcomes, samples, counts = (counted[name] for name in ("outcomes", "samples", "counts"))
    rows = [
        {"screen_id": name, "verdict": "quarantined", "reason": reason}
        for name, reason in faults.items()
        if name not in outcomes
    ]
    for name, table in outcomes.items():
        n, losses = table.set_index("outcome")["n"], explain_losses(table)
        n_reads, n_counted = n.sum(), n["counted"] + n["counted_without_n12"]
        found = samples[name][["n_reads_n12", "n_distinct"]].sum()
        inside = counts[name]["dna_barcode"].isin(panels.get(name, frozenset()))
        outside = counts[name].loc[~inside, "n_reads"].sum() if name in panels else float("nan")
        rows.append(
            {
                "screen_id": name,
                "n_reads": n_reads,
                "pct_counted": 100 * n_counted / n_reads,
                "pct_tie": 100 * n[["tie_tag_a", "tie_tag_b", "tie_sample_tag"]].sum() / n_reads,
                "pct_without_n12": 100 * n["counted_without_n12"] / max(n_counted, 1),
                "saturation": 1 - found["n_distinct"] / max(found["n_reads_n12"], 1),
                "pct_outside_panel": 100 * outside / max(n_counted, 1),
                "verdict": "quarantined" if name in faults else "warn" if losses else "pass",
                "reason": "; ".join(filter(None, [faults.get(name), losses])),
                **{f"n_{outcome}": n[outcome] for outcome in OUTCOMES},
            }
        )
    table = pd.DataFrame(rows, columns=list(SCREEN_QC_COLUMNS))
    return table.sort_values("screen_id", ignore_index=True)
