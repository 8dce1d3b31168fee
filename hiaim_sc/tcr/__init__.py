"""T-cell receptors: chains per cell, clones within patients, and how clones move and are shared."""

from hiaim_sc.tcr.airr import build_airr, rearrangements
from hiaim_sc.tcr.clone_table import TABULATED_COLUMNS, tabulate_clones
from hiaim_sc.tcr.clones import define_clones
from hiaim_sc.tcr.databases import match_databases, pool_databases, read_database
from hiaim_sc.tcr.patterns import pattern_clones, summarise_turnover
from hiaim_sc.tcr.pooling import pool_receptors
from hiaim_sc.tcr.receptors import RECEPTOR_COLUMNS, call_receptors
from hiaim_sc.tcr.similarity import cluster_clones, estimate_cost
from hiaim_sc.tcr.tables import alias_clones, share_clones, track_clones

__all__ = [
    "RECEPTOR_COLUMNS",
    "TABULATED_COLUMNS",
    "alias_clones",
    "build_airr",
    "call_receptors",
    "cluster_clones",
    "define_clones",
    "estimate_cost",
    "match_databases",
    "pattern_clones",
    "pool_databases",
    "pool_receptors",
    "read_database",
    "rearrangements",
    "share_clones",
    "summarise_turnover",
    "tabulate_clones",
    "track_clones",
]
