"""Which flow runs are alive: each holds a lock that the kernel frees when its process ends."""

from __future__ import annotations

import fcntl
import json
import os
import socket
from contextlib import contextmanager
from dataclasses import dataclass
from typing import TYPE_CHECKING
from uuid import UUID

from hiaim_sc.errors import Fault, UserInputError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path


@dataclass(frozen=True)
class DeadRun:
    """A flow run whose process is gone.

    Attributes
    ----------
    flow_run_id
        In Prefect.
    where
        Host and process.
    path
        Its file in the store.
    """

    flow_run_id: UUID
    where: str
    path: Path


@contextmanager
def presence(store: Path, flow_run_id: UUID) -> Iterator[None]:
    """Be known as alive for as long as the block lasts."""
    path = store / "runs" / str(flow_run_id)
    path.parent.mkdir(parents=True, exist_ok=True)
    # seen under its name only once it is locked and says who holds it
    work = path.with_name(flow_run_id.hex)
    with work.open("w", encoding="utf-8") as handle:
        fcntl.flock(handle, fcntl.LOCK_EX)
        json.dump({"host": socket.gethostname(), "pid": os.getpid()}, handle)
        handle.flush()
        work.rename(path)
        try:
            yield
        finally:
            path.unlink(missing_ok=True)


def find_dead_runs(store: Path) -> list[DeadRun]:
    """The runs that began, did not end, and hold their lock no longer."""
    dead = []
    for path in sorted((store / "runs").glob("*-*")):
        try:
            # another user's may be open for reading only, which is enough for a shared lock
            with path.open(encoding="utf-8") as handle:
                fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
                where = json.load(handle)
            dead.append(DeadRun(UUID(path.name), f"{where['host']}, process {where['pid']}", path))
        except (BlockingIOError, FileNotFoundError, PermissionError):
            continue  # alive, ended just now, or another user's to close
        except (ValueError, KeyError, TypeError):
            dead.append(DeadRun(UUID(path.name), "unknown place", path))
    return dead


def close_dead_runs(store: Path) -> int:
    """Have Prefect know that runs died; how many it did not know of.

    A run of another Prefect server is left for that one.
    """
    dead = find_dead_runs(store)
    if not dead:
        return 0
    from prefect.client.orchestration import get_client
    from prefect.exceptions import ObjectNotFound
    from prefect.states import Crashed

    closed = 0
    with get_client(sync_client=True) as client:
        for run in dead:
            try:
                state = client.read_flow_run(run.flow_run_id).state
            except ObjectNotFound:
                continue
            if state is None or not state.is_final():
                words = f"its process is gone ({run.where}); what it had computed is kept"
                client.set_flow_run_state(run.flow_run_id, Crashed(message=words), force=True)
                closed += 1
            run.path.unlink(missing_ok=True)
    return closed


def close_orphans(store: Path, deployment: str) -> int:
    """Close the runs of a deployment that were handed out and have no process; how many.

    For the start of the only worker: whatever is under way then, and does not hold its lock, died
    before it could say that it lives.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import DeploymentFilter, FlowRunFilter
    from prefect.states import Crashed

    under_way = {"state": {"type": {"any_": ["PENDING", "RUNNING", "CANCELLING"]}}}
    with get_client(sync_client=True) as client:
        found = client.read_deployment_by_name(deployment)
        runs = client.read_flow_runs(
            flow_run_filter=FlowRunFilter.model_validate(under_way),
            deployment_filter=DeploymentFilter.model_validate({"id": {"any_": [found.id]}}),
        )
        alive = {path.name for path in (store / "runs").glob("*-*")}
        orphans = [run for run in runs if str(run.id) not in alive]
        for run in orphans:
            words = "its worker was stopped; what it had computed is kept"
            client.set_flow_run_state(run.id, Crashed(message=words), force=True)
    return len(orphans)


@contextmanager
def only_one(store: Path, what: str, *, api: str = "") -> Iterator[None]:
    """Be the only one who does this for a store; the kernel frees the place of one who dies.

    Parameters
    ----------
    api
        A Prefect server that others may use meanwhile; they are told of it.

    Raises
    ------
    UserInputError
        When another process does.
    """
    path = store / "locks" / what
    path.parent.mkdir(parents=True, exist_ok=True)
    with path.open("a+", encoding="utf-8") as handle:
        handle.seek(0)
        try:
            fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            allowed = "one at a time for a store; another is at work"
            if there := handle.read():
                allowed += f": set PREFECT_API_URL={there} to use its Prefect server"
            raise UserInputError([Fault(str(store), 0, "", what, allowed)]) from None
        handle.truncate(0)
        handle.write(api)
        handle.flush()
        yield


def server_at_work(store: Path) -> str:
    """The address of the store's own Prefect server, while others may use it; else empty."""
    try:
        with only_one(store, "server"):
            return ""
    except UserInputError:
        return (store / "locks" / "server").read_text(encoding="utf-8")
