"""DNA-barcoded pMHC multimers: which antigen a cell's receptor binds."""

from hiaim_sc.dna_barcodes.specificity import SPECIFICITY_COLUMNS, beam_score, call_specificity

__all__ = ["SPECIFICITY_COLUMNS", "beam_score", "call_specificity"]
