"""Whether a patient has the HLA that a record's receptor was found with."""

from __future__ import annotations

import re
from typing import Final

import pandas as pd

_ALLELE: Final = re.compile(
    r"(?<![A-Z0-9])(?P<locus>A|B|C|E|F|G|DRA1?|DRB[1-9]?|DQA1?|DQB1?|DPA1?|DPB1?)\*(?P<fields>\d+(?::\d+)*)"
)
_SEROTYPE: Final = re.compile(r"HLA-?(?P<locus>A|B)(?P<group>\d{1,2})(?!\d|\*)")
_SPELT: Final = {
    "DRA1": "DRA",
    "DRB": "DRB1",
    "DQA": "DQA1",
    "DQB": "DQB1",
    "DPA": "DPA1",
    "DPB": "DPB1",
}
# of the two chains of class II this one hardly varies
_INVARIANT: Final = "DRA"


def agree_hla(patient: str | None, record: str | None) -> str:
    """``yes``, ``no`` or ``unknown``: does a patient have a record's HLA?

    Alleles are compared as far as both are given. Of the record's loci all that the patient is
    typed at must agree; ``unknown`` where there is none. Several alleles of a locus are
    alternatives. A serotype (``HLA-A2``) can agree, but not contradict.

    Parameters
    ----------
    patient
        Alleles, separated by commas: ``A*02:01, B*07:02``.
    record
        As the database writes it: ``HLA-A*02:01, B2M``.
    """
    typed, wanted = _read(patient), _read(record)
    shared = [locus for locus in wanted if locus in typed and locus != _INVARIANT]
    if shared:
        agrees = all(_any_same(typed[locus], wanted[locus]) for locus in shared)
        return "yes" if agrees else "no"
    groups = _SEROTYPE.findall("" if pd.isna(record) else str(record).upper())
    has_group = any(_any_same(typed.get(locus, ()), [(group.zfill(2),)]) for locus, group in groups)
    return "yes" if has_group else "unknown"


def _read(text: str | None) -> dict[str, list[tuple[str, ...]]]:
    """Fields of the alleles by locus."""
    found: dict[str, list[tuple[str, ...]]] = {}
    for match in _ALLELE.finditer("" if pd.isna(text) else str(text).upper()):
        locus = _SPELT.get(match["locus"], match["locus"])
        found.setdefault(locus, []).append(tuple(match["fields"].split(":")))
    return found


def _any_same(typed: list[tuple[str, ...]] | tuple[()], wanted: list[tuple[str, ...]]) -> bool:
    return any(a[: len(b)] == b[: len(a)] for a in typed for b in wanted)
