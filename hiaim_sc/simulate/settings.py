"""What a simulated cohort is made of, and what is planted in it."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Any, Literal, Self, get_args

from pydantic import Field, ValidationError, model_validator

from hiaim_sc.config import Design, Fraction, Model, Name
from hiaim_sc.errors import Fault, UserInputError

if TYPE_CHECKING:
    from collections.abc import Mapping

_NOT_DERIVED = "default_factory_not_called"  # `truth`, where another setting is wrong
Tissue = Literal["blood", "tumor"]


def _beside(values: dict[str, Any]) -> Path:
    out = Path(values.get("out", ""))
    return out.with_name(f"{out.name or 'study'}_truth")


class SimulationSettings(Model):
    """A cohort: its size, its noise, and the truth planted in it."""

    out: Path = Field(description="The study folder to write; must be new or empty.")
    truth: Path = Field(
        default_factory=_beside, description="Folder of the truth; never inside `out`."
    )
    study: Name = "simulated"
    seed: int = Field(1, ge=0, description="Same seed and settings, same bytes.")

    n_patients: int = Field(16, ge=2)
    visits: dict[Name, int] = Field(
        default_factory=lambda: {"baseline": 0, "week6": 42},
        min_length=1,
        description="Visit name: day; the first is the baseline.",
    )
    tissues: tuple[Tissue, ...] = Field(("blood", "tumor"), min_length=1)
    n_batches: int = Field(
        2,
        ge=1,
        description="A patient's samples stay in one batch; both arms are in each: at most"
        " n_patients // 2 are used.",
    )
    cells_per_library: int = Field(1500, ge=10, description="Median cells (droplets) per library.")
    cells_spread: float = Field(0.1, ge=0, description="Log-SD of the cells per library.")

    samples_per_pool: int = Field(
        1, ge=1, description="Samples (of patients of one batch) in one library, with hashtags."
    )
    pool_doublets: Fraction = Field(
        0.08, le=0.5, description="Droplets of a pool that hold two of its cells."
    )
    hashtag_signal: float = Field(150.0, gt=0, description="Mean counts of a cell's own hashtag.")
    hashtag_background: float = Field(6.0, ge=0, description="... and of each other hashtag.")

    null: bool = Field(
        default=False, description="Plant no effect of the arm, whatever the effects say."
    )
    effect_fold: float = Field(
        5.0, gt=0, description="Fold of the planted clones' frequency after the baseline."
    )
    n_planted_clones: int = Field(
        20, ge=0, le=300, description="CD8 clones that expand, per treated patient."
    )
    planted_ranks: tuple[int, int] = Field(
        (20, 400), description="Ranks, in the first tissue, between which they are planted."
    )
    nk_effect: float = Field(
        0.3, description="Log-fold of NK cells in treated patients' blood after the baseline."
    )
    vo2max_effect: float = Field(
        2.0, description="Gain of treated patients' VO2max after the baseline, ml per kg and min."
    )
    missing: Fraction = Field(0.0, description="Probability that a sample is missing.")
    swap: bool = Field(default=False, description="Swap the libraries of two patients' samples.")

    n_genes: int = Field(2000, ge=800, description="Genes; those without a name are GENE0001 ...")
    counts_per_cell: float = Field(3000.0, gt=0, description="Median counts of a resting T cell.")
    counts_spread: float = Field(0.4, ge=0, description="Log-SD of counts over cells of a type.")
    library_spread: float = Field(0.3, ge=0, description="Log-SD of depth over libraries.")
    dispersion: float = Field(0.2, gt=0, description="Negative binomial dispersion of a gene.")
    batch_spread: float = Field(0.15, ge=0, description="Log-SD of a batch's effect on a gene.")
    patient_spread: float = Field(0.1, ge=0, description="Log-SD of a patient's effect on a gene.")
    tumour_spread: float = Field(0.4, ge=0, description="The same, in the epithelial cells.")
    ambient_mean: dict[str, Fraction] = Field(
        default_factory=lambda: {"blood": 0.05, "tumor": 0.12},
        description="Mean share of ambient RNA; never above 0.5 in a library.",
    )
    empty_droplets: int = Field(
        0, ge=0, description="Empty droplets in an unfiltered matrix per library; 0: no such file."
    )
    dying_share: Fraction = Field(0.05, description="Cells with few counts, mostly mitochondrial.")
    doublet_rate_per_1000: float = Field(
        0.008, ge=0, le=0.1, description="Doublets, as a share of cells, per 1,000 cells."
    )

    fine_states: bool = Field(
        default=False,
        description="Draw the many states of T, NK and innate lymphoid cells, not broad ones.",
    )
    marker_loss: Fraction = Field(
        0.1, description="Markers that a fine state is said to have and does not express."
    )
    marker_spread: float = Field(0.3, ge=0, description="Log-SD of the others around the table.")
    state_overlap: Fraction = Field(
        0.0, description="T, NK and innate lymphoid cells on the way to another state."
    )

    n_clone_ranks: int = Field(20_000, ge=1000, description="CD8 and CD4 clones of a patient.")
    clone_exponent: float = Field(0.9, ge=0, description="Mean power-law exponent of CD8 clones.")
    clone_exponent_cd4: float = Field(0.6, ge=0, description="The same of CD4 clones.")
    clone_exponent_spread: float = Field(0.08, ge=0, description="SD of both over patients.")
    clone_drift: float = Field(
        0.5, ge=0, description="SD of a clone's log-frequency change between two visits."
    )
    shared_clones: Fraction = Field(0.3, description="Tumour clones that are also in the blood.")
    dual_alpha: Fraction = Field(0.15, description="Clones with two alpha chains.")
    public_share: Fraction = Field(0.001, description="Clones with a public CDR3 beta.")
    capture: tuple[Fraction, Fraction, Fraction] = Field(
        (0.65, 0.12, 0.05), description="T cells with both chains, beta alone, alpha alone."
    )
    stray_contigs: Fraction = Field(
        0.01, description="Cells without a receptor that show a contig of the ambient RNA."
    )

    n_antigens: int = Field(12, ge=0, le=20, description="pMHC multimers; 0 leaves them out.")
    n_controls: int = Field(4, ge=0, le=6, description="Negative-control multimers.")
    antigen_signal: float = Field(40.0, gt=0, description="Mean counts of a specific cell.")
    antigen_background: float = Field(0.8, ge=0, description="Mean counts of any other cell.")
    sticky_share: Fraction = Field(0.05, description="Cells with ten-fold background.")

    n_screens: int = Field(
        0, ge=0, description="Bulk DNA-barcode screens, of four patients' blood samples each."
    )

    @model_validator(mode="after")
    def _consistent(self) -> Self:
        self.design()
        first, last = self.planted_ranks
        if not 1 <= first <= last <= self.n_clone_ranks:
            msg = f"planted_ranks must rise from 1 to at most n_clone_ranks ({self.n_clone_ranks})"
            raise ValueError(msg)
        if self.n_planted_clones > last - first + 1:
            msg = f"only {last - first + 1} ranks stand between {first} and {last}"
            raise ValueError(msg)
        if self.samples_per_pool > 1 and self.swap:
            msg = "swap is of libraries of one sample: it needs samples_per_pool 1"
            raise ValueError(msg)
        if sum(self.capture) > 1:
            msg = "the three shares of capture must not add up to more than 1"
            raise ValueError(msg)
        if not set(self.tissues) <= set(self.ambient_mean) <= set(get_args(Tissue)):
            msg = f"ambient_mean needs a share for each of {', '.join(self.tissues)}, and no other"
            raise ValueError(msg)
        return self

    def design(self) -> Design:
        """The trial's design, as it stands in study.yaml."""
        return Design(
            arms=("control", "exercise"),
            visits=self.visits,
            tissues=self.tissues,
            strata=("treatment",),
        )


