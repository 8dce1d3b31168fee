"""Options of pMHC multimers, in single cells and in bulk."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from hiaim_sc.config.base import Fraction, Model


class DnaBarcodeOptions(Model):
    """Calls of pMHC specificity in single cells."""

    feature_type: str = Field("Antigen Capture", description="Feature type of the pMHC barcodes.")
    method: Literal["background", "itrap"] = Field(
        "background",
        description="Cells against the background and with their clone, or by thresholds that"
        " clones of ten cells choose.",
    )
    min_umi: int = Field(
        10, ge=1, description="UMIs that are no evidence: a cell's own call needs as many."
    )
    max_q_value: Fraction = Field(
        0.05, description="False discovery rate of each antigen's cells, and of the clones."
    )
    min_score: float = Field(75.0, ge=0, le=100, description="BEAM-T score for a cell's own call.")
    min_dominance: float = Field(
        2.0,
        ge=1,
        description="Or: UMIs over those of the negative control, where the corrected score is 1.",
    )
    max_p_held: float = Field(
        0.05, gt=0, le=0.5, description="A cell holds what its background has this rarely."
    )
    max_frac_held: Fraction = Field(
        0.25, description="A cell that holds more of the panel (and more than three) is sticky."
    )
    require_pair: bool = Field(
        default=True,
        description="A cell's own call needs both chains of a receptor (where V(D)J is there).",
    )
    hla_mismatch: Literal["exclude", "keep"] = Field(
        "exclude", description="What becomes of antigens that the patient's HLA does not present."
    )
    min_umi_clone: int = Field(
        3, ge=1, description="UMIs for the call of a cell whose clone is labelled."
    )
    min_concordance: Fraction = Field(
        0.5, description="Share of a clone's cells that must hold what the clone is labelled for."
    )
    max_second: Fraction = Field(0.25, description="... and that may hold another antigen.")


class BulkOptions(Model):
    """Bulk screens with DNA-barcoded pMHC multimers. Only the first three move a response."""

    collapse_n12: bool = Field(
        default=False,
        description="Take N12 together that one wrong base explains; published: as they are.",
    )
    dispersion: float = Field(0.1, gt=0, description="Of the exact test; fixed.")
    max_fdr: float = Field(0.001, gt=0, lt=1, description="A response is below, with log2 FC > 0.")
    min_log2_fc: float = Field(2.0, ge=0, description="A response with less is flagged.")
    min_count_fraction: Fraction = Field(
        0.001, description="A response with a smaller share of its sample's molecules is flagged."
    )
    min_input_count: float = Field(
        10.0, ge=0, description="Fewer molecules in the mean input: flagged."
    )
    min_saturation: Fraction = Field(
        0.3, description="A sample whose reads found new molecules more often is flagged."
    )
