"""One spelling for each HLA or H-2 allele."""

from __future__ import annotations

import re
from typing import Final

_HUMAN: Final = re.compile(
    r"(?:HLA[- ]?)?(A|B|C|E|F|G|DRA|DRB[1-9]|DQA1|DQB1|DPA1|DPB1|MICA|MICB)[*_-]?"
    r"(?:(\d{2,3}):(\d{2,3})|(\d{2})(\d{2,3}))((?::\d{2,3}){0,2}[NLSCAQ]?)"
)
_MOUSE: Final = re.compile(r"H-?2-?(I-?[AE]|[KDL])-?\^?\(?([a-z][0-9a-z]?)\)?")


def standard_allele(text: str) -> str:
    """The allele as ``A*02:01`` or ``H2-Ld``; what is neither stays as it is.

    Examples
    --------
    >>> [standard_allele(text) for text in ("HLA-A*02:01", "A0201", "H-2Ld", "pool 1")]
    ['A*02:01', 'A*02:01', 'H2-Ld', 'pool 1']
    """
    words = text.strip()
    if found := _HUMAN.fullmatch(words):
        gene, first, second, first_bare, second_bare, rest = found.groups()
        return f"{gene}*{first or first_bare}:{second or second_bare}{rest}"
    if found := _MOUSE.fullmatch(words):
        return f"H2-{found[1].replace('-', '')}{found[2]}"
    return words
