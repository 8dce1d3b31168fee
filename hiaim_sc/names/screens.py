"""Words of bulk DNA-barcode screens."""

from __future__ import annotations

from typing import Final

# What is to be held against a response; in this order. The first four stand at responses only, the
# others at every row of a sample.
BULK_FLAGS: Final = {
    "below_log2_fc": "the log2 fold change is below bulk.min_log2_fc",
    "below_count_fraction": "its share of the sample's molecules is below bulk.min_count_fraction",
    "low_input": "the mean input has fewer molecules of it than bulk.min_input_count",
    "hla_mismatch": "the patient does not have its HLA",
    "one_sample_replicate": "the sample has one replicate: only large fold changes can be found",
    "one_input_replicate": "the screen has one input: only large fold changes can be found",
    "low_saturation": "reads still found new molecules (bulk.min_saturation): too few were read",
}
BULK_RESPONSE_FLAGS: Final = tuple(BULK_FLAGS)[:4]
