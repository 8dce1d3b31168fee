"""What each cell is, from a marker panel, its neighbours, its cluster and its receptor."""

from hiaim_sc.annotate.cells import LYMPHOCYTES, annotate_cells, annotate_compartments
from hiaim_sc.annotate.clusters import describe_clusters
from hiaim_sc.annotate.overrides import apply_overrides
from hiaim_sc.annotate.panel import panel_genes, read_panel, without_signatures
from hiaim_sc.annotate.signatures import read_signatures, score_signatures

__all__ = [
    "LYMPHOCYTES",
    "annotate_cells",
    "annotate_compartments",
    "apply_overrides",
    "describe_clusters",
    "panel_genes",
    "read_panel",
    "read_signatures",
    "score_signatures",
    "without_signatures",
]
