"""Every stage's options."""

from __future__ import annotations

from hiaim_sc.config.base import Model
from hiaim_sc.config.options.arrivals import ArrivalOptions
from hiaim_sc.config.options.cohort import (
    AnnotateOptions,
    EmbedOptions,
    IdentityOptions,
    IntegrateOptions,
    PhenotypeOptions,
    ReferenceOptions,
    SecondPassOptions,
)
from hiaim_sc.config.options.compare import CompareOptions
from hiaim_sc.config.options.dna_barcodes import BulkOptions, DnaBarcodeOptions
from hiaim_sc.config.options.library import (
    AmbientOptions,
    HashtagOptions,
    IngestOptions,
    QcOptions,
)
from hiaim_sc.config.options.receptors import DatabaseOptions, SimilarityOptions, TcrOptions

__all__ = [
    "AmbientOptions",
    "AnnotateOptions",
    "ArrivalOptions",
    "BulkOptions",
    "CompareOptions",
    "DatabaseOptions",
    "DnaBarcodeOptions",
    "EmbedOptions",
    "HashtagOptions",
    "IdentityOptions",
    "IngestOptions",
    "IntegrateOptions",
    "Options",
    "PhenotypeOptions",
    "QcOptions",
    "ReferenceOptions",
    "SecondPassOptions",
    "SimilarityOptions",
    "TcrOptions",
]


class Options(Model):
    """Every stage's options."""

    ingest: IngestOptions = IngestOptions()
    qc: QcOptions = QcOptions()
    ambient: AmbientOptions = AmbientOptions()
    tcr: TcrOptions = TcrOptions()
    databases: DatabaseOptions = DatabaseOptions()
    similarity: SimilarityOptions = SimilarityOptions()
    dna_barcodes: DnaBarcodeOptions = DnaBarcodeOptions()
    bulk: BulkOptions = BulkOptions()
    hashtags: HashtagOptions = HashtagOptions()
    integrate: IntegrateOptions = IntegrateOptions()
    second_pass: SecondPassOptions = SecondPassOptions()
    annotate: AnnotateOptions = AnnotateOptions()
    reference: ReferenceOptions = ReferenceOptions()
    phenotypes: PhenotypeOptions = PhenotypeOptions()
    identity: IdentityOptions = IdentityOptions()
    compare: CompareOptions = CompareOptions()
    arrivals: ArrivalOptions = ArrivalOptions()
