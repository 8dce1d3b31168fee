"""From cells to one number per patient, and from these to comparisons of arms."""

from hiaim_sc.compare.agreement import measure_agreement
from hiaim_sc.compare.annotation_quality import summarise_annotation
from hiaim_sc.compare.arms import compare_arms, draw_blinded_arms
from hiaim_sc.compare.cells import build_cells, label_specificity
from hiaim_sc.compare.clone_phenotypes import describe_clones
from hiaim_sc.compare.contamination import check_contamination
from hiaim_sc.compare.contrasts import Trial
from hiaim_sc.compare.endpoints import Screen, measure_endpoints, measure_variants
from hiaim_sc.compare.endpoints.clonal import choose_population, count_clones
from hiaim_sc.compare.expression import compare_expression
from hiaim_sc.compare.families import list_gates
from hiaim_sc.compare.flow import count_flow
from hiaim_sc.compare.identity import check_identity
from hiaim_sc.compare.libraries import summarise_libraries
from hiaim_sc.compare.missing import analyse_missing
from hiaim_sc.compare.power import tabulate_power
from hiaim_sc.compare.pseudobulk import sum_pseudobulks
from hiaim_sc.compare.repertoire_table import tabulate_repertoires
from hiaim_sc.compare.samples import locate_samples
from hiaim_sc.compare.sensitivity import vary_settings
from hiaim_sc.compare.specific_cells import locate_specific_cells
from hiaim_sc.compare.specificity_agreement import compare_specificity

__all__ = [
    "Screen",
    "Trial",
    "analyse_missing",
    "build_cells",
    "check_contamination",
    "check_identity",
    "choose_population",
    "compare_arms",
    "compare_expression",
    "compare_specificity",
    "count_clones",
    "count_flow",
    "describe_clones",
    "draw_blinded_arms",
    "label_specificity",
    "list_gates",
    "locate_samples",
    "locate_specific_cells",
    "measure_agreement",
    "measure_endpoints",
    "measure_variants",
    "sum_pseudobulks",
    "summarise_annotation",
    "summarise_libraries",
    "tabulate_power",
    "tabulate_repertoires",
    "vary_settings",
]
