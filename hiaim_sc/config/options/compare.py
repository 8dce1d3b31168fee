"""Options of the endpoints and the comparison of arms."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated

from pydantic import AfterValidator, Field

from hiaim_sc.config.base import Model, Name


def _ascending(limits: tuple[int, ...]) -> tuple[int, ...]:
    if limits[0] < 2 or any(high <= low for low, high in pairwise(limits)):
        message = "must ascend, from 2 or more cells"
        raise ValueError(message)
    return limits


class CompareOptions(Model):
    """Endpoints and the comparison of arms."""

    min_lymphocytes: int = Field(200, ge=1)
    min_cells: int = Field(300, ge=1, description="Cells a tumour fraction needs.")
    min_immune_cells: int = Field(100, ge=1, description="... and a fraction of immune cells.")
    min_typed_cells: int = Field(200, ge=1, description="Cells of known type that comp_* needs.")
    min_nk_and_t_cells: int = Field(50, ge=1, description="T and NK cells that tum_NK_T needs.")
    depth: dict[Name, Annotated[int, Field(ge=2)]] = Field(
        default_factory=dict,
        description="Tissue: depth m, fixed. By default the 10 % quantile of the samples' sizes.",
    )
    pmhc_depth: dict[Name, Annotated[int, Field(ge=2)]] = Field(
        default_factory=dict, description="... of pmhc_breadth: stained cells, not all of them."
    )
    min_depth: int = Field(100, ge=2, description="The depth m is never below this.")
    min_blood_depth: int = Field(
        300, ge=2, description="... nor is that of blood for share_bt and ctm_frac."
    )
    min_t_cells: int = Field(100, ge=2, description="T cells for simpson and pmhc_mag.")
    startrac_min_cells: int = Field(50, ge=2, description="Cells of a type, blood and tumour.")
    expanded_min_cells: int | None = Field(
        None,
        ge=2,
        description="Cells that make a clone expanded (c). Default: max(2, m / 400) at depth m.",
    )
    clone_sizes: Annotated[tuple[int, int, int, int], AfterValidator(_ascending)] = Field(
        (2, 5, 10, 20),
        description="Cells from which on a clone is small, medium, large, hyperexpanded.",
    )
    called_rho: float = Field(0.05, ge=0, lt=1)
    called_min_total: int = Field(5, ge=1)
    called_alpha: float = Field(0.05, gt=0, lt=1)
    called_draws: int = Field(50, ge=1, description="Subsamples over which n_called_m is averaged.")
    diversity_draws: int = Field(200, ge=1, description="... and clonality_m and gini_m are.")
    min_patients_per_arm: int = Field(4, ge=2, description="Fewer: estimates only, no p.")
    min_cells_pseudobulk: int = Field(10, ge=1, description="Fewer cells of a type: no genes.")
    min_patients_expression: int = Field(6, ge=2, description="Fewer patients per arm: no genes.")
    deseq2: bool = Field(
        default=False,
        description="Genes by PyDESeq2 too (extra de); seconds to minutes per cell type and visit.",
    )
    n_draws: int = Field(9999, ge=99, description="Draws of the re-randomisation test.")
    sensitivity_draws: int = Field(999, ge=99, description="... in the sensitivity grid.")
    n_imputations: int = Field(50, ge=2, description="Imputations of a missing value.")
    seed: int = Field(4263467, ge=0)
