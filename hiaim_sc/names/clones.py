"""Words for receptors and clones."""

from __future__ import annotations

from typing import Final

CHAIN_PAIRINGS: Final = (
    "single pair",
    "orphan VJ",
    "orphan VDJ",
    "extra VJ",
    "extra VDJ",
    "two full chains",
    "ambiguous",
    "multichain",
    "no IR",
)
# Both chains are known, and they are of one receptor.
PAIRED_CHAINS: Final = ("single pair", "extra VJ", "extra VDJ", "two full chains")
CLONE_SOURCES: Final = ("paired", "rescued", "orphan")
# How close a clone's receptor is to a database's, the closest first.
MATCH_LEVELS: Final = ("pair", "VDJ+V", "VDJ", "similar", "VJ+V")
STRONG_MATCH_LEVELS: Final = ("pair", "VDJ+V")
# What a clone is called by its expression; never without "putative".
PUTATIVE: Final = "putative_tumor_reactive"
CLONE_LABELS: Final = (PUTATIVE, "other", "excluded", "untestable")
CLONE_PATTERNS: Final = (
    "tumor_singleton",
    "tumor_expanded",
    "shared",
    "dual_expanded",
    "blood_only",
)
# Sizes of clones above a single cell.
CLONE_SIZES: Final = ("small", "medium", "large", "hyperexpanded")
TRACKING_CLASSES: Final = ("novel", "lost", "expanded", "contracted", "persistent", "untestable")
