"""Statistics of patients and clones: arrays in, numbers or frozen results out.

Impossible input (lengths that differ, negative counts, an arm that is not 0 or 1) is a
`ValueError`; a value that is not defined is NaN. Arrays are matched by position. Nothing here knows
what a cell is.
"""

from hiaim_sc.stats.clones import CloneChange, clone_change_test
from hiaim_sc.stats.composition import clr, empirical_logit
from hiaim_sc.stats.counts import log_cpm, variance_trend
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
from hiaim_sc.stats.imputation import MultipleImputation, multiple_imputation, tipping_point
from hiaim_sc.stats.linear import Ancova, Estimability, ancova, estimable
from hiaim_sc.stats.mixed import ConstrainedLda, constrained_lda
from hiaim_sc.stats.moderated import ModeratedT, VariancePrior, moderated_t, squeeze_variances
from hiaim_sc.stats.multiplicity import benjamini_hochberg, holm
from hiaim_sc.stats.overlap import jaccard, morisita_horn
from hiaim_sc.stats.permutation import MaxT, Rerandomisation, max_t, rerandomisation_test
from hiaim_sc.stats.power import BlindedSpread, blinded_spread, detectable_effect
from hiaim_sc.stats.rarefaction import (
    rarefied_expanded_clones,
    rarefied_expanded_fraction,
    rarefied_richness,
    rarefied_shannon,
    subsample_counts,
)
from hiaim_sc.stats.startrac import pairwise_migration, pairwise_transition, startrac

__all__ = [
    "Ancova",
    "BlindedSpread",
    "CloneChange",
    "ConstrainedLda",
    "Estimability",
    "HodgesLehmann",
    "MaxT",
    "ModeratedT",
    "MultipleImputation",
    "Rerandomisation",
    "VariancePrior",
    "ancova",
    "benjamini_hochberg",
    "blinded_spread",
    "chao1",
    "clonality",
    "clone_change_test",
    "clr",
    "constrained_lda",
    "coverage",
    "detectable_effect",
    "empirical_logit",
    "estimable",
    "gini",
    "hedges_g",
    "hill_number",
    "hodges_lehmann",
    "holm",
    "jaccard",
    "log_cpm",
    "max_t",
    "moderated_t",
    "morisita_horn",
    "multiple_imputation",
    "pairwise_migration",
    "pairwise_transition",
    "pielou_evenness",
    "rarefied_expanded_clones",
    "rarefied_expanded_fraction",
    "rarefied_richness",
    "rarefied_shannon",
    "rerandomisation_test",
    "shannon_entropy",
    "simpson_unbiased",
    "squeeze_variances",
    "startrac",
    "subsample_counts",
    "tipping_point",
    "variance_trend",
]
