"""The command that writes a synthetic cohort."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

import typer

from flows._cli_options import faults_reported


def simulate(  # noqa: PLR0913  one parameter per option of the command
    out: Annotated[Path, typer.Option(help="The study folder to write; must be new or empty.")],
    truth: Annotated[
        Path | None, typer.Option(help="Where the truth goes. Default: OUT_truth.")
    ] = None,
    settings: Annotated[
        Path | None, typer.Option(help="A YAML file of settings; the options below override it.")
    ] = None,
    patients: Annotated[int | None, typer.Option(min=2, help="Default: 16.")] = None,
    cells: Annotated[
        int | None, typer.Option(min=10, help="Cells per library. Default: 1500.")
    ] = None,
    seed: Annotated[int | None, typer.Option(min=0, help="Same seed, same bytes.")] = None,
    effect: Annotated[
        float | None, typer.Option(min=1, help="Fold of 20 planted CD8 clones per treated patient.")
    ] = None,
    missing: Annotated[
        float | None, typer.Option(min=0, max=1, help="Probability that a sample is missing.")
    ] = None,
    screens: Annotated[
        int | None, typer.Option(min=0, help="Bulk DNA-barcode screens. Default: none.")
    ] = None,
    *,
    null: Annotated[bool | None, typer.Option("--null", help="Plant no effect of the arm.")] = None,
    swap: Annotated[
        bool | None, typer.Option("--swap", help="Swap the libraries of two samples.")
    ] = None,
) -> None:
    """Write a synthetic cohort in real file formats, and the truth to a separate folder.

    All that can be planted stands in hiaim_sc/simulate/settings.py, and can be set in a YAML file.
    """
    from flows._progress import ConsoleProgress
    from hiaim_sc.simulate import read_settings, simulate_cohort

    given = {
        "out": out,
        "truth": truth,
        "n_patients": patients,
        "cells_per_library": cells,
        "seed": seed,
        "effect_fold": effect,
        "missing": missing,
        "n_screens": screens,
        "null": null,
        "swap": swap,
    }
    overrides = {name: value for name, value in given.items() if value is not None}
    with faults_reported(), ConsoleProgress() as progress:
        chosen = read_settings(settings, overrides)
        simulate_cohort(chosen, progress=progress.counter("simulating libraries"))
    typer.echo(f"study: {chosen.out}\ntruth: {chosen.truth}")
