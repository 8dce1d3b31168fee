"""Statistics of patients and clones: arrays in, numbers or frozen results out.

Impossible input (lengths that differ, negative counts, an arm that is not 0 or 1) is a
`ValueError`; a value that is not defined is NaN. Arrays are matched by position. Nothing here knows
what a cell is.
"""

from hiaim_sc.stats.clone_sizes import (
    cells_by_clone_size,
    d50,
    expanded_from,
    share_by_clone_frequency,
    top_fraction,
)
from hiaim_sc.stats.clones import CloneChange, FisherChange, clone_change_test, fisher_clone_test
from hiaim_sc.stats.composition import clr, empirical_logit
from hiaim_sc.stats.counts import log_cpm, variance_trend
from hiaim_sc.stats.detection import cells_to_detect, chance_unseen, detection_limit
from hiaim_sc.stats.diversity import (
    chao1,
    clonality,
    coverage,
    gini,
    hill_number,
    pielou_evenness,
    shannon_entropy,
    simpson_unbiased,
)
from hiaim_sc.stats.effects import HodgesLehmann, hedges_g, hodges_lehmann
from hiaim_sc.stats.exact_counts import CountComparison, exact_count_test
from hiaim_sc.stats.imputation import MultipleImputation, multiple_imputation, tipping_point
from hiaim_sc.stats.inflation import variance_inflation
from hiaim_sc.stats.library_factors import tmm_factors
from hiaim_sc.stats.linear import Ancova, Estimability, ancova, estimable
from hiaim_sc.stats.mixed import ConstrainedLda, constrained_lda
from hiaim_sc.stats.moderated import ModeratedT, VariancePrior, moderated_t, squeeze_variances
from hiaim_sc.stats.multiplicity import benjamini_hochberg, holm
from hiaim_sc.stats.overlap import (
    bhattacharyya,
    cosine_similarity,
    frequency_overlap,
    jaccard,
    jensen_shannon,
    morisita_horn,
    overlap_coefficient,
    shared_cell_fraction,
    sorensen,
    weighted_jaccard,
)
from hiaim_sc.stats.permutation import MaxT, Rerandomisation, max_t, rerandomisation_test
from hiaim_sc.stats.power import BlindedSpread, blinded_spread, detectable_effect
from hiaim_sc.stats.rarefaction import (
    rarefied_coverage,
    rarefied_expanded_clones,
    rarefied_expanded_fraction,
    rarefied_richness,
    rarefied_shannon,
    subsample_counts,
)
from hiaim_sc.stats.startrac import (
    pairwise_migration,
    pairwise_transition,
    startrac,
    tissue_preference,
)

__all__ = [
    "Ancova",
    "BlindedSpread",
    "CloneChange",
    "ConstrainedLda",
    "CountComparison",
    "Estimability",
    "FisherChange",
    "HodgesLehmann",
    "MaxT",
    "ModeratedT",
    "MultipleImputation",
    "Rerandomisation",
    "VariancePrior",
    "ancova",
    "benjamini_hochberg",
    "bhattacharyya",
    "blinded_spread",
    "cells_by_clone_size",
    "cells_to_detect",
    "chance_unseen",
    "chao1",
    "clonality",
    "clone_change_test",
    "clr",
    "constrained_lda",
    "cosine_similarity",
    "coverage",
    "d50",
    "detectable_effect",
    "detection_limit",
    "empirical_logit",
    "estimable",
    "exact_count_test",
    "expanded_from",
    "fisher_clone_test",
    "frequency_overlap",
    "gini",
    "hedges_g",
    "hill_number",
    "hodges_lehmann",
    "holm",
    "jaccard",
    "jensen_shannon",
    "log_cpm",
    "max_t",
    "moderated_t",
    "morisita_horn",
    "multiple_imputation",
    "overlap_coefficient",
    "pairwise_migration",
    "pairwise_transition",
    "pielou_evenness",
    "rarefied_coverage",
    "rarefied_expanded_clones",
    "rarefied_expanded_fraction",
    "rarefied_richness",
    "rarefied_shannon",
    "rerandomisation_test",
    "shannon_entropy",
    "share_by_clone_frequency",
    "shared_cell_fraction",
    "simpson_unbiased",
    "sorensen",
    "squeeze_variances",
    "startrac",
    "subsample_counts",
    "tipping_point",
    "tissue_preference",
    "tmm_factors",
    "top_fraction",
    "variance_inflation",
    "variance_trend",
    "weighted_jaccard",
]
