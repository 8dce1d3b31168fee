"""Words for samples, libraries and contigs."""

from __future__ import annotations

from typing import Final

SESSION_PHASES: Final = ("rest", "post_bout")
SAMPLE_STATUSES: Final = (
    "collected",
    "not_collected",
    "lesion_unsafe",
    "died",
    "withdrew",
    "failed_lab",
)
LIBRARY_STATES: Final = ("delivered", "expected")
REASONS_MISSING: Final = (
    "not_collected",
    "not_yet_sequenced",
    "lesion_unsafe",
    "died",
    "withdrew",
    "failed_lab",
    "failed_qc",
    "no_vdj",
    "below_cell_min",
    "below_depth",
    "swap_unresolved",
)
LIBRARY_VERDICTS: Final = ("pass", "warn", "quarantined")

# What is kept of a contig, in AIRR's names.
CONTIG_FIELDS: Final = (
    "locus",
    "v_call",
    "d_call",
    "j_call",
    "c_call",
    "junction",
    "junction_aa",
    "productive",
    "umi_count",
    "consensus_count",
)
CONTIG_COLUMNS: Final = (
    "cell_barcode",
    "contig_id",
    *CONTIG_FIELDS,
    "is_cell",
    "high_confidence",
)

# Why a contig is no chain of a receptor, the first that holds: the first three are dropped when
# the file is read, the others stay, so that their cell stays in sight.
CONTIG_REASONS: Final = (
    "not_cell",
    "low_confidence",
    "bcr_locus",
    "no_locus",
    "not_productive",
    "no_junction",
)
