"""From libraries to clusters, beside the plain scanpy script; ``make bench`` runs it.

``python -m benchmarks.cells 20000 100000 270000``: our stages at each size, the plain script at
those up to 100,000 cells. Prints the tables of ``benchmarks/README.md`` and writes
``benchmarks/results/cells.json``, a list of ``{size, side, step, cpu_s, wall_s, peak_gb}``. Every
side is a process of its own with one thread of BLAS per process, one after the other; memory is the
peak of the sum over the processes that live at one time.
"""

from __future__ import annotations

import argparse
import json
import shutil
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING, Any

import pandas as pd

from benchmarks.cell_libraries import write_cohort, write_study
from benchmarks.cells_bounds import measure_bounds
from benchmarks.cells_fidelity import compare_sides, write_kept
from benchmarks.process_tree import measure

if TYPE_CHECKING:
    from collections.abc import Sequence

    from benchmarks.cell_libraries import CellCohort

_SIZES = (20_000, 100_000, 270_000)
_LARGEST_PLAIN = 100_000  # 11 GB; twice as many do not fit into 24 GiB
_RESULTS = Path(__file__).parent / "results" / "cells.json"
ONE_THREAD = dict.fromkeys(("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "NUMBA_NUM_THREADS"), "1")


def main() -> None:
    """Measure, print, write."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("sizes", type=int, nargs="*", default=_SIZES, help="cells")
    parser.add_argument("--largest-plain", type=int, default=_LARGEST_PLAIN, help="0: not at all")
    parser.add_argument("--data", type=Path, help="where the libraries lie or are to lie")
    parser.add_argument("--until", default="embedding", help="last stage of ours")
    parser.add_argument("--results", type=Path, default=_RESULTS)
    chosen = parser.parse_args()
    with TemporaryDirectory() as name:
        work = Path(name)
        rows, lines = run_sizes(chosen, chosen.data or work, work)
    chosen.results.parent.mkdir(parents=True, exist_ok=True)
    chosen.results.write_text(json.dumps(rows, indent=1))
    print("\n".join(lines))


def run_sizes(
    chosen: argparse.Namespace, data: Path, work: Path
) -> tuple[list[dict[str, Any]], list[str]]:
    """Rows of the results and the lines to print."""
    rows: list[dict[str, Any]] = []
    lines: list[str] = []
    for size in sorted(chosen.sizes):
        cohort = write_cohort(size, data)
        sides = {"ours": _run_ours(cohort, work / "store", chosen.until)}
        if size <= chosen.largest_plain:
            sides["plain"] = _run_plain(cohort, work, write_kept(work / "store", work))
            sides["ours, one library more"] = _add_library(cohort, work / "more", chosen.until)
            lines += compare_sides(work / "store", work / "plain")
        bounds = measure_bounds(cohort.libraries["path"][0], size)
        found = [
            {"size": size, "side": side, **step} for side, steps in sides.items() for step in steps
        ]
        rows += found
        lines = [f"{size:,} cells", "", *tabulate(found), "", *bounds, "", *lines]
        print("\n".join(lines), flush=True)
        shutil.rmtree(work / "store", ignore_errors=True)
        lines = []
    return rows, summarise(rows)


def _run_ours(cohort: CellCohort, store: Path, until: str) -> list[dict[str, Any]]:
    arguments = [str(cohort.folder), str(store), "2", until]
    log = store.with_suffix(".log")
    return measure("benchmarks.cells_ours", arguments, log, environment=ONE_THREAD)


def _run_plain(cohort: CellCohort, work: Path, kept: Path) -> list[dict[str, Any]]:
    arguments = [str(cohort.folder), str(kept), str(work / "plain")]
    return measure("benchmarks.cells_plain", arguments, work / "plain.log", environment=ONE_THREAD)


def _add_library(cohort: CellCohort, store: Path, until: str) -> list[dict[str, Any]]:
    """What all but the last library have cost already is not counted."""
    fewer = write_study(cohort.folder.with_name("fewer"), cohort.libraries[:-1])
    _run_ours(fewer, store, until)
    steps = _run_ours(cohort, store, until)
    shutil.rmtree(store)
    return steps


def tabulate(rows: Sequence[dict[str, Any]]) -> list[str]:
    """A table of the steps of each side, with its sum."""
    lines = ["| side | step | CPU s | wall s | peak GB |", "|---|---|---|---|---|"]
    for side, steps in pd.DataFrame(rows).groupby("side", sort=False):
        for step in steps.itertuples():
            lines.append(
                f"| {side} | {step.step} | {step.cpu_s:.1f} | {step.wall_s:.1f} |"
                f" {step.peak_gb:.2f} |"
            )
        lines.append(
            f"| {side} | **all** | **{steps['cpu_s'].sum():.1f}** |"
            f" **{steps['wall_s'].sum():.1f}** | **{steps['peak_gb'].max():.2f}** |"
        )
    return lines


def summarise(rows: Sequence[dict[str, Any]]) -> list[str]:
    """Ratios to the plain script and growth with the number of cells."""
    table = pd.DataFrame(rows)
    total = table.groupby(["side", "size"]).agg(cpu=("cpu_s", "sum"), peak=("peak_gb", "max"))
    lines = []
    for (side, size), row in total.iterrows():
        if side != "plain" and ("plain", size) in total.index:
            plain = total.loc[("plain", size)]
            lines.append(
                f"{side}, {size:,} cells: CPU {row['cpu'] / plain['cpu']:.3f} and peak memory"
                f" {row['peak'] / plain['peak']:.3f} of the plain script's"
            )
    ours = total.loc["ours"]["cpu"]
    for small, large in zip(ours.index, ours.index[1:], strict=False):
        lines.append(f"{small:,} to {large:,} cells: CPU times {ours[large] / ours[small]:.2f}")
    return lines


if __name__ == "__main__":
    main()
