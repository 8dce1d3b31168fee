"""DNA-barcoded pMHC multimers: which antigen a cell's receptor binds, and bulk screens."""

from hiaim_sc.dna_barcodes.bulk import (
    COUNT_COLUMNS,
    OUTCOMES,
    ScreenCounts,
    barcode_enrichment,
    count_screen,
    estimate_frequency,
    least_detectable_fold,
)
from hiaim_sc.dna_barcodes.clones import majority_p_value
from hiaim_sc.dna_barcodes.hashsolo import hashsolo_probabilities
from hiaim_sc.dna_barcodes.hashtags import CELL_SAMPLE_COLUMNS, assign_samples
from hiaim_sc.dna_barcodes.itrap import choose_thresholds, expect_antigens, signed_rank_p_value
from hiaim_sc.dna_barcodes.panel import match_hla
from hiaim_sc.dna_barcodes.quality import ANTIGENS_QC_COLUMNS, assess_antigens
from hiaim_sc.dna_barcodes.scores import beam_score, corrected_score, excess_share, umi_delta
from hiaim_sc.dna_barcodes.specificity import (
    CLONE_SPECIFICITY_COLUMNS,
    SPECIFICITY_COLUMNS,
    Specificity,
    call_specificity,
)
from hiaim_sc.dna_barcodes.staining import (
    BACKGROUND_COLUMNS,
    HELD_COLUMNS,
    STAINED_COLUMNS,
    Staining,
    measure_staining,
)

__all__ = [
    "ANTIGENS_QC_COLUMNS",
    "BACKGROUND_COLUMNS",
    "CELL_SAMPLE_COLUMNS",
    "CLONE_SPECIFICITY_COLUMNS",
    "COUNT_COLUMNS",
    "HELD_COLUMNS",
    "OUTCOMES",
    "SPECIFICITY_COLUMNS",
    "STAINED_COLUMNS",
    "ScreenCounts",
    "Specificity",
    "Staining",
    "assess_antigens",
    "assign_samples",
    "barcode_enrichment",
    "beam_score",
    "call_specificity",
    "choose_thresholds",
    "corrected_score",
    "count_screen",
    "estimate_frequency",
    "excess_share",
    "expect_antigens",
    "hashsolo_probabilities",
    "least_detectable_fold",
    "majority_p_value",
    "match_hla",
    "measure_staining",
    "signed_rank_p_value",
    "umi_delta",
]
