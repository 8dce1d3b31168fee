"""Options of what is done to one library."""

from __future__ import annotations

from pydantic import Field

from hiaim_sc.config.base import Fraction, Model


class IngestOptions(Model):
    """Reading a library's files."""

    genome: str | None = Field(None, description="Which genome, where a file holds several.")
    min_join_rate: Fraction = Field(
        0.5,
        description="Least share of VDJ cell barcodes that must be GEX cell barcodes.",
    )
    min_receptor_share: Fraction = Field(
        0.5, description="Least share of contigs that must be of human TCR loci (else: wrong file)."
    )
    max_counts_empty: int = Field(
        100,
        ge=1,
        description="Droplets of gex_raw with at most this many counts, and no cell, are empty.",
    )


class QcOptions(Model):
    """Which cells count. Limits hold per library; nothing has an upper count limit."""

    min_genes: int = Field(100, ge=0, description="Fewer detected genes: low_genes.")
    min_counts: int = Field(300, ge=0, description="Fewer counts: low_counts.")
    n_mads: float = Field(
        5.0, gt=0, description="Lower limit of log1p counts and genes: median minus this many MADs."
    )
    n_mads_mt: float = Field(5.0, gt=0, description="Upper limit of pct_counts_mt, in MADs.")
    min_limit_pct_mt: float = Field(
        10.0, ge=0, le=100, description="The MAD limit on pct_counts_mt is never below this."
    )
    max_pct_mt: float = Field(25.0, ge=0, le=100, description="... and never above this.")
    min_cells_mad: int = Field(30, ge=3, description="Fewer cells: only the fixed limits.")
    doublets: bool = Field(default=True, description="Score doublets and flag them.")
    doublet_threshold: Fraction = Field(
        0.15, description="A cell is a doublet from a probability above this on."
    )
    min_cells_doublets: int = Field(50, ge=10, description="Fewer cells: receptor evidence only.")
    doublets_per_1000: float = Field(
        0.008, ge=0, description="Expected doublet rate per 1,000 recovered cells."
    )


class AmbientOptions(Model):
    """Ambient RNA taken off the counts by which all cells are embedded, clustered and parted.

    Whatever counts RNA, and the second pass, reads counts as delivered.
    """

    correct: bool = Field(default=False, description="Take it off.")
    min_fraction: Fraction = Field(
        0.02, description="Libraries with a smaller ambient_fraction stay as they are."
    )


class HashtagOptions(Model):
    """Which sample a cell of a pooled library is of."""

    feature_type: str | None = Field(
        None, description="Feature type of the hashtags. Default: any but gene expression."
    )
    min_umi: int = Field(5, ge=1, description="Fewer hashtag UMIs: of no sample.")
    min_probability: Fraction = Field(
        0.5, description="Least probability that a cell is of one sample."
    )
    expected_doublets: Fraction = Field(
        0.19, le=0.9, description="Prior probability that a cell is of two samples."
    )
