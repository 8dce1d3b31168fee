"""The tables of docs/calibration.md."""

from __future__ import annotations

from collections import Counter
from textwrap import fill
from typing import TYPE_CHECKING

import numpy as np
from scipy.stats import binom

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from benchmarks.calibrate import Cohort


def write_report(cohorts: Sequence[Cohort], levels: str, path: Path) -> None:
    """Write what the cohorts showed as a page of tables, and the levels below them."""
    planted = [c for c in cohorts if c.planted]
    null = [c for c in cohorts if not c.planted]
    lines = [
        "# Calibration: what the pipeline makes of planted truth",
        "",
        fill(
            "Made by `make calibrate`; `python -m benchmarks.calibrate --only cohorts --resume` "
            "goes on where it was. Cohorts of the simulator go through all stages; below them "
            "stand level, coverage and power of each test by itself. Power of the clonal endpoints "
            "stands in [decision 14](decisions/0014-primary-clonal-endpoint.md).",
            width=120,
        ),
        "",
        "| cohorts | number | patients | cells per library | clonal endpoints from | commit |",
        "|---|---|---|---|---|---|",
        *_size_rows(cohorts),
        "",
        "| what | wanted | found |",
        "|---|---|---|",
        *_rows(planted, null),
        "",
        "## Null cohorts: calls at the gates",
        "",
        "Of 40 cohorts at most 6 are wanted at any one gate. Counted is any rejection in the gate;",
        "what opens a gate, all of its endpoints rejected, is rarer.",
        "",
        "| gate | tested in | smallest adjusted p <= 0.05 in |",
        "|---|---|---|",
        *_gate_rows(null),
        "",
        "## Null cohorts: p-values of 0.05 or less, per endpoint",
        "",
        f"Of {len(null)} at most {_most(len(null))} are found in 99.5 % of repetitions.",
        "",
        "| endpoint | compared in | p <= 0.05 in |",
        "|---|---|---|",
        *_null_rows(null),
        "",
        "## Every cohort: blood `nexp_m` at week 6",
        "",
        "| seed | planted | estimate | 95 % interval | estimand | covered | seconds |",
        "|---|---|---|---|---|---|---|",
        *[_cohort_row(c) for c in cohorts],
        "",
        levels,
    ]
    path.write_text("\n".join(lines), encoding="utf-8")


def _size_rows(cohorts: Sequence[Cohort]) -> list[str]:
    sizes = Counter((not c.planted, c.patients, c.cells, c.min_depth, c.commit) for c in cohorts)
    return [
        f"| {'null' if null else 'planted'} | {number} | {patients} | {cells:,} | {depth} cells | "
        f"{commit} |"
        for (null, patients, cells, depth, commit), number in sorted(sizes.items())
    ]


def _rows(planted: Sequence[Cohort], null: Sequence[Cohort]) -> list[str]:
    n = len(planted)
    signs = sum(c.estimate * c.estimand > 0 for c in planted)
    covered = sum(_covers(c) for c in planted)
    everyone = [c for c in (*planted, *null) if np.isfinite(c.clones_right)]
    better = sum(c.precision_ours > c.precision_scrublet for c in everyone)
    ours, scrublet = (
        np.mean([getattr(c, name) for c in everyone])
        for name in ("precision_ours", "precision_scrublet")
    )

    def worst(name: str) -> str:
        return f"{min(getattr(c, name) for c in everyone):.4f} in the worst cohort"

    rows = [
        ("planted expansion: sign right", "18 of 20", f"{signs} of {n}"),
        ("planted expansion: interval covers the estimand", "17 of 20", f"{covered} of {n}"),
        ("clone as in the truth, cells with a single pair", "0.99", worst("clones_right")),
        ("compartment right, cells that pass QC", "0.95", worst("compartments_right")),
        ("NK recall", "0.90", worst("nk_recall")),
        (
            "doublet score beats scrublet alone (average precision)",
            "8 of 10",
            f"{better} of {len(everyone)}; mean {ours:.3f} against {scrublet:.3f}",
        ),
    ]
    return [f"| {what} | {wanted} | {found} |" for what, wanted, found in rows]


def _most(n: int) -> int:
    return int(binom.ppf(0.995, n, 0.05))


def _gate_rows(null: Sequence[Cohort]) -> list[str]:
    rows = []
    for gate in sorted({gate for cohort in null for gate in cohort.gates}):
        p_values = np.array([c.gates[gate] for c in null if gate in c.gates])
        rows.append(f"| {gate} | {len(p_values)} | {int((p_values <= 0.05).sum())} |")
    return rows


def _null_rows(null: Sequence[Cohort]) -> list[str]:
    names = sorted({name for cohort in null for name in cohort.p_values})
    rows = []
    for name in names:
        p_values = np.array([cohort.p_values.get(name, np.nan) for cohort in null])
        n_small = int((p_values <= 0.05).sum())
        rows.append(f"| {name} | {int(np.isfinite(p_values).sum())} | {n_small} |")
    return rows


def _cohort_row(cohort: Cohort) -> str:
    planted, covered = ("yes" if flag else "no" for flag in (cohort.planted, _covers(cohort)))
    return (
        f"| {cohort.seed} | {planted} | {cohort.estimate:.3f} | {cohort.ci_low:.3f} to "
        f"{cohort.ci_high:.3f} | {cohort.estimand:.3f} | {covered} | {cohort.seconds:.0f} |"
    )


def _covers(cohort: Cohort) -> bool:
    return cohort.ci_low <= cohort.estimand <= cohort.ci_high
