"""Bulk screens with DNA-barcoded pMHC multimers: from reads to responses."""

from hiaim_sc.dna_barcodes.bulk.counting import COUNT_COLUMNS, ScreenCounts, count_screen
from hiaim_sc.dna_barcodes.bulk.enrichment import barcode_enrichment, least_detectable_fold
from hiaim_sc.dna_barcodes.bulk.frequencies import BREADTH_COLUMNS, estimate_frequency
from hiaim_sc.dna_barcodes.bulk.losses import explain_losses
from hiaim_sc.dna_barcodes.bulk.outcomes import OUTCOMES
from hiaim_sc.dna_barcodes.bulk.quality import SCREEN_QC_COLUMNS, pool_screens
from hiaim_sc.dna_barcodes.bulk.responses import (
    RESPONSE_COLUMNS,
    BulkResponses,
    call_responses,
)

__all__ = [
    "BREADTH_COLUMNS",
    "COUNT_COLUMNS",
    "OUTCOMES",
    "RESPONSE_COLUMNS",
    "SCREEN_QC_COLUMNS",
    "BulkResponses",
    "ScreenCounts",
    "barcode_enrichment",
    "call_responses",
    "count_screen",
    "estimate_frequency",
    "explain_losses",
    "least_detectable_fold",
    "pool_screens",
]
