"""One machine that looks after a study: server, worker and watcher in one process tree."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import threading
from contextlib import ExitStack, contextmanager
from dataclasses import replace
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import typer

from flows._lifetime import SERVER_PID
from flows._paths import default_store
from flows._presence import only_one
from flows._server import local_server, require_free_port, stop_tree
from hiaim_sc.errors import HiaimError
from hiaim_sc.storage import Store

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path
    from types import FrameType

    from flows._plan import Plan

_POOL = "one-machine"


class ServiceError(HiaimError):
    """A process that the service consists of has ended."""


def serve(plan: Plan, *, port: int) -> None:
    """Serve a study until interrupted: runs on schedule and on arrival, and the Prefect UI."""
    store = Store(plan.store or default_store(plan.study.resolve()))
    stop = threading.Event()
    with ExitStack() as stack:
        stack.enter_context(only_one(store.root, "server", api=f"http://127.0.0.1:{port}/api"))
        stack.enter_context(_stopping_on_signals())
        require_free_port(port)
        stack.enter_context(local_server(store.root / "prefect", port, settings=_SETTINGS))
        from flows._deployment import deploy_study, start_run
        from flows._presence import close_dead_runs, close_orphans

        close_dead_runs(store.root)
        deployment = deploy_study(replace(plan, pool=_POOL))
        close_orphans(store.root, deployment)
        start_run(deployment, "start")
        worker = stack.enter_context(_worker(store.root / "prefect"))
        typer.echo(
            f"{deployment} is served at http://127.0.0.1:{port}; it runs on '{plan.cron}'"
            f" ({plan.timezone}) and when libraries arrive. Ctrl-C stops it."
        )
        threading.Thread(target=_stop_with, args=(worker, stop), daemon=True).start()
        watch_study(plan.study, store, stop)
        msg = f"the worker has ended; its log is {store.root / 'prefect' / 'worker.log'}"
        raise ServiceError(msg)


def watch(study: Path, store: Path | None) -> None:
    """Watch a study that is deployed on the configured server, until interrupted."""
    from flows._deployment import start_run
    from hiaim_sc.study import read_study

    kept = Store(store or default_store(study.resolve()))
    with only_one(kept.root, "watch"), _stopping_on_signals():
        name = read_study(study, may_be_gone="all").config.study
        start_run(f"study/{name}", "start")
        typer.echo(f"watching for the libraries of {name}; Ctrl-C stops it")
        watch_study(study, kept, threading.Event())


def watch_study(study: Path, store: Store, stop: threading.Event) -> None:
    """Look at a study's files until told to stop."""
    from flows.watch_arrivals import Arrivals, send_events

    with only_one(store.root, "watcher"):
        Arrivals(study.resolve(), store, send=send_events, tell=typer.echo).watch(stop)


# What one machine wants: slots that outlive a restart, and a queue that moves at once.
_SETTINGS = {
    "PREFECT_SERVER_CONCURRENCY_LEASE_STORAGE": (
        "prefect.server.concurrency.lease_storage.filesystem"
    ),
    "PREFECT_SERVER_DEPLOYMENTS_CONCURRENCY_SLOT_WAIT_SECONDS": "5",
    "PREFECT_SERVER_SERVICES_DB_VACUUM_ENABLED": "events,flow_runs",
}


@contextmanager
def _worker(home: Path) -> Iterator[subprocess.Popen]:
    """A Prefect worker, one run at a time, that ends with this process.

    Its temporary files have a folder of their own: workers of several users cannot share Prefect's.
    """
    command = [sys.executable, "-m", "flows._lifetime", str(os.getpid()), "worker", "start"]
    environment = {
        **os.environ,
        SERVER_PID: str(os.getpid()),
        "PREFECT_WORKER_QUERY_SECONDS": "2",
        "PREFECT_WORKER_PREFETCH_SECONDS": "2",
    }
    with TemporaryDirectory(prefix="hiaim-") as own, (home / "worker.log").open("ab") as log:
        environment["TMPDIR"] = own
        process = subprocess.Popen(
            [*command, "--pool", _POOL, "--type", "process", "--limit", "1", "--name", "serve"],
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            yield process
        finally:
            stop_tree(process)


def _stop_with(process: subprocess.Popen, stop: threading.Event) -> None:
    process.wait()
    stop.set()


@contextmanager
def _stopping_on_signals() -> Iterator[None]:
    """SIGTERM and SIGINT both end the block; a shell's background jobs are deaf to the second."""

    def interrupt(_number: int, _frame: FrameType | None) -> None:
        raise KeyboardInterrupt

    before = {number: signal.signal(number, interrupt) for number in _SIGNALS}
    try:
        yield
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)


_SIGNALS = (signal.SIGTERM, signal.SIGINT)
