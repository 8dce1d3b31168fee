"""How a read of a bulk DNA-barcode screen is built."""

from __future__ import annotations

from typing import Annotated

from pydantic import BeforeValidator, Field

from hiaim_sc.config.base import Model

Bases = Annotated[
    str,
    BeforeValidator(lambda bases: bases.strip().upper() if isinstance(bases, str) else bases),
    Field(pattern=r"^[ACGT]{8,32}$"),
]


class ReadLayout(Model):
    """A read from 5' to 3': sample tag, primer A, N, tag A, annealing region, tag B, N, primer B.

    Primer and tags of the B side are given as the B oligonucleotide has them: the read holds their
    reverse complements. The tags' lengths are those of their FASTA files.
    """

    primer_a: Bases = Field(description="Forward primer A, after the sample tag.")
    n_a: int = Field(6, ge=1, le=8, description="Random bases of the A side, after primer A.")
    annealing: Bases = Field(description="Where the A and the B oligonucleotide anneal.")
    n_b: int = Field(6, ge=1, le=8, description="Random bases of the B side, before primer B.")
    primer_b: Bases = Field(description="Primer B, as the B oligonucleotide has it.")
    max_shift: int = Field(
        2, ge=0, le=5, description="A part may lie this far from where the part before it ends."
    )
    max_mismatches: int = Field(
        2,
        ge=0,
        le=4,
        description="... and may differ in this many bases, or by one left out or in.",
    )
