"""The stages: what each is made from, which options it sees, and how its function is called.

A step takes `Inputs`, reads the artefacts it needs, calls one function of the library and returns
what is to be stored. Everything a step may depend on is named in its `Stage`, and only that reaches
the step: an option that a stage does not name has its default there, so it cannot leak into a
result unseen.
"""

from __future__ import annotations

import inspect
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from flows import _antigen_steps as antigen_steps
from flows import _inputs
from flows import _library_steps as library_steps
from flows import _meaning_steps as meaning_steps
from flows import _screen_steps as screen_steps
from flows import _steps as steps
from flows._inputs import Inputs
from hiaim_sc.config import StudyConfig
from hiaim_sc.storage import Recipe, Store, fingerprint_code
from hiaim_sc.storage.digests import digest_value

if TYPE_CHECKING:
    from collections.abc import Callable

    from hiaim_sc.storage import Payload
    from hiaim_sc.study import LibraryFiles, ScreenFiles


@dataclass(frozen=True)
class Stage:
    """One stage.

    Attributes
    ----------
    step
        Reads inputs, calls the library, returns payloads.
    packages
        The library's packages it calls; their import closure is the stage's code.
    settings
        Dotted keys of ``study.yaml`` that it depends on.
    """

    step: Callable[[Inputs], dict[str, Payload]]
    packages: tuple[str, ...]
    settings: tuple[str, ...] = ()


# What reading the inputs runs, in every stage.
_READING = ("hiaim_sc.storage", "hiaim_sc.study.pooling")

STAGES: dict[str, Stage] = {
    # one library
    "ingest": Stage(
        library_steps.ingest,
        ("hiaim_sc.ingest",),
        (
            "options.ingest",
            "options.tcr.require_gex",
            "options.dna_barcodes.feature_type",
            "options.hashtags.feature_type",
        ),
    ),
    "receptors": Stage(library_steps.receptors, ("hiaim_sc.tcr",), ("options.tcr.min_umis",)),
    "cell_samples": Stage(
        library_steps.cell_samples, ("hiaim_sc.dna_barcodes",), ("options.hashtags",)
    ),
    "qc": Stage(library_steps.qc, ("hiaim_sc.qc",), ("options.qc",)),
    "genes": Stage(library_steps.genes, ("hiaim_sc.integrate",)),
    "specificity": Stage(
        library_steps.specificity, ("hiaim_sc.dna_barcodes",), ("options.dna_barcodes",)
    ),
    # one bulk screen, and all of them
    "screen_counts": Stage(
        screen_steps.screen_counts,
        ("hiaim_sc.dna_barcodes.bulk", "hiaim_sc.study.tag_files", "hiaim_sc.study.read_layouts"),
        ("options.bulk.collapse_n12",),
    ),
    "screen_responses": Stage(
        screen_steps.screen_responses, ("hiaim_sc.dna_barcodes.bulk",), ("options.bulk",)
    ),
    "bulk": Stage(screen_steps.bulk, ("hiaim_sc.dna_barcodes.bulk",)),
    # the cohort
    "features": Stage(steps.features, ("hiaim_sc.integrate",), ("options.integrate.n_top_genes",)),
    "clones": Stage(
        steps.clones,
        ("hiaim_sc.tcr",),
        ("options.tcr.dual_ir", "options.tcr.same_v_gene", "options.tcr.orphan_rescue"),
    ),
    "selected": Stage(steps.selected, ("hiaim_sc.integrate", "hiaim_sc.annotate")),
    "embedding": Stage(steps.embedding, ("hiaim_sc.integrate",), ("options.integrate",)),
    "cell_types": Stage(
        steps.cell_types, ("hiaim_sc.annotate", "hiaim_sc.tcr"), ("options.annotate",)
    ),
    "cells": Stage(steps.cells, ("hiaim_sc.compare",), ("options.tcr.require_gex",)),
    "pseudobulk": Stage(steps.pseudobulk, ("hiaim_sc.compare",)),
    "clone_tables": Stage(
        steps.clone_tables,
        ("hiaim_sc.tcr",),
        (
            "options.tcr.tracking_rho",
            "options.tcr.tracking_min_total",
            "options.tcr.tracking_max_q_value",
            "design.visits",
        ),
    ),
    "databases": Stage(meaning_steps.databases, ("hiaim_sc.tcr",)),
    "database_matches": Stage(
        meaning_steps.database_matches, ("hiaim_sc.tcr",), ("options.databases.similar",)
    ),
    "similarity_cost": Stage(
        meaning_steps.similarity_cost, ("hiaim_sc.tcr",), ("options.similarity",)
    ),
    "similarity": Stage(meaning_steps.similarity, ("hiaim_sc.tcr",), ("options.similarity",)),
    "cell_scores": Stage(meaning_steps.cell_scores, ("hiaim_sc.annotate",)),
    "clone_phenotypes": Stage(
        meaning_steps.clone_phenotypes, ("hiaim_sc.compare",), ("options.phenotypes",)
    ),
    "identity": Stage(steps.identity, ("hiaim_sc.compare",), ("options.identity",)),
    "antigen_calls": Stage(
        antigen_steps.antigen_calls, ("hiaim_sc.dna_barcodes",), ("options.dna_barcodes",)
    ),
    "accounting": Stage(steps.accounting, ("hiaim_sc.compare",)),
    # the comparison
    "located": Stage(steps.located, ("hiaim_sc.compare",)),
    "endpoints": Stage(
        steps.endpoints,
        ("hiaim_sc.compare",),
        ("options.compare", "options.dna_barcodes.require_pair", "design"),
    ),
    "repertoires": Stage(steps.repertoires, ("hiaim_sc.compare",), ("options.compare", "design")),
    "agreement": Stage(
        steps.agreement,
        ("hiaim_sc.compare",),
        (
            "design",
            "analysis_plan.agreement",
            "analysis_plan.exposures",
            "analysis_plan.responses",
        ),
    ),
    "variants": Stage(steps.variants, ("hiaim_sc.compare",), ("options.compare", "design")),
    "comparisons": Stage(
        steps.comparisons,
        ("hiaim_sc.compare", "hiaim_sc.study"),
        ("options.compare", "design", "analysis_plan"),
    ),
}


