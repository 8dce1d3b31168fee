"""Jobs that end before their worker has reported are asked for again, or the run says so."""

from __future__ import annotations

import asyncio
import threading
from contextlib import asynccontextmanager
from functools import partial

import pytest
from distributed import Client, Scheduler, Status, Worker
from distributed.deploy.spec import ProcessInterface, SpecCluster

from flows._job_watch import JobsLostError, Losses, WatchfulAdaptive
from flows._runners import Runners
from flows._tasks import compute_on

PATIENCE_SECONDS = 60


class Queue:
    """A cluster's queue: what becomes of each job that is handed in, in their order."""

    def __init__(self, *fates):
        self.fates = list(fates)
        self.alive = set()
        self.n_submitted = 0
        self.answers = True

    async def list_jobs(self, name):
        assert name == "hiaim-library"
        if not self.answers:
            msg = "slurmctld does not answer"
            raise OSError(msg)
        return set(self.alive)

    def job_class(queue):
        class Job(ProcessInterface):
            job_id = None
            worker = None

            async def start(self):
                queue.n_submitted += 1
                fate = queue.fates.pop(0) if len(queue.fates) > 1 else queue.fates[0]
                if fate == "refused":
                    msg = "sbatch: error: invalid partition"
                    raise RuntimeError(msg)
                self.job_id = str(queue.n_submitted)
                if fate != "dies":
                    queue.alive.add(self.job_id)
                if fate == "works":
                    self.worker = await Worker(self.scheduler, name=self.name, nthreads=1)
                await super().start()

            async def close(self):
                queue.alive.discard(self.job_id)
                if self.worker:
                    await self.worker.close()
                await super().close()

            def __init__(self, scheduler, name=None):
                self.scheduler, self.name = scheduler, name
                super().__init__(scheduler, name)

        return Job

    @asynccontextmanager
    async def cluster(self, losses):
        """A client of a Dask cluster that asks this queue for one job when there is work."""
        scheduler = {"host": "127.0.0.1", "port": 0, "dashboard": False}
        async with SpecCluster(
            scheduler={"cls": Scheduler, "options": scheduler},
            worker={"cls": self.job_class(), "options": {}},
            asynchronous=True,
        ) as cluster:
            cluster.job_name = "hiaim-library"
            watchful = partial(
                WatchfulAdaptive, losses=losses, list_jobs=self.list_jobs, look_seconds=0.05
            )
            cluster.adapt(Adaptive=watchful, minimum=0, maximum=1, interval="20ms")
            async with Client(cluster, asynchronous=True) as client:
                yield client
            for job in cluster._created:  # as dask-jobqueue's, a refused job cannot be closed
                job.status = Status.closed


def result_of_one_task(queue, losses):
    async def run():
        async with queue.cluster(losses) as client:
            return await asyncio.wait_for(client.submit(int, 7), PATIENCE_SECONDS)

    return asyncio.run(run())


@pytest.mark.parametrize("fate", ["dies", "refused"])
def test_a_lost_job_is_asked_for_again(fate):
    queue, losses = Queue(fate, fate, "works"), Losses("no logs")
    assert result_of_one_task(queue, losses) == 7
    assert queue.n_submitted >= 3
    losses.require_jobs()


@pytest.mark.parametrize(
    ("fate", "answers"),
    [("waits", True), ("dies", False)],
    ids=["the job waits", "the cluster does not answer"],
)
def test_no_job_is_lost_that_may_still_come(fate, answers):
    queue, losses = Queue(fate), Losses("no logs")
    queue.answers = answers

    async def run():
        async with queue.cluster(losses) as client:
            future = client.submit(int, 7)
            await asyncio.sleep(1)
            return future.status

    assert asyncio.run(run()) == "pending"
    assert (queue.n_submitted, losses.n_times) == (1, 0)


def test_job_after_job_lost_is_said_with_where_to_look():
    queue, losses = Queue("dies"), Losses("their logs are /logs/hiaim-library-*.err")

    async def run():
        async with queue.cluster(losses) as client:
            future = client.submit(int, 7)
            while losses.n_times < 5:
                assert future.status == "pending"
                losses.require_jobs()
                await asyncio.sleep(0.05)

    asyncio.run(asyncio.wait_for(run(), PATIENCE_SECONDS))
    with pytest.raises(JobsLostError, match=r"5 times in a row .* /logs/hiaim-library-\*\.err"):
        losses.require_jobs()


class Never:
    """A task runner whose work never ends, and the future of such work."""

    def __enter__(self):
        return self

    def __exit__(self, *_exception):
        pass

    def submit(self, _task, _parameters):
        return self

    def add_done_callback(self, _tell):
        pass


def test_a_run_does_not_wait_for_what_cannot_come(monkeypatch):
    monkeypatch.setattr("flows._tasks._LOOK_SECONDS", 0.05)
    losses, never = Losses("no logs"), Never()

    class Call:
        class recipe:
            stage, library_id = "qc", "L1"

        title = "qc L1"

    computing = compute_on(Runners(never, never, [losses]))([Call()])
    threading.Timer(0.3, setattr, (losses, "n_times", 5)).start()
    with pytest.raises(JobsLostError):
        next(computing)
