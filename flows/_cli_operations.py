"""The commands of daily work: what has arrived, who let it in, servers, schedules."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from flows._cli_options import ResultsOption, StoreOption, StudyFolder, faults_reported
from flows._cli_purge import purge
from flows._cli_screens import count_dna_barcodes
from hiaim_sc.errors import Fault, UserInputError

CronOption = Annotated[str, typer.Option(help="When it runs by itself, as five fields of cron.")]
PortOption = Annotated[int, typer.Option(min=1, max=65535, help="Of the Prefect UI.")]
TimezoneOption = Annotated[str, typer.Option(help="Of the schedule, such as Europe/Copenhagen.")]


def add_operations(app: typer.Typer) -> None:
    """Add these commands to the command line."""
    for command in _COMMANDS:
        app.command()(command)


def status(study: StudyFolder, store: StoreOption = None) -> None:
    """Say where each library stands: missing, arrived, processed or quarantined."""
    from flows._folder import open_study
    from flows._paths import default_store
    from flows._status import library_states
    from hiaim_sc.storage import Store

    with faults_reported():
        kept = Store(store or default_store(study))
        states = library_states(open_study(study, kept), kept)
    table = Table("library", "sample", "state", "reason")
    for state in states:
        table.add_row(state.library_id, state.sample_id, state.state, state.reason)
    Console().print(table)


def release_library(
    study: StudyFolder,
    library: Annotated[str, typer.Argument(metavar="LIBRARY", help="Its library_id.")],
    reason: Annotated[str, typer.Option(help="Why it may be used; releases show it.")],
    store: StoreOption = None,
) -> None:
    """Let a quarantined library in, as its files are now.

    For bytes that changed after the library was registered, for a low join rate, and for a library
    that is waited for though it is complete. Who, when and why stand in the registry, the manifest
    and libraries_qc. Files that cannot be read or are another library's cannot be let in.
    """
    from getpass import getuser

    from flows._folder import release_from_quarantine
    from flows._paths import default_store
    from hiaim_sc.storage import Store

    with faults_reported():
        kept = Store(store or default_store(study))
        release_from_quarantine(study, kept, library, who=getuser(), reason=reason)
    typer.echo(f"{library} is let in; the next run uses it")


def serve(
    study: StudyFolder,
    results: ResultsOption = None,
    store: StoreOption = None,
    cron: CronOption = "0 5 * * *",
    timezone: TimezoneOption = "UTC",
    port: PortOption = 4200,
) -> None:
    """Look after a study on this machine: runs on schedule and on arrival, and the Prefect UI.

    Server, worker and watcher are one process tree; stopped or killed and started again, it loses
    nothing and computes nothing twice. What runs by itself leaves the allocation closed.
    """
    from flows._plan import Plan
    from flows._service import serve as serve_study

    with faults_reported(interrupted="stopped; the same command goes on from there"):
        serve_study(Plan(study, store, results, cron=cron, timezone=timezone), port=port)


def deploy(
    study: StudyFolder,
    results: ResultsOption = None,
    store: StoreOption = None,
    cron: CronOption = "0 5 * * *",
    timezone: TimezoneOption = "UTC",
    pool: Annotated[str, typer.Option(help="Work pool; made when absent.")] = "hiaim",
    profile: Annotated[str, typer.Option(help="Where stages run.")] = "local",
) -> None:
    """Register the study on the Prefect server that PREFECT_API_URL names, as study/NAME.

    With its schedule, its trigger on arrival (see [bold]watch[/]) and one run at a time. A worker
    of the pool runs it: prefect worker start --pool POOL.
    """
    from flows._plan import Plan

    with faults_reported():
        require_server()
        from flows._deployment import deploy_study

        plan = Plan(study, store, results, pool=pool, cron=cron, timezone=timezone, profile=profile)
        deployment = deploy_study(plan)
    typer.echo(f"{deployment}; runs on '{cron}' ({timezone}) and when libraries arrive")


def watch(study: StudyFolder, store: StoreOption = None) -> None:
    """Watch for the libraries of a study that is deployed, and ask for a run when some arrive."""
    with faults_reported(interrupted="stopped; the same command goes on from there"):
        require_server()
        from flows._service import watch as watch_study

        watch_study(study, store)


def require_server() -> None:
    """Refuses to go on without a Prefect server that answers."""
    from flows._reach import require_answer
    from flows._server import configured

    if not configured():
        allowed = "the address of a Prefect server, such as http://127.0.0.1:4200/api"
        raise UserInputError([Fault("PREFECT_API_URL", 0, "", "", allowed)])
    require_answer()


def ui(study: StudyFolder, store: StoreOption = None, port: PortOption = 4200) -> None:
    """Open the Prefect UI on the runs of this study, on 127.0.0.1, until interrupted."""
    from flows._local import browse
    from flows._paths import default_store

    with faults_reported():
        browse(store or default_store(study), port)


def gc(
    study: StudyFolder,
    results: ResultsOption = None,
    store: StoreOption = None,
    *,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Only say what is free.")] = False,
) -> None:
    """Free what no release needs: artefacts that no release and not the next run is made of."""
    from flows._keeping import keep_what_is_needed
    from flows._paths import default_results, default_store
    from hiaim_sc.storage import Store

    with faults_reported():
        found = keep_what_is_needed(
            study,
            Store(store or default_store(study)),
            results or default_results(study),
            remove=not dry_run,
        )
    verb = "would be removed" if dry_run else "removed"
    typer.echo(f"{found.n_artefacts} artefacts, {found.n_bytes / 1e6:,.1f} MB {verb}")


def diff(
    before: Annotated[Path, typer.Argument(metavar="RELEASE", help="The folder of a release.")],
    after: Annotated[Path, typer.Argument(metavar="RELEASE", help="... and of a later one.")],
) -> None:
    """Say what changed between two releases, and why.

    Inputs, settings, code and versions; libraries, identity checks, endpoints and comparisons row
    by row, other tables by their number of rows; and for what reasons stages were computed.
    """
    from hiaim_sc.report.differences import compare_releases

    with faults_reported():
        found = compare_releases(before, after)
    table = Table("where", "what", "before", "after")
    for one in found:
        table.add_row(one.where, one.item, one.before, one.after)
    Console().print(table if found else "no difference")


_COMMANDS = (
    status,
    release_library,
    serve,
    deploy,
    watch,
    ui,
    diff,
    gc,
    purge,
    count_dna_barcodes,
)
