"""Options of all libraries together."""

from __future__ import annotations

from typing import Annotated, Literal, Self

from pydantic import Field, model_validator

from hiaim_sc.config.base import Fraction, Model, Name


class EmbedOptions(Model):
    """From features to clusters."""

    n_top_genes: int = Field(2000, ge=10)
    n_pcs: int = Field(30, ge=2, le=200)
    n_neighbors: int = Field(15, ge=2)
    resolution: float = Field(1.0, gt=0)
    harmony: bool = Field(default=True, description="Integrate over two or more batches.")
    seed: int = Field(0, ge=0)


class IntegrateOptions(EmbedOptions):
    """Features, embedding and clusters of all cells."""

    umap: bool = Field(default=True, description="Draw one. No result rests on it.")
    dominated_share: Fraction = Field(
        0.8, description="Share of a cluster from which one patient or batch dominates it."
    )


class AnnotateOptions(Model):
    """From markers, clusters and receptors to cell types."""

    panel: str | None = Field(None, description="Your own marker panel (a path).")
    min_score: Fraction = Field(0.2, description="Rank score a compartment needs.")
    min_margin: Fraction = Field(0.05, description="Lead over the runner-up; less is ambiguous.")
    min_cluster_vote: Fraction = Field(0.6, description="Share of a cluster that must agree.")
    n_neighbors: int = Field(15, ge=1, description="To smooth over; at most integrate.n_neighbors.")
    min_lineage_confidence: Fraction = Field(
        2 / 3, description="Probability that a lineage of T needs; a cell with less is just T."
    )
    min_state_confidence: Fraction = Field(
        0.5, description="Probability that a state of T and NK cells needs."
    )


class SecondPassOptions(EmbedOptions):
    """The same among T and NK cells alone: their states do not part among all cells."""

    n_top_genes: int = Field(1500, ge=10)
    resolution: float = Field(2.0, gt=0)


class ReferenceOptions(Model):
    """Labels carried over from a CellTypist model of your own, beside the panel's."""

    model: str | None = Field(
        None, description="The file that CellTypist wrote, .pkl (a path); none: no such labels."
    )
    sha256: Annotated[str, Field(pattern=r"^[0-9A-Fa-f]{64}$")] | None = Field(
        None, description="Digest that the file must have, as sha256sum prints it."
    )
    min_genes: Fraction = Field(
        0.5, description="Share of the model's genes that every library must have."
    )

    @model_validator(mode="after")
    def _with_digest(self) -> Self:
        if (self.model is None) != (self.sha256 is None):
            msg = "model and sha256 come together: the digest is what sha256sum prints of the file"
            raise ValueError(msg)
        return self


class PhenotypeOptions(Model):
    """The states that a clone spans, and which clones may be tumour-reactive."""

    min_cells: int = Field(3, ge=2, description="Cells with expression that a clone needs.")
    min_tumor_cells: int = Field(3, ge=1, description="... and scored CD8 T cells in the tumour.")
    score: Name = Field("mana_proxy", description="The signature that decides.")
    threshold: Literal["percentile", "otsu"] = Field(
        "percentile",
        description="Per patient: percentile of tumour cells whose clone has one cell, or Otsu's.",
    )
    percentile: float = Field(95.0, gt=0, lt=100)
    min_reference_cells: int = Field(20, ge=2, description="Cells that the threshold needs.")
    signatures: str | None = Field(
        None, description="Your own signatures of tumour-reactive T cells (a path)."
    )
    gene_lists: dict[Name, str] = Field(
        default_factory=dict,
        description="Further signatures, scored by rank: name and file (a gene in each line).",
    )


class IdentityOptions(Model):
    """Is each sample of the patient it is said to be of?"""

    max_foreign_overlap: Fraction = Field(
        0.01, description="Morisita-Horn overlap with another patient's sample above this fails."
    )
    min_swap_share: Fraction = Field(
        0.05,
        description="Share of a sample's cells with receptors of the patient it is taken to be of"
        " below this: a warning, not a swap.",
    )
    max_foreign_cells: Fraction = Field(
        0.0005,
        description="Share of a library's receptor cells that stand in another library too, above"
        " this and beyond chance: contamination.",
    )
    min_cells: int = Field(50, ge=1, description="Fewer receptor cells: not judged.")
