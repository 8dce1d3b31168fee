"""The analysis plan: what was decided before the arms were seen. Its defaults are complete."""

from __future__ import annotations

from typing import Literal, get_args

from pydantic import Field

from hiaim_sc.config.base import Model, Name
from hiaim_sc.names import FAMILIES

# A choice of the analysis that the sensitivity grid undoes.
Setting = Literal[
    "depth",
    "expanded from",
    "grown from",
    "rho",
    "clones",
    "T cells",
    "baseline",
    "leave one patient out",
    "leave one batch out",
]
MissingDataMethod = Literal["clda", "mi", "tipping"]


class RegisteredPrimary(Model):
    """The trial's registered primary outcome: a measurement, judged alone at its own level."""

    assay: str
    analyte: str
    unit: str
    visit: Name | None = Field(None, description="Default: the last visit of the design.")
    alpha: float = Field(0.05, gt=0, lt=1)

    @property
    def endpoint(self) -> str:
        """Its name among the endpoints."""
        return f"{self.assay}:{self.analyte}"


class Estimand(Model):
    """What a comparison estimates, attribute by attribute (ICH E9(R1)); words, frozen as such."""

    population: str = (
        "All randomised patients, as randomised; of biopsy endpoints those with a lesion that could"
        " be biopsied when they were randomised."
    )
    treatment: str = "Assignment to the treated or the reference arm, on top of the oncology given."
    variable: str = "One number per patient, tissue and visit, adjusted for its baseline value."
    intercurrent_events: str = (
        "Stopping the treatment, change of therapy: treatment policy. Death or progression before"
        " the sample: while on study; counted by reason, never imputed."
    )
    summary: str = (
        "Adjusted difference of means on the analysed scale: a ratio of geometric means (ln), an"
        " odds ratio (logit), or a difference."
    )


class AnalysisPlan(Model):
    """What was decided before the arms were seen."""

    alpha: float = Field(0.05, gt=0, lt=1, description="Family-wise level of the gates together.")
    unstratified: bool = Field(
        default=False, description="Says that patients were randomised without strata."
    )
    registered_primary: RegisteredPrimary | None = None
    estimand: Estimand = Estimand()
    primary: tuple[str, ...] = Field(
        ("n_called_m", "nexp_m"),
        description="Gate 1: our own question, in primary_tissue at the last visit, by max-T.",
    )
    primary_tissue: Name = "blood"
    key_secondary: tuple[str, ...] = Field(
        ("tum_T_frac", "tum_NK_T", "blood_tumour_dual", "pmhc_breadth"),
        description="Gate 2, at the last visit, by max-T.",
    )
    key_secondary_tissue: dict[str, Name] = Field(
        default_factory=dict,
        description="Endpoint of gate 2: its tissue. Default: a hypothesis in each that has it.",
    )
    families: dict[str, tuple[str, ...]] = Field(
        default_factory=lambda: dict(FAMILIES),
        description="Family: endpoints adjusted together; blood_* and tumour_* by tissue.",
    )
    agreement: tuple[tuple[str, str], ...] = Field(
        (("blood_nk_frac", "flow_cytometry:NK"),),
        description="Pairs: a sequenced endpoint, a measurement of the same thing in a like unit.",
    )
    exposures: tuple[str, ...] = Field(
        (), description="Measurements whose change may explain others'. Default: all of them."
    )
    responses: tuple[str, ...] = Field(
        ("blood_nk_frac", "tum_T_frac", "tum_NK_frac", "nexp_m"),
        description="Endpoints whose change is held against that of the exposures.",
    )
    sensitivity: tuple[Setting, ...] = Field(
        get_args(Setting), description="Choices that the sensitivity grid undoes."
    )
    missing_data: tuple[MissingDataMethod, ...] = Field(
        get_args(MissingDataMethod), description="Analyses of patients without a value."
    )
    joint_families: tuple[str, ...] = Field(
        ("blood_cell_types", "tumour_cell_types"),
        description="Families of shares of one whole: variances moderated, adjusted by max-T.",
    )
