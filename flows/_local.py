"""Running a study from the command line, on the configured Prefect server or on a local one."""

from __future__ import annotations

import os
import shlex
import subprocess
import sys
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import TYPE_CHECKING, cast

import typer

from flows._paths import default_store
from flows._presence import close_dead_runs, only_one, server_at_work
from flows._reach import require_answer, server_in_words
from flows._server import (
    ServerError,
    configured,
    free_port,
    local_server,
    require_free_port,
    send_what_is_queued,
    server_command,
    server_environment,
)
from flows._server import wait_for_task_runs as drain
from hiaim_sc.errors import HiaimError

if TYPE_CHECKING:
    from collections.abc import Iterator

    from flows._request import RunRequest
    from flows.study import StudyResult


def run_study(study: Path, request: RunRequest) -> StudyResult:
    """Run the study flow, let the server write everything down, say where the release is."""
    study = study.resolve()
    store = Path(request.store) if request.store else default_store(study)
    # progress is on the terminal already; the server still gets every line
    os.environ.setdefault("PREFECT_LOGGING_HANDLERS_CONSOLE_LEVEL", "ERROR")
    with ExitStack() as stack:
        own_server = not configured()
        if own_server:
            stack.enter_context(only_one(store, "server"))
            home = store / "prefect"
            api = stack.enter_context(local_server(home, free_port(), meanwhile=_get_ready))
            typer.echo(f"Prefect UI while this runs: {api.removesuffix('/api')}/runs")
        else:
            require_answer()
        # before the server stops, however the run ends
        stack.callback(send_what_is_queued)
        # Prefect reads its settings when it is imported
        from prefect import tags

        from flows._deployment import TAG
        from flows.study import study_flow

        close_dead_runs(store)
        # a flow that ends in a state of its own making is typed as that state
        # a server that stays looks for the heartbeats of what has the tag
        with tags(*() if own_server else (TAG,)), _server_may_go():
            result = cast("StudyResult", study_flow(str(study), request))
        recorded = drain(result.flow_run_id, result.n_recomputed)
    _tell(study, store, result, recorded, own_server=own_server)
    return result


@contextmanager
def _server_may_go() -> Iterator[None]:
    """A server that has gone, in words; all else is as it was."""
    import httpx

    try:
        yield
    except httpx.TransportError as error:
        msg = (
            f"{server_in_words()} can no longer be reached ({error}); what was computed is kept:"
            " the same command goes on from there"
        )
        raise ServerError(msg) from None


def _get_ready() -> None:
    """Imports and digests of the code: seconds that a second core has while the server starts."""
    import flows.study  # noqa: F401
    from flows._stage_calls import code_of
    from flows._stages import STAGES

    for stage in STAGES:
        code_of(stage)


def _tell(
    study: Path, store: Path, result: StudyResult, recorded: int, *, own_server: bool
) -> None:
    n_reused = len(result.records) - result.n_recomputed
    typer.echo(f"{result.n_recomputed} stages computed, {n_reused} reused")
    for library_id, reason in sorted(result.quarantined.items()):
        typer.echo(f"quarantined: {library_id}: {reason}")
    if recorded < result.n_recomputed:
        typer.echo(f"Prefect recorded only {recorded} of {result.n_recomputed} task runs", err=True)
    typer.echo(f"release: {_shown(result.release)}")
    typer.echo(f"report:  {_shown(result.release / 'report.html')}")
    page = f"/runs/flow-run/{result.flow_run_id}"
    if own_server:
        where = "" if store == default_store(study) else f" --store {_quoted(store)}"
        command = f"{_quoted(Path(sys.argv[0]))} ui {_quoted(study)}{where}"
        typer.echo(f"Prefect: {command}\n         then open http://127.0.0.1:4200{page}")
    else:
        typer.echo(f"Prefect: {os.environ['PREFECT_API_URL'].removesuffix('/api')}{page}")


def _shown(path: Path) -> Path:
    """The path as seen from here, where it lies below here."""
    here = Path.cwd()
    return path.relative_to(here) if path.is_relative_to(here) else path


def _quoted(path: Path) -> str:
    """The path as a word of a shell command."""
    return shlex.quote(str(_shown(path)))


def browse(store: Path, port: int) -> None:
    """Serve the Prefect UI on the runs kept in this store until interrupted.

    Where another command serves it already, say where, and end.
    """
    if there := server_at_work(store):
        typer.echo(f"Prefect UI: {there.removesuffix('/api')}/runs   (another command serves it)")
        return
    home = store.resolve() / "prefect"
    if not (home / "prefect.db").is_file():
        msg = f"no run was recorded in {home}; run the study first"
        raise HiaimError(msg)
    require_free_port(port)
    environment = {**os.environ, **server_environment(home, port)}
    environment.pop("PREFECT_API_URL", None)
    address = f"http://127.0.0.1:{port}"
    with only_one(store, "server", api=f"{address}/api"), suppress(KeyboardInterrupt):
        typer.echo(f"Prefect UI: {address}/runs   (Ctrl-C stops it)")
        done = subprocess.run(server_command(port), env=environment, check=False)
        if done.returncode != 0:
            msg = f"the Prefect server has ended with exit code {done.returncode}"
            raise ServerError(msg)
