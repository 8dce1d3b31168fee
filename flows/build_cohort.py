"""All libraries: features -> selected -> embedding -> cell types; clones; cells; identity."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from hiaim_sc.annotate import read_panel, read_signatures
from hiaim_sc.study import cell_antigens

if TYPE_CHECKING:
    from flows._run import StudyRun
    from flows.process_library import ProcessedLibraries


class _Stage(Protocol):
    def __call__(self, name: str, what: str, inputs: dict[str, str], *needs: str) -> None: ...


def build_cohort(run: StudyRun, libraries: ProcessedLibraries) -> dict[str, str]:
    """Build the cohort's artefacts; no arm is known here.

    Returns
    -------
    Stage: artefact key.
    """
    study = run.study
    layout = run.value("layout", study.layout(libraries.libraries()))
    panel = run.value("panel", read_panel(study.panel_file()))
    signatures = run.value(
        "signatures", read_signatures(study.signatures_file(), study.gene_lists())
    )
    of = libraries.inputs

    features = run.call("features", of("genes"))
    clones = run.call("clones", {**of("receptors", "qc", "cell_samples"), "layout": layout})
    # one after the other: the stages that take memory then have no second process beside them
    run.complete("features", [features])
    run.complete("clones", [clones])
    keys = {"features": features.recipe.key, "clones": clones.recipe.key}
    # what stages of all cells read as `selected`; those of T and NK cells read delivered counts
    stage = _calling(run, keys, {"selected": "selected_corrected"} if of("corrected") else {})
    common = {"layout": layout, "panel": panel, "signatures": signatures}
    _select(stage, libraries, common)
    stage("embedding", "embedding and clusters", {"layout": layout}, "selected")
    stage("cluster_genes", "genes of clusters", {}, "selected", "embedding")
    if study.config.options.integrate.umap:
        stage("umap", "picture of the cells", {}, "embedding")
    _annotate(stage, run, of("receptors"), {**of("ingest"), **common})
    if carried := of("reference_cells"):
        stage("reference", "labels of panel and reference", carried, "cell_types")
    stage(
        "cells",
        "cells",
        {**of("qc", "receptors", "cell_samples"), "layout": layout},
        "clones",
        "cell_types",
    )
    stage("integration", "mixing of batches", {"layout": layout}, "features", "embedding", "cells")
    stage("pseudobulk", "counts by sample and cell type", of("ingest"), "cells")
    stage(
        "clone_tables",
        "clone tables",
        {**of("receptors", "cell_samples"), "layout": layout},
        "clones",
        "cells",
    )
    stage(
        "cell_scores",
        "scores of T cells",
        {"signatures": signatures, "selected": keys["selected"]},
        "cells",
    )
    _account(run, libraries, layout, stage)
    return keys


def _calling(run: StudyRun, keys: dict[str, str], read_as: dict[str, str]) -> _Stage:
    """Completes a stage and adds its key; `read_as` names a stage that stands in for another."""

    def stage(name: str, what: str, inputs: dict[str, str], *needs: str) -> None:
        found = {need: keys[read_as.get(need, need)] for need in needs}
        call = run.call(name, {**inputs, **found})
        run.complete(what, [call])
        keys[name] = call.recipe.key

    return stage


def _select(stage: _Stage, libraries: ProcessedLibraries, common: dict[str, str]) -> None:
    """Counts of the selected genes as delivered, and less ambient RNA where that is taken off."""
    of = libraries.inputs
    stage("selected", "selected counts", {**of("ingest", "qc"), **common}, "features")
    if of("corrected"):
        less = {**libraries.counts(), **of("qc"), **common}
        stage("selected_corrected", "selected counts less ambient RNA", less, "features")


def _account(run: StudyRun, libraries: ProcessedLibraries, layout: str, stage: _Stage) -> None:
    """Whose the samples are, what cells are specific for, and what became of everything."""
    study, of = run.study, libraries.inputs
    participants = run.value("participants", study.identity_participants())
    stage(
        "identity",
        "identity checks",
        {**of("ingest", "qc"), "layout": layout, "participants": participants},
        "clones",
        "clone_tables",
    )
    known = {"layout": layout, "hla": run.value("hla", study.patient_hla())}
    if cell_antigens(study) is not None:
        known["antigens"] = run.value("antigens", cell_antigens(study))
    stage(
        "antigen_calls", "antigen calls", {**of("specificity", "cell_samples"), **known}, "clones"
    )
    tables = {
        "expected_samples": run.value("expected_samples", study.expected_samples()),
        "library_states": run.value("library_states", study.library_states(libraries.quarantined)),
    }
    stage(
        "accounting",
        "accounting",
        {**of("ingest", "qc", "corrected"), **tables},
        "cells",
        "clone_tables",
        "antigen_calls",
    )


def _annotate(
    stage: _Stage, run: StudyRun, receptors: dict[str, str], counts: dict[str, str]
) -> None:
    """Compartments from all cells, then a second pass among T and NK cells alone."""
    evidence = {**receptors, "panel": counts["panel"]}
    stage("compartments", "compartments", evidence, "selected", "embedding")
    stage("lymphocytes", "T and NK cells", counts, "compartments")
    layout = {"layout": counts["layout"]}
    stage("lymphocyte_embedding", "embedding of T and NK cells", layout, "lymphocytes")
    if run.study.cell_type_overrides is not None:
        evidence["overrides"] = run.value("overrides", run.study.cell_type_overrides)
    second = ("lymphocytes", "lymphocyte_embedding")
    stage("cell_types", "cell types", evidence, "selected", "compartments", *second, "clones")
