"""The steps of one library: read the inputs, call the library, name the results.

Imports of the library's stages stand inside the steps, as in `flows._cohort_steps`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from flows._inputs import Inputs, kept_barcodes
from hiaim_sc.errors import LibraryFaultError, find_system_error

if TYPE_CHECKING:
    from hiaim_sc.storage import Payload

type Payloads = dict[str, Payload]


def ingest(inputs: Inputs) -> Payloads:
    """A library's files as matrices and tables, or the fault for which it is quarantined."""
    from hiaim_sc.ingest import read_library

    hashtags = inputs.table("hashtags")
    try:
        data = read_library(
            inputs.library_files,
            inputs.options.ingest,
            require_gex=inputs.options.tcr.require_gex and "let_in" not in inputs.keys,
            feature_type=inputs.options.dna_barcodes.feature_type,
            antigens=inputs.table("antigens"),
            hashtags=[] if hashtags is None else hashtags["hashtag"].tolist(),
            hashtag_type=inputs.options.hashtags.feature_type,
        )
    except LibraryFaultError as fault:
        if find_system_error(fault):  # it says nothing of the bytes: not to be remembered
            raise
        return {"fault": {"reason": fault.reason, "gate": fault.gate}}
    results = {
        "counts": data.counts,
        "antigen_counts": data.antigen_counts,
        "hashtag_counts": data.hashtag_counts,
        "contigs": data.contigs,
        "soup": data.soup,
        "report": data.report,
    }
    return {name: result for name, result in results.items() if result is not None}


def receptors(inputs: Inputs) -> Payloads:
    """Receptor chains and chain pairing per cell barcode."""
    from hiaim_sc.tcr import call_receptors

    contigs = inputs.one("ingest").read("contigs")
    return {"receptors": call_receptors(contigs, inputs.options.tcr)}


def cell_samples(inputs: Inputs) -> Payloads:
    """The sample of each cell of a pooled library."""
    from hiaim_sc.dna_barcodes import assign_samples

    found = assign_samples(
        inputs.one("ingest").read("hashtag_counts"),
        inputs.table("hashtags"),
        inputs.table("receptors"),
        inputs.options.hashtags,
    )
    return {"cell_samples": found}


def qc(inputs: Inputs) -> Payloads:
    """QC metrics, doublets, ambient RNA, cell calls, and the sex genes of each sample."""
    from hiaim_sc.qc import assess_cells, count_sex_genes, exclude_unassigned

    ingested = inputs.one("ingest")
    counts = ingested.open("counts").load()
    found = assess_cells(
        counts,
        inputs.table("receptors"),
        inputs.options.qc,
        rng=inputs.rng,
        soup=ingested.read("soup") if "soup" in ingested else None,
    )
    table, samples = found.table, inputs.table("cell_samples")
    if samples is not None:
        table = exclude_unassigned(table, samples)
    sexes = count_sex_genes(found.sex_genes, table, samples)
    return {"cell_qc": table, "limits": found.limits, "sex_counts": sexes}


def corrected(inputs: Inputs) -> Payloads:
    """Counts of the cells that pass less ambient RNA, or as they are and why."""
    from hiaim_sc.integrate import cluster_library
    from hiaim_sc.qc import correct_counts, leave_counts, why_not_corrected

    ingested, found = inputs.one("ingest"), inputs.one("qc")
    counts, kept = ingested.open("counts").load(), kept_barcodes(found.read("cell_qc"))
    ambient = found.read("limits")["ambient"]
    reason = why_not_corrected(ambient, len(kept), inputs.options.ambient)
    if reason:
        result = leave_counts(counts, kept, reason)
    else:
        rng = inputs.rng
        result = correct_counts(
            counts,
            cluster_library(counts, kept, rng=rng),
            ambient["fraction"],
            ingested.read("soup") if "soup" in ingested else None,
            rng=rng,
        )
    return {"counts": result.counts, "correction": result.summary}


def genes(inputs: Inputs) -> Payloads:
    """Sufficient statistics per gene over the cells that pass."""
    from hiaim_sc.integrate import summarise_genes

    kept = kept_barcodes(inputs.one("qc").read("cell_qc"))
    return {"gene_stats": summarise_genes(inputs.one("ingest").open("counts").load(), kept)}


def specificity(inputs: Inputs) -> Payloads:
    """What each cell holds of the pMHC multimers."""
    from hiaim_sc.dna_barcodes import measure_staining

    found = measure_staining(
        inputs.one("ingest").read("antigen_counts"),
        inputs.table("antigens"),
        inputs.table("receptors"),
        inputs.options.dna_barcodes,
    )
    return {"held": found.held, "stained": found.stained, "background": found.background}
