"""Features, embedding and clusters of the cohort, from statistics and selected columns only."""

from hiaim_sc.integrate.batches import why_not_integrated
from hiaim_sc.integrate.embed import draw_cells, embed, limit_components
from hiaim_sc.integrate.features import (
    describe_features,
    reason_to_exclude,
    select_features,
)
from hiaim_sc.integrate.gather import gather_counts
from hiaim_sc.integrate.genes import summarise_genes
from hiaim_sc.integrate.markers import find_markers
from hiaim_sc.integrate.mixing import describe_integration
from hiaim_sc.integrate.one_library import cluster_library

__all__ = [
    "cluster_library",
    "describe_features",
    "describe_integration",
    "draw_cells",
    "embed",
    "find_markers",
    "gather_counts",
    "limit_components",
    "reason_to_exclude",
    "select_features",
    "summarise_genes",
    "why_not_integrated",
]
