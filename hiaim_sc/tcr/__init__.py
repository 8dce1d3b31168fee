"""T-cell receptors: from contigs to cells, clones and what becomes of them."""

from hiaim_sc.tcr.clones import define_clones
from hiaim_sc.tcr.receptors import call_receptors

__all__ = ["call_receptors", "define_clones"]
