"""Endpoints, then arm against arm. Only the comparison's task opens the allocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.storage import digest_file
from hiaim_sc.study import cell_antigens

if TYPE_CHECKING:
    from flows._run import StudyRun
    from flows.process_library import ProcessedLibraries


def compare_arms(
    run: StudyRun,
    libraries: ProcessedLibraries,
    cohort: dict[str, str],
    *,
    blinded: bool,
    prespecified: bool,
) -> dict[str, str]:
    """Measure the endpoints and compare the arms.

    Parameters
    ----------
    blinded
        Leave the allocation closed and compare random labels, drawn within strata. Without an
        allocation the comparison is blinded whatever is asked for.
    prespecified
        Whether the arms are opened under a plan that is as it was frozen.

    Returns
    -------
    Stage: artefact key.
    """
    study = run.study
    located = run.call(
        "located",
        {
            "identity": cohort["identity"],
            "expected_samples": run.value("expected_samples", study.expected_samples()),
            "library_states": run.value(
                "library_states", study.library_states(libraries.quarantined)
            ),
        },
    )
    run.complete("expected samples", [located])
    measured = _measure(run, libraries, cohort, located.recipe.key)
    # The flow digests the allocation; only the stage's task reads it.
    allocation = None if blinded else study.allocation_file()
    comparisons = run.call(
        "comparisons",
        {
            "located": located.recipe.key,
            "endpoints": measured["endpoints"],
            "variants": measured["variants"],
            "pseudobulk": cohort["pseudobulk"],
            "allocation": "blinded" if allocation is None else digest_file(allocation),
            "strata": run.value("strata", study.strata()),
            "layout": run.value("layout", study.layout(libraries.libraries())),
            "plan": "frozen" if prespecified else "open",
        },
        allocation=allocation,
    )
    run.complete("comparison of arms", [comparisons])
    return {**measured, "comparisons": comparisons.recipe.key}


def _measure(
    run: StudyRun, libraries: ProcessedLibraries, cohort: dict[str, str], located: str
) -> dict[str, str]:
    """Endpoints as planned and under other settings, agreement, repertoires: stage and key."""
    study = run.study
    inputs = {"cells": cohort["cells"], "located": located}
    stained, screen = libraries.inputs("specificity"), {}
    if stained and cell_antigens(study) is not None:
        screen = {
            **stained,
            "antigens": run.value("antigens", cell_antigens(study)),
            "hla": run.value("hla", study.patient_hla()),
            "antigen_calls": cohort["antigen_calls"],
        }
    more = {**screen, "clone_phenotypes": cohort["clone_phenotypes"]}
    if study.measurements is not None:
        more["measurements"] = run.value("measurements", study.measurements)
    endpoints = run.call("endpoints", {**inputs, **more})
    repertoires = run.call("repertoires", inputs)
    run.complete("endpoints", [endpoints, repertoires])
    made = {"endpoints": endpoints.recipe.key}
    variants = run.call("variants", {**inputs, **screen, **made})
    agreement = run.call("agreement", made)
    run.complete("endpoints under other settings, agreement", [variants, agreement])
    more_made = {"variants": variants, "agreement": agreement, "repertoires": repertoires}
    return {**made, **{name: call.recipe.key for name, call in more_made.items()}}
