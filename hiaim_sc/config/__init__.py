"""What a study may set: the models of ``study.yaml`` and of every stage's options.

Unknown keys are refused, so that a misspelt option cannot be silently ignored. The defaults are
the project's defensible choices; the reasons stand in ``docs/decisions/``.
"""

from hiaim_sc.config.base import (
    Fraction,
    Model,
    Name,
)
from hiaim_sc.config.options import (
    AmbientOptions,
    AnnotateOptions,
    ArrivalOptions,
    BulkOptions,
    CompareOptions,
    DatabaseOptions,
    DnaBarcodeOptions,
    EmbedOptions,
    HashtagOptions,
    IdentityOptions,
    IngestOptions,
    IntegrateOptions,
    Options,
    PhenotypeOptions,
    QcOptions,
    ReferenceOptions,
    SimilarityOptions,
    TcrOptions,
)
from hiaim_sc.config.plan import (
    AnalysisPlan,
    Estimand,
    MissingDataMethod,
    RegisteredPrimary,
    Setting,
)
from hiaim_sc.config.read_layout import ReadLayout
from hiaim_sc.config.study import (
    Design,
    StudyConfig,
)

__all__ = [
    "AmbientOptions",
    "AnalysisPlan",
    "AnnotateOptions",
    "ArrivalOptions",
    "BulkOptions",
    "CompareOptions",
    "DatabaseOptions",
    "Design",
    "DnaBarcodeOptions",
    "EmbedOptions",
    "Estimand",
    "Fraction",
    "HashtagOptions",
    "IdentityOptions",
    "IngestOptions",
    "IntegrateOptions",
    "MissingDataMethod",
    "Model",
    "Name",
    "Options",
    "PhenotypeOptions",
    "QcOptions",
    "ReadLayout",
    "ReferenceOptions",
    "RegisteredPrimary",
    "Setting",
    "SimilarityOptions",
    "StudyConfig",
    "TcrOptions",
]
