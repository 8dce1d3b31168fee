"""Signs of another species than human, and of B cells, in names of genomes and genes."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

_OTHER_GENOME = re.compile(
    r"(?:^|[^a-z])(?:mm\d|GRCm|mouse|mus_|rn\d|mRatBN|Rnor|rat_|GRCz|danRer|Mmul|macFas|susScr|dm\d)",
    re.IGNORECASE,
)
_OTHER_GENE_ID = re.compile(r"ENS[A-Z]{3,4}G\d")
_MOUSE_SYMBOL = re.compile(r"[A-Z][a-z][a-z0-9-]*$")
# Functional genes that mouse has and human has not, by their IMGT names: families that human
# divides (TRBV20-1, TRBV29-1) and mouse does not, and the other way round in TRAV.
_MOUSE_V_CALL = re.compile(
    r"Tr[abdg]v"
    r"|TRBV(?:3|4|5|20|23|24|29|31)$"
    r"|TRBV(?:12-[12]|13-\d)\b"
    r"|TRAV(?:[3-7]|1[45])D?-[1-7]\b"
    r"|TRAV\d+[DN](?!V)"
)
TCR_LOCI = ("TRA", "TRB", "TRD", "TRG")
BCR_LOCI = ("IGH", "IGK", "IGL")


def is_other_genome(name: str) -> bool:
    """Whether a reference genome's name says another species than human."""
    return _OTHER_GENOME.search(name) is not None


def share_of_other_genes(ids: Sequence[str], symbols: Sequence[str]) -> float:
    """Share of genes that by Ensembl id or by the case of their symbols are not human."""
    return max(_share(ids, _OTHER_GENE_ID), _share(symbols, _MOUSE_SYMBOL))


def share_of_mouse_v_calls(v_calls: Sequence[str]) -> float:
    """Share of T-cell V genes that mouse has and human has not; alleles do not matter."""
    genes = [call.split("*")[0] for call in v_calls if call.upper().startswith("TR")]
    return _share(genes, _MOUSE_V_CALL)


def _share(names: Sequence[str], pattern: re.Pattern[str]) -> float:
    return sum(pattern.match(name) is not None for name in names) / max(len(names), 1)
