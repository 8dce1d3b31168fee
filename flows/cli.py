"""The command line. It imports what it needs when it needs it, so that ``--help`` is quick."""

from __future__ import annotations

from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table

from flows._cli_operations import add_operations
from flows._cli_options import (
    BlindedOption,
    ResultsOption,
    StoreOption,
    StudyFolder,
    faults_reported,
)
from flows._cli_simulate import simulate
from hiaim_sc.errors import Fault, UserInputError

app = typer.Typer(
    name="hiaim-sc",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
    help="""From what a sequencing core delivers for a randomised trial (single-cell RNA, TCR and
DNA-barcoded pMHC) to a release of patient-level comparisons of arms.

A first round: [bold]simulate[/] a study, [bold]validate[/] it, see the [bold]plan[/],
[bold]run[/] it, open results/latest/report.html. Exit codes: 0 done, 2 your input is wrong (every
fault is listed), 1 a fault of ours or of the machine.""",
)

_GO_ON = "interrupted; what was computed is kept: the same command goes on from there"


@app.command()
def validate(study: StudyFolder) -> None:
    """Check a study folder in seconds: tables, design and the headers of the libraries' files.

    Lists every fault at once with table, line, column, value and what is allowed, and notes
    batches that nearly follow visit or arm.
    Opens allocation.tsv only to check it, and prints none of it.
    """
    from hiaim_sc.study import (
        check_design,
        check_files,
        check_reference,
        check_screens,
        find_allocation_faults,
        note_batches,
        read_allocation,
        read_study,
    )

    with faults_reported():
        found = read_study(study)
        faults: list[Fault] = find_allocation_faults(found)
        arms = None if faults else read_allocation(found)
        faults += [*check_design(found, arms), *check_files(found), *check_screens(found)]
        faults += check_reference(found)
        if faults:
            raise UserInputError(faults)
    n_samples, n_libraries = len(found.expected_samples()), len(found.delivered_libraries())
    typer.echo(
        f"{found.config.study}: no fault found; {len(found.participants)} patients, "
        f"{n_samples} expected samples, {n_libraries} delivered libraries"
    )
    for note in note_batches(found, arms):
        typer.echo(f"note: {note}")


@app.command()
def plan(study: StudyFolder, store: StoreOption = None, *, blinded: BlindedOption = False) -> None:
    """Say what a run would compute and why. Nothing runs and nothing is written."""
    from flows._folder import open_study
    from flows._order import plan_stages
    from flows._paths import default_store
    from hiaim_sc.storage import Store

    with faults_reported():
        kept = Store(store or default_store(study))
        run = plan_stages(open_study(study, kept), kept, blinded=blinded)
    table = Table("stage", "library", "would be", "why")
    for record in run.records:
        if record.status == "recomputed":
            table.add_row(record.name, record.library_id or "", record.status, record.why)
    console = Console()
    if table.row_count:
        console.print(table)
    n_reused = len(run.records) - table.row_count
    console.print(f"{table.row_count} to compute, {n_reused} to reuse", highlight=False)


@app.command()
def run(  # noqa: PLR0913  one parameter per option of the command
    study: StudyFolder,
    results: ResultsOption = None,
    store: StoreOption = None,
    profile: Annotated[
        str, typer.Option(help="A profile of configs/profiles, or the path of one.")
    ] = "local",
    workers: Annotated[
        int | None, typer.Option(min=1, help="Processes; overrides the profile.")
    ] = None,
    *,
    blinded: BlindedOption = False,
    unblind: Annotated[
        bool, typer.Option("--unblind", help="Compare the arms under the frozen plan.")
    ] = False,
    deviation: Annotated[
        str | None, typer.Option(help="With --unblind: why the plan, or an input, has changed.")
    ] = None,
    verify: Annotated[
        bool,
        typer.Option("--verify", help="Read every file again, also those that look unchanged."),
    ] = False,
) -> None:
    """Run the whole study and write a release; what has not changed is reused.

    Without a flag the arms are compared as exploration: nothing counts as prespecified.

    With PREFECT_API_URL set the run is recorded on that Prefect server, else on a local one that
    is started for the run. A library whose files are unusable is quarantined: the others go on,
    the release names it, and the exit code is 0.
    """
    from flows._folder import open_study
    from flows._local import run_study
    from flows._opening import ArmsRequest, open_arms
    from flows._paths import default_results, default_store
    from flows._profile import require_profile
    from flows._request import request_run
    from flows._server import configured
    from hiaim_sc.storage import Store

    with faults_reported(interrupted=_GO_ON):
        profile = require_profile(profile, server=configured())
        kept = Store(store or default_store(study))
        found = open_study(study, kept)
        arms = ArmsRequest(blinded=blinded, unblind=unblind, deviation=deviation)
        # refused before a server is started
        open_arms(found, arms, results=results or default_results(study), digest=kept.digests.of)
        request = request_run(
            arms=arms.word,
            deviation=deviation or "",
            verify=verify,
            profile=profile,
            workers=workers or 0,
            results=str(results.resolve()) if results else "",
            store=str(store.resolve()) if store else "",
        )
        run_study(study, request)


@app.command()
def freeze(study: StudyFolder) -> None:
    """Lock the analysis plan, before anybody sees the arms.

    Writes STUDY/sap.lock.json: design, options and analysis_plan of study.yaml, defaults included,
    and the digests of the files that it names, of antigens.tsv and of cell_type_overrides.tsv, with
    their hash. From then on [bold]run --unblind[/] refuses when any of them has changed, unless
    --deviation says why; once the arms were compared, also when any other input has.
    """
    from datetime import UTC, datetime

    from hiaim_sc import __version__
    from hiaim_sc.study import freeze_plan, read_study

    with faults_reported():
        frozen = freeze_plan(read_study(study), now=datetime.now(UTC), version=__version__)
    typer.echo(f"analysis plan {frozen.plan_hash}\nfrozen at {frozen.frozen_at}")


@app.command()
def power(
    study: StudyFolder,
    results: ResultsOption = None,
    patients: Annotated[
        int | None,
        typer.Option(min=2, help="Patients with a value in each arm. Default: half of those now."),
    ] = None,
    power: Annotated[
        float, typer.Option(min=0.5, max=0.999, help="Probability of finding the difference.")
    ] = 0.8,
) -> None:
    """Say what each endpoint of the last release could detect. The allocation stays closed.

    From the spread of all patients at the last visit, adjusted for baseline and strata, at the
    plan's level and before any adjustment for other endpoints.
    """
    from flows._power import power_table
    from hiaim_sc.study import read_study

    with faults_reported():
        found = power_table(read_study(study), results, n_per_arm=patients, power=power)
    table = Table("endpoint", "tissue", "n", "per arm", "detectable", "as ratio", "in SD")
    for row in found:
        table.add_row(*row)
    Console().print(table)


app.command()(simulate)
add_operations(app)
