"""HLA alleles as tables write them."""

from __future__ import annotations

from typing import Any

import pandas as pd


def split_alleles(alleles: Any) -> frozenset[str]:
    """Alleles to two fields: ``A*02:01:01`` presents what ``A*02:01`` does; pairs as pairs.

    Examples
    --------
    >>> sorted(split_alleles("B*07:02, A*02:01:01"))
    ['A*02:01', 'B*07:02']
    >>> sorted(split_alleles("DQA1*05:01:01/DQB1*02:01"))
    ['DQA1*05:01/DQB1*02:01']
    """
    if pd.isna(alleles):
        return frozenset()
    names = [name.strip() for name in str(alleles).split(",")]
    return frozenset("/".join(map(_two_fields, name.split("/"))) for name in names if name)


def _two_fields(allele: str) -> str:
    return ":".join(allele.split(":")[:2])
