"""DNA-barcoded pMHC multimers: which antigen a cell's receptor binds."""

from hiaim_sc.dna_barcodes.specificity import beam_score, call_specificity

__all__ = ["beam_score", "call_specificity"]