@dataclass(frozen=True)
class StageCall:
    """One stage to be run for one library or for the cohort: small, and free of data.

    Attributes
    ----------
    recipe
        What the result is made from; its key names the result.
    config
        The settings the stage sees, as plain values.
    store
        Root of the store.
    files
        The library's files, for ingest, or a bulk screen's, for the counting of its reads.
    allocation
        The allocation, for an unblinded comparison only.
    databases
        Digest and path of each database of receptors, for the stage that reads them only.
    """

    recipe: Recipe
    config: dict[str, Any]
    store: str
    files: LibraryFiles | ScreenFiles | None = None
    allocation: Path | None = None
    databases: tuple[tuple[str, Path], ...] = ()

    @property
    def title(self) -> str:
        """Stage and library, as people read it."""
        owner = self.recipe.library_id
        return self.recipe.stage if owner is None else f"{self.recipe.stage} {owner}"


def execute(call: StageCall) -> None:
    """Run one stage and store its result.

    A stage whose worker was lost after it had stored its result is handed out once more; what is
    stored is not computed again.
    """
    store = Store(Path(call.store))
    if store.find(call.recipe.key) is not None and store.damage(call.recipe.key) is None:
        return
    inputs = Inputs(
        store=store,
        stage=call.recipe.stage,
        library_id=call.recipe.library_id,
        keys=call.recipe.inputs,
        config=StudyConfig.model_validate(call.config),
        files=call.files,
        allocation=call.allocation,
        databases=call.databases,
    )
    store.put(call.recipe, STAGES[call.recipe.stage].step(inputs))


def settings_of(stage: str, config: StudyConfig) -> dict[str, Any]:
    """The settings a stage depends on, by dotted key, defaults included."""
    values = config.model_dump(mode="json")
    return {key: _get(values, key) for key in STAGES[stage].settings}


def visible_config(stage: str, config: StudyConfig) -> dict[str, Any]:
    """The study's configuration with everything that the stage does not name left at its default.

    The design has no defaults, so it stays; a stage that reads it names it.
    """
    values = config.model_dump(mode="json")
    shown: dict[str, Any] = {"study": "hidden", "design": values["design"]}
    for key in STAGES[stage].settings:
        _set(shown, key, _get(values, key))
    return shown


@cache
def code_of(stage: str) -> tuple[str, dict[str, str]]:
    """Digest of the source a stage runs, and the versions of the libraries it uses."""
    found = fingerprint_code(*_READING, *STAGES[stage].packages)
    sources = [inspect.getsource(_inputs), inspect.getsource(STAGES[stage].step)]
    return digest_value([found.source, *sources]), found.versions


def _get(values: dict[str, Any], key: str) -> Any:
    found: Any = values
    for part in key.split("."):
        found = found[part]
    return found


def _set(values: dict[str, Any], key: str, value: Any) -> None:
    *path, last = key.split(".")
    for part in path:
        values = values.setdefault(part, {})
    values[last] = value
