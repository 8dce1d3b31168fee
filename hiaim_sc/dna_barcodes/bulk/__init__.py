"""Bulk screens with DNA-barcoded pMHC multimers: from reads to responses."""

from hiaim_sc.dna_barcodes.bulk.counting import COUNT_COLUMNS, ScreenCounts, count_screen
from hiaim_sc.dna_barcodes.bulk.enrichment import barcode_enrichment, least_detectable_fold
from hiaim_sc.dna_barcodes.bulk.matching import OUTCOMES

__all__ = [
    "COUNT_COLUMNS",
    "OUTCOMES",
    "ScreenCounts",
    "barcode_enrichment",
    "count_screen",
    "least_detectable_fold",
]
