"""Every stage's options."""

from __future__ import annotations

from itertools import pairwise
from typing import Annotated, Literal

from pydantic import AfterValidator, Field

from hiaim_sc.config.base import Fraction, Model, Name


def _ascending(limits: tuple[int, ...]) -> tuple[int, ...]:
    if limits[0] < 2 or any(high <= low for low, high in pairwise(limits)):
        message = "must ascend, from 2 or more cells"
        raise ValueError(message)
    return limits


class ArrivalOptions(Model):
    """When a library that is being copied counts as there. No number depends on it."""

    marker: str | None = Field(
        None,
        pattern=r"^[^/]+$",
        description="File beside a library's files that says they are complete, such as"
        " {library_id}.done; without it a row in libraries.tsv whose files are there says so.",
    )
    still_seconds: float = Field(
        60.0, ge=0, description="Files must not have changed for this long."
    )
    look_seconds: float = Field(2.0, gt=0, description="Time between two looks at the files.")
    gather_seconds: float = Field(
        3.0, ge=0, description="Time without a further arrival before a run is asked for."
    )


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
    min_cells_doublets: int = Field(50, ge=10, description="Fewer cells: receptor evidence only.")
    doublets_per_1000: float = Field(
        0.008, ge=0, description="Expected doublet rate per 1,000 recovered cells."
    )


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


class IntegrateOptions(Model):
    """Features, embedding and clusters."""

    n_top_genes: int = Field(2000, ge=10)
    n_pcs: int = Field(30, ge=2, le=200)
    n_neighbors: int = Field(15, ge=2)
    resolution: float = Field(1.0, gt=0)
    harmony: bool = Field(default=True, description="Integrate over two or more batches.")
    umap: bool = True
    seed: int = Field(0, ge=0)


class AnnotateOptions(Model):
    """From markers, clusters and receptors to cell types."""

    panel: str | None = Field(None, description="Your own marker panel (a path).")
    min_score: Fraction = Field(0.2, description="Rank score a compartment needs.")
    min_margin: Fraction = Field(0.05, description="Lead over the runner-up; less is ambiguous.")
    min_cluster_vote: Fraction = Field(0.6, description="Share of a cluster that must agree.")
    n_neighbors: int = Field(15, ge=1, description="To smooth over; at most integrate.n_neighbors.")


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
    min_depth: int = Field(100, ge=2, description="The depth m is never below this.")
    min_blood_depth: int = Field(
        300, ge=2, description="... nor is that of blood for share_bt and ctm_frac."
    )
    min_t_cells: int = Field(100, ge=2, description="T cells for simpson and the pMHC endpoints.")
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


class Options(Model):
    """Every stage's options."""

    ingest: IngestOptions = IngestOptions()
    qc: QcOptions = QcOptions()
    tcr: TcrOptions = TcrOptions()
    databases: DatabaseOptions = DatabaseOptions()
    similarity: SimilarityOptions = SimilarityOptions()
    dna_barcodes: DnaBarcodeOptions = DnaBarcodeOptions()
    bulk: BulkOptions = BulkOptions()
    hashtags: HashtagOptions = HashtagOptions()
    integrate: IntegrateOptions = IntegrateOptions()
    annotate: AnnotateOptions = AnnotateOptions()
    phenotypes: PhenotypeOptions = PhenotypeOptions()
    identity: IdentityOptions = IdentityOptions()
    compare: CompareOptions = CompareOptions()
    arrivals: ArrivalOptions = ArrivalOptions()
