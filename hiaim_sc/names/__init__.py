"""The words of the project: column names, closed vocabularies and the tables of a release.

Every name that two modules share stands here once. What the words mean is in ``docs/glossary.md``.
"""

from hiaim_sc.names.cells import (
    CELL_CLASSES,
    CELL_TYPES_COARSE,
    COARSE_OF_CELL_TYPE,
    LABEL_LEVELS,
    OPEN_LABELS,
    QC_REASONS,
    T_LINEAGES,
)
from hiaim_sc.names.clones import (
    CHAIN_PAIRINGS,
    CLONE_LABELS,
    CLONE_PATTERNS,
    CLONE_SIZES,
    CLONE_SOURCES,
    MATCH_LEVELS,
    PAIRED_CHAINS,
    PUTATIVE,
    STRONG_MATCH_LEVELS,
    TRACKING_CLASSES,
)
from hiaim_sc.names.endpoints import (
    COMPOSITION,
    ENDPOINTS,
    FAMILIES,
    STARTRAC,
    STARTRAC_INDICES,
    T_CLUSTERS,
)
from hiaim_sc.names.inputs import (
    CONTIG_COLUMNS,
    CONTIG_FIELDS,
    CONTIG_REASONS,
    LIBRARY_STATES,
    LIBRARY_VERDICTS,
    REASONS_MISSING,
    SAMPLE_STATUSES,
    SESSION_PHASES,
)
from hiaim_sc.names.release import (
    CONFIRMING_METHOD,
    MAX_BATCH_INFLATION,
    RELEASE_TABLES,
)
from hiaim_sc.names.screens import BULK_FLAGS, BULK_RESPONSE_FLAGS

__all__ = [
    "BULK_FLAGS",
    "BULK_RESPONSE_FLAGS",
    "CELL_CLASSES",
    "CELL_TYPES_COARSE",
    "CHAIN_PAIRINGS",
    "CLONE_LABELS",
    "CLONE_PATTERNS",
    "CLONE_SIZES",
    "CLONE_SOURCES",
    "COARSE_OF_CELL_TYPE",
    "COMPOSITION",
    "CONFIRMING_METHOD",
    "CONTIG_COLUMNS",
    "CONTIG_FIELDS",
    "CONTIG_REASONS",
    "ENDPOINTS",
    "FAMILIES",
    "LABEL_LEVELS",
    "LIBRARY_STATES",
    "LIBRARY_VERDICTS",
    "MATCH_LEVELS",
    "MAX_BATCH_INFLATION",
    "OPEN_LABELS",
    "PAIRED_CHAINS",
    "PUTATIVE",
    "QC_REASONS",
    "REASONS_MISSING",
    "RELEASE_TABLES",
    "SAMPLE_STATUSES",
    "SESSION_PHASES",
    "STARTRAC",
    "STARTRAC_INDICES",
    "STRONG_MATCH_LEVELS",
    "TRACKING_CLASSES",
    "T_CLUSTERS",
    "T_LINEAGES",
]
