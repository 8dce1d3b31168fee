"""Jobs of a cluster that end before their worker has reported, and are asked for again.

dask-jobqueue takes such a job for one that is still to come: `distributed` forgets a job only when
its worker, once registered, is removed (`SpecCluster._update_worker_status`), and adaptive scaling
compares numbers of planned jobs. Cancelled while it waits, killed while it starts, refused by
``sbatch``: nobody would ever ask for another, and the run would wait for ever.
"""

from __future__ import annotations

import asyncio
import logging
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from distributed.deploy.adaptive import Adaptive

from hiaim_sc.errors import HiaimError

if TYPE_CHECKING:
    from collections.abc import Callable, Coroutine

    type ListJobs = Callable[[str], Coroutine[Any, Any, set[str]]]

_LOGGER = logging.getLogger(__name__)
# Between two looks, in seconds; a job is lost when two looks in a row have not found it.
_LOOK_SECONDS = 10.0
# Times in a row that jobs were lost and none reported: then it is no accident.
_MOST_TIMES = 5


class JobsLostError(HiaimError):
    """No job of the cluster reaches the run."""


@dataclass
class Losses:
    """Jobs that ended before their worker had reported.

    Attributes
    ----------
    where
        What to look at, for people.
    n_times
        How often some were lost since a worker has last reported.
    seen
        Names of the workers that have reported.
    """

    where: str
    n_times: int = 0
    seen: set[str] = field(default_factory=set)

    def require_jobs(self) -> None:
        """Refuses to wait any longer where job after job is lost."""
        if self.n_times >= _MOST_TIMES:
            msg = (
                f"{self.n_times} times in a row jobs of the cluster ended, or were refused, before"
                f" their worker reached this host; {self.where}. It may be the partition or the"
                " account, too little memory or walltime, or nodes that do not reach this host or"
                " do not see the environment. What was computed is kept"
            )
            raise JobsLostError(msg)


async def list_jobs(name: str) -> set[str]:
    """Ids of the jobs of this name that SLURM knows to wait or to run.

    Raises
    ------
    OSError
        When the cluster does not answer.
    """
    command = ("squeue", "--noheader", f"--name={name}", "--format=%A")
    process = await asyncio.create_subprocess_exec(
        *command, stdout=asyncio.subprocess.PIPE, stderr=asyncio.subprocess.PIPE
    )
    out, error = await process.communicate()
    if process.returncode != 0:
        raise OSError(error.decode(errors="replace").strip())
    return set(out.decode().split())


class WatchfulAdaptive(Adaptive):
    """Adaptive scaling that also gives up jobs which ended before their worker reported.

    Parameters
    ----------
    losses
        Is told of them.
    list_jobs
        Ids of the jobs of a name that are alive.
    look_seconds
        Between two looks.
    """

    def __init__(
        self,
        *words: Any,
        losses: Losses,
        list_jobs: ListJobs = list_jobs,
        look_seconds: float = _LOOK_SECONDS,
        **more: Any,
    ) -> None:
        self._losses = losses
        self._list_jobs = list_jobs
        self._look_seconds = look_seconds
        self._looked = 0.0
        self._missing: set[str] = set()
        super().__init__(*words, **more)

    async def adapt(self) -> None:
        """Give up what is lost, then ask for as many jobs as there is work for."""
        now = asyncio.get_running_loop().time()
        if now - self._looked >= self._look_seconds:
            self._looked = now
            await self.give_up_lost_jobs()
        await super().adapt()

    async def give_up_lost_jobs(self) -> None:
        """Forget the jobs that have not reported and that the cluster does not know any more."""
        new = self.observed - self._losses.seen
        if new:
            self._losses.seen |= new
            self._losses.n_times = 0
        cluster: Any = self.cluster  # a JobQueueCluster
        jobs = {name: job.job_id for name, job in cluster.workers.items()}
        awaited = {name: number for name, number in jobs.items() if name not in self._losses.seen}
        if not awaited:
            self._missing = set()
            return
        try:
            alive = await self._list_jobs(cluster.job_name)
        except OSError as error:
            _LOGGER.warning("the cluster does not say which jobs there are: %s", error)
            return
        missing = {name for name, number in awaited.items() if number not in alive}
        lost, self._missing = missing & self._missing, missing - self._missing
        if lost:
            self._losses.n_times += 1
            told = ", ".join(str(jobs[name] or "refused") for name in sorted(lost))
            _LOGGER.warning("jobs that ended before their worker reported: %s", told)
            await cluster.scale_down(lost)