def read_settings(path: Path | None, overrides: Mapping[str, Any]) -> SimulationSettings:
    """Settings from a YAML file, where one is given, with `overrides` on top.

    Raises
    ------
    UserInputError
        With every key that is unknown or has a value that is not allowed.
    """
    content = {} if path is None else _read_yaml(path)
    source = "settings" if path is None else path.name
    try:
        return SimulationSettings.model_validate({**content, **overrides})
    except ValidationError as error:
        raise UserInputError(_to_faults(error, source)) from error


def _to_faults(error: ValidationError, source: str) -> list[Fault]:
    return [
        Fault(
            source,
            0,
            ".".join(map(str, found["loc"])),
            "" if found["type"] == "missing" or not found["loc"] else str(found["input"])[:80],
            found["msg"],
        )
        for found in error.errors()
        if found["type"] != _NOT_DERIVED
    ]


def _read_yaml(path: Path) -> dict[str, Any]:
    import yaml

    try:
        content = yaml.safe_load(path.read_text(encoding="utf-8"))
    except (OSError, UnicodeDecodeError, yaml.YAMLError) as error:
        fault = Fault(path.name, 0, "", " ".join(str(error).split()), "a YAML file of settings")
        raise UserInputError([fault]) from error
    if content is None:
        return {}
    if not isinstance(content, dict):
        fault = Fault(path.name, 0, "", str(content)[:80], "settings as `name: value`")
        raise UserInputError([fault])
    return content
