"""Options of receptors, clones and what they may recognise."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hiaim_sc.config.base import Fraction, Model


class TcrOptions(Model):
    """What a clone is."""

    require_gex: bool = Field(default=True, description="Receptor cells must be GEX cells.")
    dual_ir: Literal["primary_only", "any", "all"] = "any"
    same_v_gene: bool = True
    orphan_rescue: bool = Field(
        default=True,
        description="A cell with VDJ chains only joins its patient's one clone with that chain.",
    )
    min_umis: int = Field(
        0, ge=0, description="A chain with fewer UMIs does not count; 2 guards against ambient RNA."
    )
    tracking_rho: float = Field(0.05, ge=0, lt=1, description="Overdispersion of the clone test.")
    tracking_min_total: int = Field(8, ge=1, description="Cells over both visits to be tested.")
    tracking_max_q_value: Fraction = Field(
        0.05, description="Expanded or contracted at this false discovery rate."
    )


class DatabaseOptions(Model):
    """Databases of receptors with known antigens that clones are held against."""

    files: tuple[str, ...] = Field(
        (), description="VDJdb, IEDB or McPAS-TCR files (paths); nothing is downloaded."
    )
    similar: bool = Field(
        default=True, description="Also match beta chains of one V gene that differ in one place."
    )


class SimilarityOptions(Model):
    """Clusters of clones with nearly the same receptor."""

    metric: Literal["off", "hamming", "tcrdist"] = "off"
    cutoff: int | None = Field(
        None, ge=0, le=254, description="Largest distance. Default: hamming 1, tcrdist 15."
    )
    arms: Literal["all", "VDJ"] = Field("all", description="Chains that must be near.")
    scope: Literal["patient", "expanded"] = Field(
        "patient", description="All clones within each patient, or expanded ones of all patients."
    )
    expanded_min_cells: int = Field(2, ge=2, description="Cells that make a clone expanded here.")
    max_pairs: int = Field(
        5_000_000_000, ge=1, description="A run that would compare more pairs is refused."
    )
    n_jobs: int = Field(1, ge=1, description="Threads.")
