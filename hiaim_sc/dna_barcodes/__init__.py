"""dna_barcodes."""
