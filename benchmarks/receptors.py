"""From contigs to clones and their tables, beside the plain scirpy script; ``make bench`` runs it.

Every measurement is a process of its own, one after the other. Memory is the peak of the sum over
the processes that live at one time. A small one takes seconds: ``python -m benchmarks.receptors
--cells 10000 --beside 10000``.
"""

from __future__ import annotations

import argparse
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from multiprocessing import get_context
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

from benchmarks.receptor_cohorts import write_cohort
from benchmarks.receptor_runs import compare_partitions, measure_ours
from benchmarks.receptors_plain import measure_plain
from hiaim_sc.config import TcrOptions

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    import pandas as pd

    from benchmarks.receptor_runs import Measured

_SIZES = (50_000, 200_000, 1_000_000)
_BESIDE = 200_000


def main() -> None:
    """Print the tables of ``benchmarks/README.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--cells", type=int, nargs="*", default=_SIZES, help="sizes of our path")
    parser.add_argument("--beside", type=int, default=_BESIDE, help="cells beside scirpy; 0: not")
    parser.add_argument("--workers", type=int, nargs="*", default=(1, 2), help="processes")
    chosen = parser.parse_args()
    print("\n".join(tabulate_sizes(chosen.cells, chosen.workers)))
    if chosen.beside:
        print("\n".join(["", *set_beside(chosen.beside, max(chosen.workers))]))


def tabulate_sizes(sizes: Sequence[int], workers: Sequence[int]) -> list[str]:
    """Lines of the table of our path: a row per number of cells and of processes."""
    lines = [
        "| cells | libraries | clones | processes | wall s | CPU s | of it receptors / clones /"
        " table / tracking / sharing | cells per CPU s | peak GB |",
        "|---|---|---|---|---|---|---|---|---|",
    ]
    for n_cells in sizes:
        with TemporaryDirectory() as name:
            cohort = write_cohort(n_cells, Path(name))
            for n in workers:
                run = partial(measure_ours, cohort, Path(name), workers=n, options=TcrOptions())
                found, _ = in_own_process(run)
                steps = " / ".join(f"{seconds:.1f}" for seconds in found.steps.values())
                lines.append(
                    f"| {n_cells:,} | {len(cohort.files)} | {found.n_clones:,} | {n} |"
                    f" {found.wall:.1f} | {found.cpu:.1f} | {steps} |"
                    f" {n_cells / found.cpu:,.0f} | {found.peak_gb:.2f} |"
                )
    return lines


def set_beside(n_cells: int, workers: int) -> list[str]:
    """Lines that compare our path with the plain script on the same cells and options."""
    with TemporaryDirectory() as name:
        cohort = write_cohort(n_cells, Path(name))
        options = TcrOptions(orphan_rescue=False)  # scirpy has none
        ours, our_clones = in_own_process(
            partial(measure_ours, cohort, Path(name), workers=workers, options=options)
        )
        plain, plain_clones = in_own_process(partial(measure_plain, cohort, workers=workers))
    same = compare_partitions(our_clones, plain_clones)
    lines = ["| | wall s | CPU s | peak GB |", "|---|---|---|---|"]
    lines += [
        f"| {what} | {found.wall:.1f} | {found.cpu:.1f} | {found.peak_gb:.2f} |"
        for what, found in (("hiaim-sc", ours), ("plain scirpy script", plain))
    ]
    lines += [
        f"| ratio | {plain.wall / ours.wall:.1f} | {plain.cpu / ours.cpu:.1f} |"
        f" {plain.peak_gb / ours.peak_gb:.1f} |",
        "",
        "CPU seconds of the script: "
        + ", ".join(f"{step} {seconds:.1f}" for step, seconds in plain.steps.items())
        + ".",
        "Clones: " + ", ".join(f"{n:,} {what}" for what, n in same.items()) + ".",
    ]
    return lines


def in_own_process(
    run: Callable[[], tuple[Measured, pd.Series]],
) -> tuple[Measured, pd.Series]:
    """Result of a measurement in a new process, so that the memory of one is not another's."""
    with ProcessPoolExecutor(1, mp_context=get_context("spawn")) as pool:
        return pool.submit(run).result()


if __name__ == "__main__":
    main()
