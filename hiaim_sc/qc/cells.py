"""Which cells of a library count, and why the others do not."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from hiaim_sc.names import QC_REASONS
from hiaim_sc.qc.ambient import estimate_ambient
from hiaim_sc.qc.doublets import score_doublets
from hiaim_sc.qc.limits import find_failures, set_limits
from hiaim_sc.qc.metrics import METRICS, SEXES, is_mitochondrial, measure_cells
from hiaim_sc.qc.scores import score_programmes

if TYPE_CHECKING:
    import pandas as pd

    from hiaim_sc.config import QcOptions
    from hiaim_sc.storage import Counts

# for the markers that ambient RNA brings: where it cannot be estimated, and at the least
_ASSUMED_AMBIENT, _MIN_AMBIENT = 0.1, 0.02


@dataclass(frozen=True)
class CellQc:
    """The verdict on every GEX cell of a library.

    Attributes
    ----------
    table
        A row per cell barcode, in the order of the counts: `cell_barcode total_counts
        n_genes_by_counts pct_counts_mt pct_counts_hb dissociation_score s_score g2m_score phase
        scrublet_score receptor_evidence lineage_evidence doublet_score predicted_doublet
        doublet_evidence qc_pass qc_reason`. `scrublet_score` is NaN where it was not computed;
        `doublet_evidence` says what spoke most for a predicted doublet and is empty otherwise.
    limits
        Per metric `lower`, `upper`, `rule`, `n_failed`; `doublet_threshold`, `doublet_rate`,
        `doublet_weights` (log-odds per unit of evidence) and `n_doublets`; `ambient`, the fields
        of `hiaim_sc.qc.ambient.AmbientEstimate`. Ready for JSON.
    sex_genes
        `female male` by cell barcode: counts of the genes that only one sex expresses.
    """

    table: pd.DataFrame
    limits: dict[str, Any]
    sex_genes: pd.DataFrame


def assess_cells(
    counts: Counts,
    receptors: pd.DataFrame | None,
    options: QcOptions,
    *,
    rng: np.random.Generator,
    soup: pd.DataFrame | None = None,
) -> CellQc:
    """Metrics, limits, scores, doublets, ambient RNA and why cells are not counted.

    No cell is removed. A cell has no upper limit on its counts: large cells are real. Scores of
    programmes and the share of haemoglobin describe a cell and fail none.

    Parameters
    ----------
    counts
        One library, cells x genes, raw counts; `var["symbol"]` is read.
    receptors
        `cell_barcode n_VJ n_VDJ receptor_type chain_pairing`, a row per cell with a receptor; None
        where the library has no V(D)J.
    options
        Limits, and the expected doublet rate.
    rng
        Draws the simulated doublets.
    soup
        ``gene_id n_counts``: counts in empty droplets; None where no unfiltered matrix was given.
    """
    metrics = measure_cells(counts)
    metric_limits = set_limits(metrics, options, has_mt=bool(is_mitochondrial(counts).any()))
    failed = find_failures(metrics, metric_limits)
    scored = score_programmes(counts, metrics["total_counts"].to_numpy())
    table = metrics[list(METRICS)].join(scored)
    reference = ~failed.any(axis=1).to_numpy()
    ambient = estimate_ambient(counts, reference, soup)
    scores: dict[str, Any] = {"ambient": ambient.to_dict()}
    if options.doublets:
        found = score_doublets(
            counts,
            receptors,
            options,
            reference=reference,
            ambient=_ASSUMED_AMBIENT
            if ambient.fraction is None
            else max(ambient.fraction, _MIN_AMBIENT),
            rng=rng,
        )
        table = table.assign(
            scrublet_score=found.scrublet,
            receptor_evidence=found.receptor,
            lineage_evidence=found.lineage,
            doublet_score=found.score,
        )
        scores |= {"doublet_rate": found.rate, "doublet_weights": found.weights}
        evidence = found.strongest
    else:
        table = table.assign(
            scrublet_score=np.nan, receptor_evidence=0.0, lineage_evidence=0.0, doublet_score=0.0
        )
        evidence = np.full(len(table), "", dtype=object)
    table["predicted_doublet"] = table["doublet_score"] > options.doublet_threshold
    table["doublet_evidence"] = np.where(table["predicted_doublet"], evidence, "")
    failed["doublet"] = table["predicted_doublet"]
    table["qc_pass"] = ~failed.any(axis=1)
    table["qc_reason"] = _join_reasons(failed)
    limits = {
        **metric_limits,
        "doublet_threshold": options.doublet_threshold,
        "n_doublets": int(table["predicted_doublet"].sum()),
        **scores,
    }
    table = table.rename_axis("cell_barcode").reset_index()
    return CellQc(table, limits, metrics[list(SEXES)])


def _join_reasons(failed: pd.DataFrame) -> np.ndarray:
    """The reasons of each cell in their fixed order, joined with ``;``. (n_cells,) str."""
    joined = np.full(len(failed), "", dtype=object)
    for reason in QC_REASONS:
        if reason in failed:
            is_hit = failed[reason].to_numpy()
            joined[is_hit] = [f"{text};{reason}" if text else reason for text in joined[is_hit]]
    return joined
