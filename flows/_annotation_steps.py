"""The steps that say what each cell is; the second pass looks at T and NK cells alone."""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows._inputs import Inputs, kept_barcodes
from hiaim_sc.storage import generator

if TYPE_CHECKING:
    from hiaim_sc.storage import Payload

type Payloads = dict[str, Payload]


def compartments(inputs: Inputs) -> Payloads:
    """Of which compartment each cell is."""
    from hiaim_sc.annotate import annotate_compartments, without_signatures
    from hiaim_sc.tcr import RECEPTOR_COLUMNS

    labels = annotate_compartments(
        without_signatures(inputs.one("selected").open("selected")),
        inputs.one("embedding").read("embedding"),
        inputs.pooled("receptors", "receptors", RECEPTOR_COLUMNS),
        inputs.table("panel"),
        inputs.options.annotate,
    )
    return {"compartments": labels}


def lymphocytes(inputs: Inputs) -> Payloads:
    """Genes that vary among T and NK cells, and these cells' counts of them and of the panel's."""
    from hiaim_sc.annotate import LYMPHOCYTES, panel_genes
    from hiaim_sc.integrate import gather_counts, select_features, summarise_genes

    labels = inputs.one("compartments").read("compartments")
    labels = labels[labels["cell_type_coarse"].isin(LYMPHOCYTES)]
    kept = {str(name): list(rows) for name, rows in labels.groupby("library_id")["cell_barcode"]}
    artefacts = {name: found for name, found in inputs.each("ingest").items() if name in kept}
    stats = {
        name: summarise_genes(found.read("counts"), kept[name]) for name, found in artefacts.items()
    }
    features = select_features(stats, inputs.options.second_pass)
    wanted = panel_genes(features, inputs.table("panel"), inputs.table("signatures").iloc[:0])
    layout = inputs.table("layout").drop_duplicates("library_id")
    batches = layout.set_index("library_id")["batch"]
    libraries = (
        (name, batches[name], found.open("counts"), kept[name]) for name, found in artefacts.items()
    )
    return {"lymphocytes": gather_counts(libraries, wanted), "features": features}


def lymphocyte_embedding(inputs: Inputs) -> Payloads:
    """PCA, Harmony and clusters of T and NK cells alone."""
    from hiaim_sc.integrate import embed, limit_components, why_not_integrated

    options = inputs.options.second_pass
    if why_not_integrated(inputs.table("layout"), inputs.options.integrate):
        options = options.model_copy(update={"harmony": False})
    counts = inputs.one("lymphocytes").open("lymphocytes")
    options = limit_components(options, counts.shape[0])
    return {"embedding": embed(counts, options, rng=generator(inputs.stage, options.seed))}


def cell_types(inputs: Inputs) -> Payloads:
    """What each cell is, lineages and states of T and NK cells among it, and each cluster."""
    from hiaim_sc.annotate import annotate_cells, apply_overrides, describe_clusters
    from hiaim_sc.tcr import RECEPTOR_COLUMNS

    counts = inputs.one("lymphocytes").open("lymphocytes")
    computed = annotate_cells(
        inputs.one("compartments").read("compartments"),
        counts,
        inputs.one("lymphocyte_embedding").read("embedding"),
        inputs.pooled("receptors", "receptors", RECEPTOR_COLUMNS),
        inputs.one("clones").read("clone_cells"),
        inputs.table("panel"),
        inputs.options.annotate,
    )
    labels, overrides = apply_overrides(computed, inputs.table("overrides"))
    of_clusters = describe_clusters(
        labels, inputs.one("selected").open("selected"), counts, inputs.table("panel")
    )
    return {"cell_types": labels, "cell_type_overrides": overrides, **of_clusters}


def reference_cells(inputs: Inputs) -> Payloads:
    """The label that the study's reference gives each cell of one library that passes QC."""
    from hiaim_sc.annotate.reference import carry_labels
    from hiaim_sc.study.reference_model import ReferenceModel

    found = carry_labels(
        inputs.one("ingest").open("counts"),
        kept_barcodes(inputs.one("qc").read("cell_qc")),
        ReferenceModel.of_tables(inputs.table("model_genes"), inputs.table("model_labels")),
        inputs.options.reference,
        library_id=str(inputs.library_id),
    )
    genes = {"n_genes_model": found.n_genes_model, "n_genes_used": found.n_genes_used}
    return {"carried": found.table, "genes": genes}


def reference(inputs: Inputs) -> Payloads:
    """Labels of the panel and of the reference side by side."""
    from hiaim_sc.annotate.reference import compare_labels

    return compare_labels(
        inputs.tables("reference_cells", "carried"),
        {name: found.read("genes") for name, found in inputs.each("reference_cells").items()},
        inputs.one("cell_types").read("cell_types"),
    )
