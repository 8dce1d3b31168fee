"""The stages of a run from a study folder on, for `benchmarks.cells` to measure.

``python -m benchmarks.cells_ours LOG STUDY STORE WORKERS UNTIL``: every stage is looked up in the
store and run by a pool of processes, as in a run, but without Prefect; the stage UNTIL is the last.
"""

from __future__ import annotations

import sys
import time
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.process_tree import Marks
from flows._folder import open_study
from flows._progress import NoProgress
from flows._run import StudyRun
from flows._stage_calls import execute
from flows.build_cohort import build_cohort
from flows.process_library import process_libraries
from hiaim_sc.storage import Store

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

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
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        run = StudyRun(found, store, NoProgress(), _compute_in(pool, marks, until))
        try:
            build_cohort(run, process_libraries(run))
        except _EndedError:
            store.digests.save()


def _compute_in(
    pool: ProcessPoolExecutor, marks: Marks, until: str
) -> Callable[[Sequence[StageCall]], Iterator[tuple[StageCall, float]]]:
    def compute(calls: Sequence[StageCall]) -> Iterator[tuple[StageCall, float]]:
        start = time.monotonic()
        for call, _ in zip(calls, pool.map(execute, calls), strict=True):
            yield call, time.monotonic() - start
        stage = calls[0].recipe.stage
        marks.end(stage, n=len(calls))
        if stage == until:
            raise _EndedError

    return compute


if __name__ == "__main__":
    main()
