"""A whole cohort: the study folder and, apart from it, the truth."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.simulate.antigens import antigen_panel
from hiaim_sc.simulate.cohort import plan_cohort
from hiaim_sc.simulate.cohort_screens import write_screens
from hiaim_sc.simulate.library import CELL_COLUMNS, SimulatedLibrary, build_library
from hiaim_sc.simulate.pools import gather_pools, plan_pools
from hiaim_sc.simulate.repertoire import draw_repertoire
from hiaim_sc.simulate.study_tables import (
    CHEMISTRY,
    CONTIGS,
    MATRIX,
    RAW_MATRIX,
    study_tables,
)
from hiaim_sc.simulate.targets import complete_folder, refuse_targets
from hiaim_sc.simulate.transcriptome import build_transcriptome
from hiaim_sc.simulate.truth import TruthLedger, describe_planted, latent_clones, true_effects
from hiaim_sc.simulate.unfiltered import with_empty_droplets
from hiaim_sc.simulate.writers import CloneWriter, write_matrix, write_table

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator
    from pathlib import Path

    from hiaim_sc.simulate.cohort import Cohort
    from hiaim_sc.simulate.settings import SimulationSettings
    from hiaim_sc.simulate.transcriptome import Transcriptome


def simulate_cohort(
    settings: SimulationSettings, *, progress: Callable[[int, int], None] | None = None
) -> None:
    """Write a study folder to ``settings.out`` and the truth about it to ``settings.truth``.

    The same settings give the same bytes. Both folders appear when they are complete, or not at
    all; one library is in memory at a time.

    Parameters
    ----------
    settings
        What to simulate.
    progress
        Called after each library with the number done and the number in all.

    Raises
    ------
    UserInputError
        Where a folder is there and not empty, or one lies in the other.
    """
    refuse_targets(settings)
    with complete_folder(settings.out) as out, complete_folder(settings.truth) as truth:
        cohort = plan_cohort(settings)
        _write_study(settings, cohort, out)
        if settings.n_screens:
            write_table(truth / "screens.tsv", write_screens(settings, cohort, out))
        _write_libraries_and_truth(settings, cohort, out, truth, progress)


def simulate_library(settings: SimulationSettings, library_id: str) -> SimulatedLibrary:
    """One library of the cohort, in memory: what `simulate_cohort` writes of it.

    Raises
    ------
    KeyError
        Where the cohort has no library of this name.
    """
    plan = {plan.library_id: plan for plan in plan_cohort(settings).libraries}[library_id]
    repertoire = draw_repertoire(settings, plan.specimen.patient)
    return build_library(settings, build_transcriptome(settings), plan, repertoire)


def _write_study(settings: SimulationSettings, cohort: Cohort, out: Path) -> None:
    import yaml

    design = settings.design().model_dump(mode="json")
    content = {"study": settings.study, "design": design, "options": {}}
    text = yaml.safe_dump(content, sort_keys=False, default_flow_style=None)
    (out / "study.yaml").write_text(text, encoding="utf-8")
    for name, table in study_tables(settings, cohort).items():
        write_table(out / name, table)


def _write_libraries_and_truth(
    settings: SimulationSettings,
    cohort: Cohort,
    out: Path,
    truth: Path,
    progress: Callable[[int, int], None] | None,
) -> None:
    transcriptome = build_transcriptome(settings)
    ledger, cells = TruthLedger(), []
    with CloneWriter(truth / "clones.parquet") as clones:
        made = _build_libraries(settings, cohort, transcriptome, ledger, clones)
        delivered = gather_pools(settings, cohort, made) if _is_pooled(settings) else made
        for library in delivered:
            _write_library(settings, transcriptome, library, out)
            cells.append(library.cells)
            if progress is not None:
                progress(len(cells), len(_library_ids(settings, cohort)))
    # a swapped library is made with its true patient's
    cells.sort(key=lambda table: str(table["library_id"].iloc[0]))
    all_cells = pd.concat(cells) if cells else pd.DataFrame(columns=list(CELL_COLUMNS))
    write_table(truth / "cells.tsv", all_cells)
    write_table(truth / "effects.tsv", true_effects(settings, cohort, ledger))
    content = describe_planted(settings, cohort, ledger)
    (truth / "truth.json").write_text(json.dumps(content, indent=1) + "\n", encoding="utf-8")


def _is_pooled(settings: SimulationSettings) -> bool:
    return settings.samples_per_pool > 1


def _library_ids(settings: SimulationSettings, cohort: Cohort) -> list[str]:
    plans = plan_pools(settings, cohort) if _is_pooled(settings) else cohort.libraries
    return [plan.library_id for plan in plans]


def _build_libraries(
    settings: SimulationSettings,
    cohort: Cohort,
    transcriptome: Transcriptome,
    ledger: TruthLedger,
    clones: CloneWriter,
) -> Iterator[SimulatedLibrary]:
    """A library of each specimen, patient by patient, the truth of each remembered."""
    for patient in cohort.patients:
        repertoire = draw_repertoire(settings, patient)
        table = latent_clones(repertoire)
        clones.write(table)
        ledger.add_patient(repertoire, table)
        for plan in cohort.libraries:
            if plan.specimen.patient == patient:
                library = build_library(settings, transcriptome, plan, repertoire)
                ledger.add_library(library)
                yield library


def _write_library(
    settings: SimulationSettings,
    transcriptome: Transcriptome,
    library: SimulatedLibrary,
    out: Path,
) -> None:
    folder = out / "libraries" / library.library_id
    folder.mkdir(parents=True)
    panel = antigen_panel(settings)
    write_matrix(folder / MATRIX, library, transcriptome.genes, panel, CHEMISTRY)
    if library.empty_counts is not None:
        unfiltered = with_empty_droplets(settings, library)
        write_matrix(folder / RAW_MATRIX, unfiltered, transcriptome.genes, panel, CHEMISTRY)
    library.contigs.to_csv(folder / CONTIGS, index=False, lineterminator="\n")
