"""``purge``: remove what was made from a patient who has withdrawn consent."""

from __future__ import annotations

import os
from contextlib import ExitStack, nullcontext
from typing import TYPE_CHECKING, Annotated

import typer

from flows._cli_options import ResultsOption, StoreOption, StudyFolder, faults_reported

if TYPE_CHECKING:
    from collections.abc import Sequence
    from contextlib import AbstractContextManager
    from pathlib import Path

    from flows._purge import Traces
    from hiaim_sc.storage import Store


def purge(
    study: StudyFolder,
    patient: Annotated[str, typer.Argument(metavar="PATIENT", help="Their patient_id.")],
    results: ResultsOption = None,
    store: StoreOption = None,
    *,
    yes: Annotated[bool, typer.Option("--yes", help="Do not ask.")] = False,
    force: Annotated[
        bool,
        typer.Option("--force", help="Also without withdrawn_on, or when their row is gone."),
    ] = False,
) -> None:
    """Remove everything made from a patient who has withdrawn consent, for good.

    Artefacts of their libraries, of pools and bulk screens that carry them, of all that was
    computed from these; releases made of any; and what the Prefect UI shows of such releases. From
    then on every run leaves them out as withdrew. The study folder is only read: what is to be
    deleted there is listed. Needs their withdrawn_on in participants.tsv.
    """
    from getpass import getuser

    from flows._paths import default_results, default_store
    from flows._purge import find_traces, remove_traces, require_removable
    from flows._releases import releases_in
    from hiaim_sc.storage import Store

    kept, made = Store(store or default_store(study)), results or default_results(study)
    with faults_reported(interrupted="interrupted; the same command goes on with what is left"):
        found = find_traces(study, kept, made, patient, force=force)
        require_removable(kept, found)
        typer.echo(_words(found, "would be removed"))
        if not yes:
            typer.confirm("Remove it for good?", abort=True)
        with ExitStack() as stack:
            servers = _servers(kept, stack)
            stack.enter_context(kept.locked("run"))
            found = find_traces(study, kept, made, patient, force=force)
            require_removable(kept, found)
            remove_traces(kept, made, found, who=getuser())
            emptied = [path.name for path in releases_in(made, emptied=True)]
            n_shown = _forget(study, servers, emptied)
        typer.echo(_words(found, "removed"))
        typer.echo(f"{n_shown} artifacts of the Prefect UI removed")
        typer.echo(_left(found))


def _servers(store: Store, stack: ExitStack) -> list[AbstractContextManager[object]]:
    """The Prefect servers that runs were recorded on: the configured one, and the store's own.

    The store's own is ours to start for as long as the stack lasts, unless it is at work and the
    configured one.
    """
    from flows._presence import only_one, server_at_work
    from flows._reach import require_answer
    from flows._server import configured, free_port, local_server

    found: list[AbstractContextManager[object]] = []
    if configured():
        require_answer()
        found.append(nullcontext())
        if server_at_work(store.root) == os.environ["PREFECT_API_URL"]:
            return found
    stack.enter_context(only_one(store.root, "server"))
    if ((home := store.root / "prefect") / "prefect.db").is_file():
        found.append(local_server(home, free_port()))
    return found


def _forget(
    study: Path, servers: Sequence[AbstractContextManager[object]], releases: Sequence[str]
) -> int:
    """Have these Prefect servers forget what they show of these releases."""
    from hiaim_sc.study import read_study

    n_shown = 0
    for server in servers if releases else ():
        with server:
            from flows._artifacts import remove_artifacts

            name = read_study(study, may_be_gone="all").config.study
            n_shown += remove_artifacts(name, releases)
    return n_shown


def _words(found: Traces, verb: str) -> str:
    size = found.size
    lines = [f"{found.patient_id}: {size.n_artefacts} artefacts, {size.n_bytes / 1e6:,.1f} MB"]
    for what, names in (
        ("releases", [path.name for path in found.releases]),
        ("libraries", found.owned.libraries),
        ("pools, with other patients in them", found.owned.pooled),
        ("bulk screens, with other patients in them", found.owned.screens),
    ):
        lines += [f"{what}: {', '.join(names)}"] if names else []
    return f"{verb}: " + "\n  ".join(lines)


def _left(found: Traces) -> str:
    lines = [
        f"From now on every run leaves {found.patient_id} out as withdrew; the row of"
        " participants.tsv stays."
    ]
    files = [str(path) for path in found.owned.files if path.exists()]
    if files:
        lines += [
            "The study folder was not touched. Delete these files, and their rows in the tables:",
            *(f"  {path}" for path in files),
        ]
    return "\n".join(lines)
