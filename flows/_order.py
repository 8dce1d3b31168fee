"""The order of a run: libraries, cohort, comparison; the same whether it runs or is planned."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows._progress import NoProgress
from flows._run import StudyRun
from flows.annotate_clones import annotate_clones
from flows.build_cohort import build_cohort
from flows.compare_arms import compare_arms
from flows.process_library import ProcessedLibraries, process_libraries
from flows.process_screens import process_screens
from hiaim_sc.study import cell_antigens

if TYPE_CHECKING:
    from hiaim_sc.storage import Store
    from hiaim_sc.study import Study


def run_stages(
    run: StudyRun, *, blinded: bool, prespecified: bool = False
) -> tuple[ProcessedLibraries, dict[str, str]]:
    """Complete every stage.

    Parameters
    ----------
    blinded
        Leave the allocation closed.
    prespecified
        Whether the arms are opened under a plan that is as it was frozen.

    Returns
    -------
    The libraries, and the artefact key of each stage of the cohort and the comparison.
    """
    libraries = process_libraries(run)
    screens = process_screens(run)
    cohort = build_cohort(run, libraries)
    cohort |= annotate_clones(run, cohort)
    cohort |= _put_side_by_side(run, screens, cohort)
    compared = compare_arms(run, libraries, cohort, blinded=blinded, prespecified=prespecified)
    if run.compute is not None:
        run.store.digests.save()
    return libraries, {**screens, **cohort, **compared}


def _put_side_by_side(
    run: StudyRun, screens: dict[str, str], cohort: dict[str, str]
) -> dict[str, str]:
    """Antigens in screens and in cells; nothing where the study has one of the two only."""
    if "bulk" not in screens or cell_antigens(run.study) is None:
        return {}
    inputs = {name: cohort[name] for name in ("accounting", "cells", "antigen_calls")}
    antigens = run.value("antigens", run.study.antigens)
    call = run.call(
        "specificity_agreement", {**inputs, "bulk": screens["bulk"], "antigens": antigens}
    )
    run.complete("antigens in screens and in cells", [call])
    return {"specificity_agreement": call.recipe.key}


def plan_stages(study: Study, store: Store, *, blinded: bool) -> StudyRun:
    """What a run would compute and why; nothing runs and nothing is written."""
    run = StudyRun(study, store, NoProgress())
    run_stages(run, blinded=blinded)
    return run
