"""A real local Prefect server for one run, when none is configured.

Prefect's own ephemeral server was seen to lose most of the records of task runs, so a run on one
machine starts ``prefect server`` on loopback with a database in the study's store, lets it write
down every task run, and stops it by its process id.
"""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from contextlib import contextmanager, suppress
from importlib.util import find_spec
from pathlib import Path
from typing import TYPE_CHECKING

from hiaim_sc.errors import Fault, HiaimError, UserInputError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping
    from uuid import UUID

_START_SECONDS = 180
_DRAIN_SECONDS = 60
_TREE_SECONDS = 10


class ServerError(HiaimError):
    """The local Prefect server did not start."""


def server_environment(home: Path, port: int) -> dict[str, str]:
    """Settings of a quiet, private Prefect server with its database in `home`."""
    return {
        **_place_of_pages(home),
        "PREFECT_HOME": str(home),
        "PREFECT_SERVER_API_HOST": "127.0.0.1",
        "PREFECT_SERVER_API_PORT": str(port),
        # the page asks the API at this address; without it always at port 4200
        "PREFECT_SERVER_UI_API_URL": f"http://127.0.0.1:{port}/api",
        "PREFECT_SERVER_ANALYTICS_ENABLED": "false",
        "DO_NOT_TRACK": "1",
        "PREFECT_SERVER_UI_SHOW_PROMOTIONAL_CONTENT": "false",
        "PREFECT_CLI_WRAP_LINES": "false",
        "NO_PROXY": "127.0.0.1,localhost",
    }


def _place_of_pages(home: Path) -> dict[str, str]:
    """Where the UI's pages are unpacked: beside Prefect, if that is not another user's."""
    prefect = find_spec("prefect")  # imported it would read its settings
    if prefect and prefect.origin and os.access(Path(prefect.origin).with_name("server"), os.W_OK):
        return {}
    return {"PREFECT_SERVER_UI_STATIC_DIRECTORY": str(home / "ui")}


def server_command(port: int) -> list[str]:
    """Command of a Prefect server on loopback that ends with this process."""
    prefect = [sys.executable, "-m", "flows._lifetime", str(os.getpid())]
    return [*prefect, "server", "start", "--host", "127.0.0.1", "--port", str(port)]


def configured() -> bool:
    """Whether the user has named a Prefect server."""
    return bool(os.environ.get("PREFECT_API_URL"))


def free_port() -> int:
    """A TCP port that was free on loopback a moment ago."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def require_free_port(port: int) -> None:
    """Refuses a TCP port of loopback that somebody listens on."""
    with socket.socket() as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind(("127.0.0.1", port))
        except OSError as error:
            allowed = f"a free TCP port of this machine ({error.strerror})"
            raise UserInputError([Fault("command line", 0, "--port", str(port), allowed)]) from None


@contextmanager
def local_server(
    home: Path,
    port: int,
    *,
    settings: Mapping[str, str] | None = None,
    meanwhile: Callable[[], object] | None = None,
) -> Iterator[str]:
    """Run a Prefect server on loopback for as long as the block lasts.

    Parameters
    ----------
    home
        Folder of its database and log.
    port
        TCP port to listen on.
    settings
        More settings of Prefect, for the server alone.
    meanwhile
        Called while the server starts; it may import Prefect, and ask the server nothing.

    Yields
    ------
    The API's URL, also set as ``PREFECT_API_URL`` for this process.
    """
    home.mkdir(parents=True, exist_ok=True)
    environment = {**os.environ, **server_environment(home, port), **(settings or {})}
    environment.pop("PREFECT_API_URL", None)
    api = f"http://127.0.0.1:{port}/api"
    with (home / "server.log").open("ab") as log:
        process = subprocess.Popen(
            server_command(port),
            env=environment,
            stdout=log,
            stderr=subprocess.STDOUT,
            start_new_session=True,
        )
        try:
            os.environ.update(server_environment(home, port), PREFECT_API_URL=api)
            if meanwhile is not None:
                meanwhile()
            _wait_until_healthy(process, api, home)
            yield api
        finally:
            stop_process(process)


def _wait_until_healthy(process: subprocess.Popen, api: str, home: Path) -> None:
    import httpx

    deadline = time.monotonic() + _START_SECONDS
    while time.monotonic() < deadline:
        if process.poll() is not None:
            break
        try:
            if httpx.get(f"{api}/health", timeout=5, trust_env=False).status_code == httpx.codes.OK:
                return
        except httpx.HTTPError:
            time.sleep(0.2)
    msg = f"the local Prefect server did not start; its log is {home / 'server.log'}"
    raise ServerError(msg)


def stop_process(process: subprocess.Popen) -> None:
    """Ask a child to end, and end it when it does not."""
    process.terminate()
    try:
        process.wait(timeout=20)
    except subprocess.TimeoutExpired:
        process.kill()
        process.wait()


def stop_tree(process: subprocess.Popen) -> None:
    """End what a child has started, and what that has started, and then the child."""
    for number in (signal.SIGTERM, signal.SIGKILL):
        _signal(descendants(process.pid), number)
        deadline = time.monotonic() + _TREE_SECONDS
        while descendants(process.pid) and time.monotonic() < deadline:
            time.sleep(0.1)
    stop_process(process)


def _signal(pids: set[int], number: int) -> None:
    for pid in pids:
        with suppress(ProcessLookupError):
            os.kill(pid, number)


def descendants(pid: int) -> set[int]:
    """The processes that a process has started, and those that these have; not the dead."""
    parents = {}
    for path in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = path.read_text(encoding="utf-8").rpartition(")")[2].split()
        except OSError:
            continue
        if fields[0] != "Z":
            parents[int(path.parent.name)] = int(fields[1])
    found: set[int] = set()
    while more := {child for child, parent in parents.items() if parent in {pid, *found}} - found:
        found |= more
    return found


def send_what_is_queued() -> None:
    """Send queued logs and events to the server before it is stopped.

    Left to the end of the process, they would be retried for a minute against a server that is
    gone.
    """
    from prefect.events.worker import EventsWorker
    from prefect.logging.handlers import APILogWorker

    for worker in (APILogWorker, EventsWorker):
        worker.drain_all(timeout=_DRAIN_SECONDS)


def wait_for_task_runs(flow_run_id: UUID, expected: int) -> int:
    """Wait until the server has written down the final state of this many task runs.

    Task runs reach the server as events, after the flow has ended; a server that is stopped too
    soon loses them.

    Returns
    -------
    How many it has, which is fewer than expected only after a minute without them.
    """
    from prefect.client.orchestration import get_client
    from prefect.client.schemas.filters import (
        FlowRunFilter,
        FlowRunFilterId,
        TaskRunFilter,
        TaskRunFilterState,
        TaskRunFilterStateType,
    )
    from prefect.client.schemas.objects import TERMINAL_STATES

    done = TaskRunFilter(
        state=TaskRunFilterState(type=TaskRunFilterStateType(any_=sorted(TERMINAL_STATES)))
    )
    this_run = FlowRunFilter(id=FlowRunFilterId(any_=[flow_run_id]))
    deadline = time.monotonic() + _DRAIN_SECONDS
    found = 0
    with get_client(sync_client=True) as client:
        while found < expected and time.monotonic() < deadline:
            found = 0
            while page := client.read_task_runs(
                flow_run_filter=this_run, task_run_filter=done, limit=200, offset=found
            ):
                found += len(page)
            time.sleep(0.3 if found < expected else 0)
    return found
