"""The tables of a release and their columns."""

from __future__ import annotations

from typing import Final

# Table name -> columns that every release has, in this order; more may follow.
RELEASE_TABLES: Final[dict[str, tuple[str, ...]]] = {
    name: tuple(columns.split())
    for name, columns in {
        "cells": (
            "library_id cell_barcode sample_id patient_id tissue visit session_phase total_counts "
            "n_genes_by_counts pct_counts_mt doublet_score qc_pass qc_reason cell_type "
            "cell_type_lineage cell_type_coarse clone_key chain_pairing"
        ),
        "clones": (
            "clone_key patient_id sample_id library_id tissue visit session_phase n_cells locus_1 "
            "junction_1 locus_2 junction_2 clone_source n_cells_qc"
        ),
        "clone_tracking": (
            "patient_id clone_key tissue visit_from visit_to n_from n_to depth_from depth_to "
            "log2_fc p_value q_value class"
        ),
        "clone_turnover": (
            "patient_id tissue visit_from visit_to class n_clones n_from n_to depth_from depth_to "
            "frac_from frac_to unseen_below"
        ),
        "clone_patterns": (
            "patient_id visit clone_key n_tumor n_blood depth_tumor depth_blood pattern"
        ),
        "repertoires": (
            "patient_id sample_id tissue visit session_phase cell_class n_cells n_clones "
            "n_singletons n_cells_small n_cells_medium n_cells_large n_cells_hyperexpanded "
            "frac_top_1 frac_top_10 frac_expanded d50 shannon clonality simpson gini hill_1 hill_2 "
            "chao1 coverage detection_limit depth hill_0_m hill_1_m hill_2_m shannon_m "
            "clonality_m gini_m expfrac_m coverage_m reason_missing"
        ),
        "clone_aliases": "old_key new_key reason",
        "sharing": "sample_id_1 sample_id_2 same_patient n_shared jaccard morisita_horn",
        "identity_checks": "sample_id library_id check statistic threshold verdict partner",
        "specificity": (
            "library_id cell_barcode clone_key dna_barcode n_umi score q_value qc_pass"
        ),
        "clone_specificity": (
            "patient_id clone_key dna_barcode peptide hla n_cells n_tested n_held n_umi "
            "concordance second entropy p_value q_value hla_match label n_called"
        ),
        "specific_cells": (
            "patient_id sample_id tissue visit session_phase dna_barcode cell_type n_cells "
            "n_clones largest_clone n_cells_of_type"
        ),
        "antigens_qc": (
            "library_id dna_barcode peptide hla is_control n_cells n_sticky_cells "
            "background_mean background_size n_held n_receptors n_receptors_stray frac_stray "
            "is_sticky n_called n_hla_mismatch"
        ),
        "bulk_responses": (
            "screen_id sample_tag patient_id dna_barcode peptide hla n_distinct log_fold_change "
            "fdr fdr_hla response estimated_frequency flags"
        ),
        "bulk_breadth": (
            "screen_id sample_id patient_id sample_tag n_screened n_responses breadth magnitude "
            "n_replicates n_inputs least_fold_change"
        ),
        "specificity_agreement": (
            "patient_id dna_barcode peptide hla n_screens bulk_response bulk_estimated_frequency "
            "n_clones n_cells pct_of_cd8 agreement"
        ),
        "bulk_samples_qc": (
            "screen_id sample_tag role sample_id patient_id n_reads n_reads_n12 n_distinct "
            "saturation"
        ),
        "bulk_screens_qc": (
            "screen_id n_reads pct_counted pct_tie pct_without_n12 saturation pct_outside_panel "
            "verdict reason"
        ),
        "libraries_qc": (
            "library_id sample_id batch n_cells_read n_cells_kept n_doublets median_counts "
            "median_genes pct_mt ambient_fraction join_rate verdict reason"
        ),
        "features": ("gene_id symbol highly_variable rank n_libraries excluded mean sd"),
        "integration_metrics": ("metric level before after n_cells n_groups reason_not_integrated"),
        "cluster_genes": "leiden gene_id symbol rank z log2_fc pct_in pct_out",
        "cluster_composition": (
            "leiden level n_cells n_groups largest share share_of_all is_dominated"
        ),
        "annotation_qc": (
            "sample_id patient_id tissue visit session_phase n_cells frac_ambiguous "
            "frac_unassigned frac_t_without_lineage frac_state_unassigned frac_overridden "
            "mean_score"
        ),
        "cluster_labels": (
            "pass clustering cluster n_cells cell_type cell_type_lineage cell_type_coarse "
            "cell_state vote state_vote frac_ambiguous frac_unassigned evidence"
        ),
        "cluster_markers": "pass cluster gene frac_detected mean_per_10k",
        "cell_type_overrides": (
            "library_id cell_barcode clustering cluster label cell_state author reason n_cells "
            "status"
        ),
        "reference_labels": (
            "library_id cell_barcode cell_type_coarse cell_type_lineage cell_type cell_state "
            "reference_label reference_score"
        ),
        "reference_agreement": (
            "level label reference_label n_cells share share_of_reference median_score"
        ),
        "reference_qc": ("library_id n_cells n_genes_model n_genes_used median_score frac_unsure"),
        "flow_of_samples": "level step arm_blind_group n_in n_out n_lost reason",
        "endpoints": (
            "patient_id sample_id tissue visit session_phase endpoint value value_analysed "
            "n_cells reason_missing"
        ),
        "comparisons": (
            "endpoint tissue visit session_phase family gate contrast n_reference n_treated "
            "estimate se df ci_low ci_high scale p_t p_perm p_adj effect_g prespecified "
            "reason_empty method blinded alpha p_missing batch_inflation"
        ),
        "sensitivity": (
            "endpoint tissue visit setting value estimate ci_low ci_high p_perm same_sign "
            "contrast family scale n_reference n_treated reason_empty blinded"
        ),
        "deviations": "when plan_hash_before plan_hash_after item reason",
        "differential_expression": (
            "gene cell_type tissue visit contrast log2_fc se p_value q_value n_reference "
            "n_treated method batch_inflation"
        ),
        "agreement": (
            "endpoint_1 endpoint_2 visit n bias loa_low loa_high r method tissue r_low r_high "
            "reason_empty"
        ),
        "missing_data": (
            "endpoint method estimate ci_low ci_high p_value delta tissue visit contrast scale "
            "n_missing n_died reason_empty blinded"
        ),
        "database_matches": ("clone_key database epitope antigen organism match_level n_cells"),
        "cell_scores": "library_id cell_barcode patient_id tissue cell_type_lineage",
        "clone_phenotypes": (
            "patient_id clone_key n_cells n_tumor n_blood n_cell_types main_cell_type main_share "
            "entropy modularity n_scored score threshold label reason"
        ),
        "similarity_clusters": "patient_id cluster clone_key n_cells n_clones metric",
        "databases": "database digest n_records n_not_human n_no_junction n_usable",
    }.items()
}

# Above it the batches of a comparison nearly follow its arms: the variance of the difference, were
# it adjusted for them, over what it is.
MAX_BATCH_INFLATION: Final = 2.0

# What the method of rows of differential_expression starts with that confirm those of another.
CONFIRMING_METHOD: Final = "PyDESeq2"
