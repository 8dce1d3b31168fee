"""The stages: what each is made from, which options it sees, and how its function is called.

A step takes `Inputs`, reads the artefacts it needs, calls one function of the library and returns
what is to be stored. Everything a step may depend on is named in its `Stage`, and only that reaches
the step: an option that a stage does not name has its default there, so it cannot leak into a
result unseen.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from flows import _annotation_steps as annotation_steps
from flows import _antigen_steps as antigen_steps
from flows import _cohort_steps as cohort_steps
from flows import _comparison_steps as comparison_steps
from flows import _library_steps as library_steps
from flows import _meaning_steps as meaning_steps
from flows import _screen_steps as screen_steps

if TYPE_CHECKING:
    from collections.abc import Callable

    from flows._inputs import Inputs
    from hiaim_sc.storage import Payload


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
    "corrected": Stage(
        library_steps.corrected,
        ("hiaim_sc.qc", "hiaim_sc.integrate"),
        ("options.ambient.min_fraction",),
    ),
    "genes": Stage(library_steps.genes, ("hiaim_sc.integrate",)),
    "specificity": Stage(
        library_steps.specificity, ("hiaim_sc.dna_barcodes",), ("options.dna_barcodes",)
    ),
    "reference_cells": Stage(
        annotation_steps.reference_cells,
        ("hiaim_sc.annotate.reference", "hiaim_sc.study.reference_model"),
        ("options.reference.min_genes",),
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
    "features": Stage(
        cohort_steps.features, ("hiaim_sc.integrate",), ("options.integrate.n_top_genes",)
    ),
    "clones": Stage(
        cohort_steps.clones,
        ("hiaim_sc.tcr",),
        ("options.tcr.dual_ir", "options.tcr.same_v_gene", "options.tcr.orphan_rescue"),
    ),
    "selected": Stage(cohort_steps.selected, ("hiaim_sc.integrate", "hiaim_sc.annotate")),
    "selected_corrected": Stage(cohort_steps.selected, ("hiaim_sc.integrate", "hiaim_sc.annotate")),
    "embedding": Stage(
        cohort_steps.embedding,
        ("hiaim_sc.integrate",),
        (
            "options.integrate.n_pcs",
            "options.integrate.n_neighbors",
            "options.integrate.resolution",
            "options.integrate.harmony",
            "options.integrate.seed",
        ),
    ),
    "cluster_genes": Stage(cohort_steps.cluster_genes, ("hiaim_sc.integrate",)),
    "umap": Stage(cohort_steps.umap, ("hiaim_sc.integrate",), ("options.integrate.seed",)),
    "integration": Stage(
        cohort_steps.integration,
        ("hiaim_sc.integrate",),
        ("options.integrate.harmony", "options.integrate.dominated_share"),
    ),
    "compartments": Stage(
        annotation_steps.compartments, ("hiaim_sc.annotate", "hiaim_sc.tcr"), ("options.annotate",)
    ),
    "lymphocytes": Stage(
        annotation_steps.lymphocytes,
        ("hiaim_sc.integrate", "hiaim_sc.annotate"),
        ("options.second_pass.n_top_genes",),
    ),
    "lymphocyte_embedding": Stage(
        annotation_steps.lymphocyte_embedding,
        ("hiaim_sc.integrate",),
        ("options.second_pass", "options.integrate.harmony"),
    ),
    "cell_types": Stage(
        annotation_steps.cell_types, ("hiaim_sc.annotate", "hiaim_sc.tcr"), ("options.annotate",)
    ),
    "reference": Stage(annotation_steps.reference, ("hiaim_sc.annotate.reference",)),
    "cells": Stage(cohort_steps.cells, ("hiaim_sc.compare",), ("options.tcr.require_gex",)),
    "pseudobulk": Stage(cohort_steps.pseudobulk, ("hiaim_sc.compare",)),
    "clone_tables": Stage(
        cohort_steps.clone_tables,
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
    "identity": Stage(cohort_steps.identity, ("hiaim_sc.compare",), ("options.identity",)),
    "antigen_calls": Stage(
        antigen_steps.antigen_calls, ("hiaim_sc.dna_barcodes",), ("options.dna_barcodes",)
    ),
    "specificity_agreement": Stage(antigen_steps.specificity_agreement, ("hiaim_sc.compare",)),
    "accounting": Stage(cohort_steps.accounting, ("hiaim_sc.compare",)),
    # the comparison
    "located": Stage(comparison_steps.located, ("hiaim_sc.compare",)),
    "endpoints": Stage(
        comparison_steps.endpoints,
        ("hiaim_sc.compare",),
        ("options.compare", "options.dna_barcodes.require_pair", "design"),
    ),
    "repertoires": Stage(
        comparison_steps.repertoires, ("hiaim_sc.compare",), ("options.compare", "design")
    ),
    "agreement": Stage(
        comparison_steps.agreement,
        ("hiaim_sc.compare",),
        (
            "design",
            "analysis_plan.agreement",
            "analysis_plan.exposures",
            "analysis_plan.responses",
        ),
    ),
    "variants": Stage(
        comparison_steps.variants,
        ("hiaim_sc.compare",),
        ("options.compare", "options.dna_barcodes.require_pair", "design"),
    ),
    "comparisons": Stage(
        comparison_steps.comparisons,
        ("hiaim_sc.compare", "hiaim_sc.study"),
        ("options.compare", "design", "analysis_plan"),
    ),
}
