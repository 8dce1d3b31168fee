"""Our path from contigs to clones and their tables, with what each step takes."""

from __future__ import annotations

import os
import resource
import time
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

import pandas as pd

from benchmarks.receptor_cohorts import VISITS
from hiaim_sc.config import IngestOptions, TcrOptions
from hiaim_sc.ingest import read_library
from hiaim_sc.study import LibraryFiles, pool_tables
from hiaim_sc.tcr import (
    TABULATED_COLUMNS,
    call_receptors,
    define_clones,
    pool_receptors,
    share_clones,
    tabulate_clones,
    track_clones,
)

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from benchmarks.receptor_cohorts import Cohort


@dataclass
class Measured:
    """What a run took.

    Attributes
    ----------
    steps
        CPU seconds of each step, over all processes.
    wall
        Seconds from the first contig to the last table.
    peak_gb
        Resident memory.
    n_cells, n_clones
        Cells with a clone, and clones.
    """

    steps: dict[str, float] = field(default_factory=dict)
    wall: float = 0.0
    peak_gb: float = 0.0
    n_cells: int = 0
    n_clones: int = 0

    @property
    def cpu(self) -> float:
        """CPU seconds of all steps."""
        return sum(self.steps.values())

    def step[T](self, name: str, run: Callable[[], T]) -> T:
        """Result of a step, which is timed."""
        start = _cpu_seconds()
        result = run()
        self.steps[name] = _cpu_seconds() - start
        self.peak_gb = max(self.peak_gb, peak_gb())
        return result


def measure_ours(
    cohort: Cohort, folder: Path, *, workers: int, options: TcrOptions
) -> tuple[Measured, pd.Series]:
    """What our path takes, and the clone of each cell.

    Receptors are called library by library and written, as in a run; with more than one of
    `workers` in so many processes.
    """
    found, start = Measured(), time.perf_counter()
    files = found.step("receptors", lambda: _call_libraries(cohort, folder, workers, found))
    layout = cohort.layout

    def pool() -> pd.DataFrame:
        return pool_receptors({name: pd.read_parquet(path) for name, path in files}, {}, layout)

    clone_cells = found.step("clones", lambda: define_clones(pool(), options))
    clones = found.step("table", lambda: _tabulate(clone_cells, files, layout))
    found.step("tracking", lambda: track_clones(clones, VISITS, options))
    found.step("sharing", lambda: share_clones(clones))
    found.wall = time.perf_counter() - start
    found.n_cells, found.n_clones = len(clone_cells), clone_cells["clone_key"].nunique()
    cell = clone_cells["library_id"] + "_" + clone_cells["cell_barcode"]
    return found, clone_cells["clone_key"].set_axis(pd.Index(cell, name="cell"))


def _call_libraries(
    cohort: Cohort, folder: Path, workers: int, found: Measured
) -> list[tuple[str, Path]]:
    call = partial(_call_library, folder=folder)
    names = list(cohort.files)
    if workers == 1:
        done = [call(*item) for item in cohort.files.items()]
    else:
        with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
            done = list(pool.map(call, names, cohort.files.values()))
        peaks = pd.DataFrame(done, columns=["path", "pid", "peak"]).groupby("pid")["peak"].max()
        found.peak_gb = peaks.sum() + peak_gb()
    return list(zip(names, (path for path, _, _ in done), strict=True))


def _call_library(library_id: str, vdj: Path, *, folder: Path) -> tuple[Path, int, float]:
    files = LibraryFiles(library_id, gex=None, gex_raw=None, vdj=vdj, dna_barcodes=None)
    data = read_library(
        files, IngestOptions(), require_gex=False, feature_type="none", antigens=None
    )
    path = folder / f"{library_id}.parquet"
    call_receptors(data.contigs, TcrOptions()).to_parquet(path, index=False)
    return path, os.getpid(), peak_gb()


def _tabulate(
    clone_cells: pd.DataFrame, files: list[tuple[str, Path]], layout: pd.DataFrame
) -> pd.DataFrame:
    columns = list(TABULATED_COLUMNS)
    receptors = pool_tables({name: pd.read_parquet(path)[columns] for name, path in files}, columns)
    passed = receptors[["library_id", "cell_barcode"]].assign(qc_pass=True)
    return tabulate_clones(clone_cells, receptors, layout, passed)


def compare_partitions(ours: pd.Series, theirs: pd.Series) -> dict[str, int]:
    """Cells that either or both put into clones, and clones that are the same cells in both.

    Parameters
    ----------
    ours, theirs
        Clone by cell, missing where a cell has none.
    """
    both = pd.concat([ours.rename("ours"), theirs.rename("theirs")], axis=1)
    known = both.dropna()
    pairs = known.drop_duplicates()
    is_alone = pairs.groupby("ours")["theirs"].transform("size") == 1
    is_alone &= pairs.groupby("theirs")["ours"].transform("size") == 1
    return {
        "cells": len(known),
        "cells of one only": len(both.dropna(how="all")) - len(known),
        "clones": known["ours"].nunique(),
        "clones of theirs": known["theirs"].nunique(),
        "same clones": int(is_alone.sum()),
    }


def peak_gb() -> float:
    """Peak resident memory of this process."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024 / 1e9


def _cpu_seconds() -> float:
    """CPU seconds of this process and of those it has waited for."""
    usages = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return sum(usage.ru_utime + usage.ru_stime for usage in usages)
