"""The steps of the cohort: read the inputs, call the library, name the results.

Imports of the library's stages stand inside the steps: a worker that only reads contigs need not
wait for scanpy.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows._inputs import Inputs, kept_barcodes
from hiaim_sc.storage import generator

if TYPE_CHECKING:
    from hiaim_sc.storage import Payload

type Payloads = dict[str, Payload]


def features(inputs: Inputs) -> Payloads:
    """Which genes are embedded."""
    from hiaim_sc.integrate import select_features

    stats = inputs.tables("genes", "gene_stats")
    return {"features": select_features(stats, inputs.options.integrate)}


def clones(inputs: Inputs) -> Payloads:
    """The clone of every cell with a receptor."""
    from hiaim_sc.tcr import define_clones, pool_receptors

    pooled = pool_receptors(
        inputs.tables("receptors", "receptors"),
        inputs.tables("qc", "cell_qc"),
        inputs.table("layout"),
        inputs.tables("cell_samples", "cell_samples"),
    )
    return {"clone_cells": define_clones(pooled, inputs.options.tcr)}


def selected(inputs: Inputs) -> Payloads:
    """Counts of the selected genes in all cells that pass, one library in memory at a time."""
    from hiaim_sc.annotate import panel_genes
    from hiaim_sc.integrate import gather_counts

    found = inputs.one("features").read("features")
    wanted = panel_genes(found, inputs.table("panel"), inputs.table("signatures"))
    cells = inputs.tables("qc", "cell_qc")
    layout = inputs.table("layout").drop_duplicates("library_id")
    batches = layout.set_index("library_id")["batch"]
    libraries = (
        (name, batches[name], artefact.open("counts"), kept_barcodes(cells[name]))
        for name, artefact in inputs.each("ingest").items()
        if "counts" in artefact
    )
    return {"selected": gather_counts(libraries, wanted)}


def embedding(inputs: Inputs) -> Payloads:
    """PCA, Harmony and clusters."""
    from hiaim_sc.integrate import embed, why_not_integrated

    options = inputs.options.integrate
    if why_not_integrated(inputs.table("layout"), options):
        options = options.model_copy(update={"harmony": False})
    counts = inputs.one("selected").open("selected")
    return {"embedding": embed(counts, options, rng=generator(inputs.stage, options.seed))}


def umap(inputs: Inputs) -> Payloads:
    """The picture of the cells, which no other stage reads."""
    from hiaim_sc.integrate import draw_cells

    rng = generator(inputs.stage, inputs.options.integrate.seed)
    return {"umap": draw_cells(inputs.one("embedding").read("embedding"), rng=rng)}


def cluster_genes(inputs: Inputs) -> Payloads:
    """The genes that tell each cluster from all other cells."""
    from hiaim_sc.integrate import find_markers

    clusters = inputs.one("embedding").read("embedding").obs["leiden"]
    return {"cluster_genes": find_markers(inputs.one("selected").open("selected"), clusters)}


def integration(inputs: Inputs) -> Payloads:
    """Which genes were embedded, how well batches mix, and what clusters are made of."""
    from hiaim_sc.integrate import describe_features, describe_integration, why_not_integrated

    embedded = inputs.one("embedding").read("embedding")
    found = describe_integration(
        embedded,
        inputs.one("cells").read("cells"),
        inputs.options.integrate,
        reason=why_not_integrated(inputs.table("layout"), inputs.options.integrate),
    )
    genes = inputs.one("features").read("features")
    return {
        "features": describe_features(genes, embedded.uns.get("pca", {})),
        "integration_metrics": found.metrics,
        "cluster_composition": found.clusters,
    }


def cells(inputs: Inputs) -> Payloads:
    """Every cell barcode with all that is known of it."""
    from hiaim_sc.compare import build_cells

    table = build_cells(
        inputs.table("layout"),
        inputs.tables("qc", "cell_qc"),
        inputs.tables("receptors", "receptors"),
        inputs.one("clones").read("clone_cells"),
        inputs.one("cell_types").read("cell_types"),
        inputs.options.tcr,
        inputs.tables("cell_samples", "cell_samples"),
    )
    return {"cells": table}


def pseudobulk(inputs: Inputs) -> Payloads:
    """Counts summed by sample and cell type, one library in memory at a time."""
    from hiaim_sc.compare import sum_pseudobulks

    libraries = (
        (name, artefact.read("counts"))
        for name, artefact in inputs.each("ingest").items()
        if "counts" in artefact
    )
    return {"pseudobulk": sum_pseudobulks(libraries, inputs.one("cells").read("cells"))}


def clone_tables(inputs: Inputs) -> Payloads:
    """Clones per library, over visits and tissues, and shared between samples."""
    from hiaim_sc.tcr import (
        TABULATED_COLUMNS,
        pattern_clones,
        share_clones,
        summarise_turnover,
        tabulate_clones,
        track_clones,
    )

    all_cells = inputs.one("cells").read("cells")
    table = tabulate_clones(
        inputs.one("clones").read("clone_cells"),
        inputs.pooled("receptors", "receptors", TABULATED_COLUMNS),
        inputs.table("layout"),
        all_cells,
        inputs.tables("cell_samples", "cell_samples"),
    )
    visits = tuple(inputs.config.design.visits)
    tracking = track_clones(table, visits, inputs.options.tcr)
    return {
        "clones": table,
        "clone_tracking": tracking,
        "clone_turnover": summarise_turnover(tracking),
        "clone_patterns": pattern_clones(table, visits),
        "sharing": share_clones(table),
    }


def identity(inputs: Inputs) -> Payloads:
    """Whether each sample is of the patient it is said to be of."""
    from hiaim_sc.compare import check_contamination, check_identity

    clone_artefact = inputs.one("clone_tables")
    checks = check_identity(
        clone_artefact.read("sharing"),
        clone_artefact.read("clones"),
        inputs.pooled("qc", "sex_counts", ["sample_id", "female", "male"]),
        inputs.table("layout"),
        inputs.table("participants"),
        {name: found.read("report") for name, found in inputs.each("ingest").items()},
        inputs.options.identity,
    )
    table = check_contamination(
        checks,
        inputs.one("clones").read("clone_cells"),
        inputs.table("layout"),
        inputs.options.identity,
    )
    return {"identity_checks": table}


def accounting(inputs: Inputs) -> Payloads:
    """Verdict per library, what was left out and why, and the antigen calls with their clones."""
    from hiaim_sc.compare import (
        count_flow,
        label_specificity,
        locate_specific_cells,
        summarise_annotation,
        summarise_libraries,
    )

    all_cells = inputs.one("cells").read("cells")
    states = inputs.table("library_states")
    libraries = summarise_libraries(
        states,
        {name: found.read("report") for name, found in inputs.each("ingest").items()},
        inputs.tables("qc", "cell_qc"),
        {name: found.read("limits") for name, found in inputs.each("qc").items()},
        {name: found.read("correction") for name, found in inputs.each("corrected").items()},
    )
    flow = count_flow(
        inputs.table("expected_samples"),
        states,
        all_cells,
        inputs.one("clone_tables").read("clones"),
    )
    called = label_specificity(inputs.one("antigen_calls").read("calls"), all_cells)
    return {
        "libraries_qc": libraries,
        "flow_of_samples": flow,
        "annotation_qc": summarise_annotation(all_cells),
        "specificity": called,
        "specific_cells": locate_specific_cells(called, all_cells),
    }
