"""Genes that several stages speak of: haemoglobin, dissociation, the cell cycle, sex."""

from __future__ import annotations

import csv
from functools import cache
from importlib.resources import files
from typing import Final

GENE_SETS: Final = ("haemoglobin", "dissociation", "s_phase", "g2m_phase", "female", "male")


@cache
def gene_set(name: str) -> frozenset[str]:
    """Symbols of one of `GENE_SETS`, from the packaged table that names their sources.

    A gene that was renamed stands there under both symbols.

    >>> "HBB" in gene_set("haemoglobin"), "MKI67" in gene_set("g2m_phase")
    (True, True)
    """
    with (files("hiaim_sc.names") / "gene_sets.tsv").open(encoding="utf-8") as file:
        rows = csv.DictReader(file, delimiter="\t")
        return frozenset(row["gene"] for row in rows if row["gene_set"] == name)
