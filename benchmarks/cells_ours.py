"""The stages of a run from a study folder on, for `benchmarks.cells` to measure.

``python -m benchmarks.cells_ours LOG STUDY STORE WORKERS UNTIL``: every stage is looked up in the
store and run by a pool of processes, one for the libraries and then one for the cohort, as in a
run, but without Prefect; the stage UNTIL is the last.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from contextlib import ExitStack
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING, Self

from benchmarks.process_tree import Marks
from flows._folder import open_study
from flows._progress import NoProgress
from flows._run import StudyRun
from flows._stage_calls import execute
from flows.build_cohort import build_cohort
from flows.process_library import process_libraries
from hiaim_sc.storage import Store

if TYPE_CHECKING:
    from collections.abc import Sequence

    from flows._run import Compute, Computed
    from flows._stage_calls import StageCall


class _EndedError(Exception):
    """The last stage wanted is done."""


def main() -> None:
    """Run the stages."""
    log, study, root = (Path(argument) for argument in sys.argv[1:4])
    workers, until = int(sys.argv[4]), sys.argv[5]
    marks = Marks(log)
    marks.end("start")
    store = Store(root)
    found = open_study(study, store)
    with _Pools(workers) as pools:
        run = StudyRun(found, store, NoProgress(), _compute_in(pools, marks, until))
        try:
            build_cohort(run, process_libraries(run))
        except _EndedError:
            store.digests.save()


class _Pools:
    """A pool of processes at a time: that of the libraries ends where that of the cohort begins."""

    def __init__(self, workers: int) -> None:
        self._workers = workers
        self._is_of: bool | None = None
        self._stack = ExitStack()

    def of(self, library_id: str | None) -> ProcessPoolExecutor:
        if self._is_of != (library_id is None):
            self._stack.close()
            self._is_of = library_id is None
            self._pool = self._stack.enter_context(
                ProcessPoolExecutor(self._workers, mp_context=get_context("spawn"))
            )
        return self._pool

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        self._stack.close()


def _compute_in(pools: _Pools, marks: Marks, until: str) -> Compute:
    def compute(calls: Sequence[StageCall]) -> Computed:
        start = time.monotonic()
        pool = pools.of(calls[0].recipe.library_id)
        for call, held in zip(calls, pool.map(execute, calls), strict=True):
            yield call, time.monotonic() - start, held
        stage = calls[0].recipe.stage
        marks.end(stage, n=len(calls))
        if stage == until:
            raise _EndedError

    return compute


if __name__ == "__main__":
    main()
