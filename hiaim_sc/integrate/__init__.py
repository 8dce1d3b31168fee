"""Features, embedding and clusters of the cohort, from statistics and selected columns only."""

from hiaim_sc.integrate.embed import embed
from hiaim_sc.integrate.features import reason_to_exclude, select_features
from hiaim_sc.integrate.gather import gather_counts
from hiaim_sc.integrate.genes import summarise_genes

__all__ = [
    "embed",
    "gather_counts",
    "reason_to_exclude",
    "select_features",
    "summarise_genes",
]
