"""Who computes stages: processes of this machine, a local Dask, or jobs of a SLURM cluster."""

from __future__ import annotations

import os
import sys
from contextlib import ExitStack, contextmanager
from functools import partial
from typing import TYPE_CHECKING, Any

from prefect.context import SettingsContext, SyncClientContext, get_settings_context
from prefect.settings import PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED, temporary_settings
from prefect.task_runners import ProcessPoolTaskRunner

from flows._lifetime import end_with
from flows._profile import LocalProfile
from flows._server import configured

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from flows._job_watch import Losses
    from flows._profile import Job, Profile, SlurmProfile

# One thread per worker: workers times threads must not exceed the cores, and sums in another order
# would change the last bits of a result.
ONE_THREAD = dict.fromkeys(
    (
        "OMP_NUM_THREADS",
        "OPENBLAS_NUM_THREADS",
        "MKL_NUM_THREADS",
        "NUMBA_NUM_THREADS",
        "VECLIB_MAXIMUM_THREADS",
    ),
    "1",
)
# Each task run would ask the server for its version first, and one that is away just then ends the
# process that would have run it, which nobody notices: the run would wait for ever.
_ASKS_FIRST = PREFECT_CLIENT_SERVER_VERSION_CHECK_ENABLED
# Seconds that a cluster's job without work is kept.
_IDLE_SECONDS = 60


class Runners:
    """The task runners of a run: one for stages of a library, one for stages of the cohort.

    Parameters
    ----------
    library, cohort
        Task runners, not started. Where both are the same object, it does both.
    losses
        Jobs of a cluster that never reached this host.
    in_turn
        Whether the one ends where the other begins: on one machine, the memory that a process has
        taken for libraries is the cohort's to use.
    """

    def __init__(
        self, library: Any, cohort: Any, losses: Sequence[Losses] = (), *, in_turn: bool = False
    ) -> None:
        self._losses = losses
        self._in_turn = in_turn
        self._stack = ExitStack()
        self._waiting = {"library": library, "cohort": cohort}
        self._started: dict[int, Any] = {}

    def of(self, library_id: str | None) -> Any:
        """The runner for a stage of this library, or of the cohort; started when first needed.

        All that was asked of the other must be done where they run in turn.
        """
        runner = self._waiting["cohort" if library_id is None else "library"]
        if id(runner) not in self._started:
            if self._in_turn:
                self.close()
            self._started[id(runner)] = self._stack.enter_context(runner)
        return self._started[id(runner)]

    def require_jobs(self) -> None:
        """Refuses to wait any longer for a cluster that loses job after job."""
        for losses in self._losses:
            losses.require_jobs()

    def close(self) -> None:
        """End all processes and jobs; those that are needed again start again."""
        self._stack.close()
        self._started.clear()


@contextmanager
def runners_of(profile: Profile) -> Iterator[Runners]:
    """The task runners of a profile; the processes and jobs they start end with the block."""
    with ExitStack() as stack:
        stack.enter_context(temporary_settings({_ASKS_FIRST: False}))
        if not isinstance(profile, LocalProfile):
            runners = _jobs(profile)
        else:
            os.environ.update(ONE_THREAD | {_ASKS_FIRST.name: "false"})
            runners = _on_this_machine(profile)
            if profile.runner == "processes" and configured():
                now = get_settings_context()
                stack.enter_context(_SettingsAtHome(profile=now.profile, settings=now.settings))
        stack.callback(runners.close)
        yield runners


class _SettingsAtHome(SettingsContext):
    """Prefect's settings, which a process of the pool has from its environment.

    Sent along, they are put together anew from all their sources for each task run, which takes
    several times as long as the rest of it.
    """

    def serialize(self, include_secrets: bool = True) -> dict[str, Any]:  # noqa: FBT001, FBT002
        return {}


def _on_this_machine(profile: LocalProfile) -> Runners:
    if profile.runner == "dask":
        cluster = _dask(profile)
        return Runners(cluster, cluster)
    library = _processes(profile)
    if profile.n_workers == 1:  # no idle one whose memory the cohort could use
        return Runners(library, library)
    return Runners(library, _processes(profile), in_turn=True)


def _processes(profile: LocalProfile) -> Any:
    return ProcessPoolTaskRunner(
        max_workers=profile.n_workers, initializer=_begin_worker, initargs=(os.getpid(),)
    )


def _begin_worker(parent: int) -> None:
    """What a process of the pool does first.

    One client of Prefect's API for all its task runs: each would make two of its own, and every
    time read all certificates of the machine, which is most of what a task run costs.
    """
    end_with(parent)
    if configured():
        SyncClientContext().__enter__()


def _dask(profile: LocalProfile) -> Any:
    from prefect_dask.task_runners import DaskTaskRunner

    return DaskTaskRunner(
        cluster_class="distributed.LocalCluster",
        cluster_kwargs={
            "n_workers": profile.n_workers,
            "threads_per_worker": 1,
            "host": "127.0.0.1",
            "dashboard_address": "127.0.0.1:0",
        },
    )


def _jobs(profile: SlurmProfile) -> Runners:
    from flows._job_watch import Losses

    logs = profile.log_directory.resolve()
    losses = {
        kind: Losses(f"their logs are {logs}/hiaim-{kind}-*.err") for kind in ("library", "cohort")
    }
    library = _slurm(profile, profile.library, "library", losses["library"])
    cohort = _slurm(profile, profile.cohort, "cohort", losses["cohort"])
    return Runners(library, cohort, tuple(losses.values()))


def _slurm(profile: SlurmProfile, job: Job, kind: str, losses: Losses) -> Any:
    from prefect_dask.task_runners import DaskTaskRunner

    from flows._job_watch import WatchfulAdaptive

    return DaskTaskRunner(
        cluster_class="dask_jobqueue.SLURMCluster",
        cluster_kwargs=_job_settings(profile, job) | {"job_name": f"hiaim-{kind}"},
        adapt_kwargs={
            "Adaptive": partial(WatchfulAdaptive, losses=losses),
            "minimum_jobs": 0,
            "maximum_jobs": job.max_jobs,
            "interval": "1s",
            "wait_count": _IDLE_SECONDS,
        },
    )


def _job_settings(profile: SlurmProfile, job: Job) -> dict[str, Any]:
    """What `dask_jobqueue.SLURMCluster` is given."""
    exports = [f"export {name}={value}" for name, value in ONE_THREAD.items()]
    network = {"interface": profile.interface} if profile.interface else {}
    scratch = {"local_directory": str(profile.local_directory)} if profile.local_directory else {}
    profile.log_directory.mkdir(parents=True, exist_ok=True)
    return {
        "queue": job.queue,
        "account": profile.account,
        "cores": 1,
        "processes": 1,
        "job_cpu": job.cpus,
        "memory": job.memory,
        "walltime": job.walltime,
        "python": sys.executable,
        "log_directory": str(profile.log_directory),
        "job_extra_directives": list(profile.directives),
        "job_script_prologue": [*exports, *profile.prologue],
        "scheduler_options": {"dashboard_address": "127.0.0.1:0"},
        "worker_extra_args": ["--dashboard-address", "127.0.0.1:0"],
        # whoever reaches the scheduler could have it compute anything: it speaks TLS, with keys of
        # this run that only its user can read
        "security": True,
        "shared_temp_directory": str(profile.log_directory.resolve()),
        **network,
        **scratch,
    }
