"""The only tasks: one stage of one library, or of the cohort.

Whether a stage must run at all is decided by our own store before anything is submitted, so
Prefect's caching is off: its keys do not see the library's code. A task run in the UI is a stage
that was recomputed.
"""

from __future__ import annotations

import time
from contextlib import suppress
from queue import Empty, SimpleQueue
from typing import TYPE_CHECKING, Any

from prefect import task
from prefect.cache_policies import NO_CACHE
from prefect.context import TagsContext

from flows._closed_faults import faults_closed
from flows._stage_calls import StageCall, execute
from hiaim_sc.errors import can_recover

if TYPE_CHECKING:
    from collections.abc import Sequence

    from prefect.client.schemas.objects import State, TaskRun

    from flows._run import Compute, Computed
    from flows._runners import Runners

# Shared storage is back within minutes or not before somebody looks at it.
_RETRY_SECONDS = [5.0, 30.0, 120.0]
_LOOK_SECONDS = 5.0


def _failed_in_passing(_task: Any, _task_run: TaskRun, state: State) -> bool:
    try:
        state.result()
    except Exception as error:  # noqa: BLE001  whatever the stage raised is judged
        return can_recover(error)
    return False


def _next(done: SimpleQueue[Any], runners: Runners) -> Any:
    """The next future that ends; not waited for where nobody is left to work on it."""
    while True:
        with suppress(Empty):
            return done.get(timeout=_LOOK_SECONDS)
        runners.require_jobs()


@task(
    cache_policy=NO_CACHE,
    persist_result=False,
    task_run_name="{title}",
    retries=len(_RETRY_SECONDS),
    retry_delay_seconds=_RETRY_SECONDS,
    retry_jitter_factor=0.2,
    retry_condition_fn=_failed_in_passing,
)
def run_stage(call: StageCall, title: str) -> tuple[float, str]:
    """Run one stage and store its result; `title` names the task run.

    Returns
    -------
    The seconds it took, and why it has no result; empty where it has one.
    """
    start = time.monotonic()
    with faults_closed():
        held = execute(call)
    return time.monotonic() - start, held


def compute_on(runners: Runners) -> Compute:
    """Computes stages as tasks of the current flow run, on these task runners."""

    def compute(calls: Sequence[StageCall]) -> Computed:
        futures: dict[Any, StageCall] = {}
        # for each tag a task run asks the server for a slot: what a flow run has is not passed on
        with TagsContext():
            for call in calls:
                named = run_stage.with_options(name=call.recipe.stage)
                runner = runners.of(call.recipe.library_id)
                futures[runner.submit(named, {"call": call, "title": call.title})] = call
        done: SimpleQueue[Any] = SimpleQueue()
        for future in futures:
            future.add_done_callback(done.put)
        for _ in futures:
            future = _next(done, runners)
            yield futures[future], *future.result()

    return compute
