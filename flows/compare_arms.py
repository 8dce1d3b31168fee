"""Endpoints, then arm against arm. Only the comparison's task opens the allocation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from hiaim_sc.storage import digest_file

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
    layout = run.value("layout", study.layout(libraries.libraries()))
    inputs = {
        "cells": cohort["cells"],
        "identity": cohort["identity"],
        "expected_samples": run.value("expected_samples", study.expected_samples()),
        "library_states": run.value("library_states", study.library_states(libraries.quarantined)),
    }
    if study.measurements is not None:
        inputs["measurements"] = run.value("measurements", study.measurements)
    stained = libraries.inputs("specificity")
    if stained and study.antigens is not None:
        inputs |= stained
        inputs["accounting"] = cohort["accounting"]
        inputs["antigens"] = run.value("antigens", study.antigens)
        inputs["hla"] = run.value("hla", study.participants[["patient_id", "hla"]])
    endpoints = run.call("endpoints", inputs)
    run.complete("endpoints", [endpoints])
    made_from = ("cells", "identity", "expected_samples", "library_states")
    variants = run.call(
        "variants",
        {"endpoints": endpoints.recipe.key, **{name: inputs[name] for name in made_from}},
    )
    agreement = run.call("agreement", {"endpoints": endpoints.recipe.key})
    run.complete("endpoints under other settings, agreement", [variants, agreement])

    # The flow digests the allocation; only the stage's task reads it.
    allocation = None if blinded else study.allocation_file()
    comparisons = run.call(
        "comparisons",
        {
            "endpoints": endpoints.recipe.key,
            "variants": variants.recipe.key,
            "allocation": "blinded" if allocation is None else digest_file(allocation),
            "strata": run.value("strata", study.strata()),
            "layout": layout,
            "plan": "frozen" if prespecified else "open",
        },
        allocation=allocation,
    )
    run.complete("comparison of arms", [comparisons])
    calls = (endpoints, variants, agreement, comparisons)
    return {call.recipe.stage: call.recipe.key for call in calls}
