"""Stages in processes of their own."""

from __future__ import annotations

import os
from typing import Any

from prefect.task_runners import ProcessPoolTaskRunner

from flows._lifetime import end_with

# One thread per worker: workers times threads must not exceed the cores, and sums in another order
# would change the last bits of a result.
_THREADS = (
    "OMP_NUM_THREADS",
    "OPENBLAS_NUM_THREADS",
    "MKL_NUM_THREADS",
    "NUMBA_NUM_THREADS",
    "VECLIB_MAXIMUM_THREADS",
)


def process_runner(workers: int) -> Any:
    """Stages run in this many processes, one thread each."""
    os.environ.update(dict.fromkeys(_THREADS, "1"))
    return ProcessPoolTaskRunner(max_workers=workers, initializer=end_with, initargs=(os.getpid(),))
