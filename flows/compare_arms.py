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
    samples = {
        "identity": cohort["identity"],
        "expected_samples": run.value("expected_samples", study.expected_samples()),
        "library_states": run.value("library_states", study.library_states(libraries.quarantined)),
    }
    inputs = {"cells": cohort["cells"], **samples}
    if study.measurements is not None:
        inputs["measurements"] = run.value("measurements", study.measurements)
    endpoints = run.call("endpoints", inputs)
    run.complete("endpoints", [endpoints])

    # The flow digests the allocation; only the stage's task reads it.
    allocation = None if blinded else study.allocation_file()
    comparisons = run.call(
        "comparisons",
        {
            **samples,
            "endpoints": endpoints.recipe.key,
            "pseudobulk": cohort["pseudobulk"],
            "allocation": "blinded" if allocation is None else digest_file(allocation),
            "strata": run.value("strata", study.strata()),
            "layout": layout,
            "plan": "frozen" if prespecified else "open",
        },
        allocation=allocation,
    )
    run.complete("comparison of arms", [comparisons])
    return {"endpoints": endpoints.recipe.key, "comparisons": comparisons.recipe.key}
