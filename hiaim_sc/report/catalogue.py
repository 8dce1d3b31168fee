"""Where each figure stands in the report, and what it shows in words."""

from __future__ import annotations

from typing import Final

from hiaim_sc.report.labels import capitalise

# file name -> section, caption. The order is that of the report; other figures come last.
FIGURES: Final = {
    "sample_flow": (
        "came_in",
        "Samples left after each step, by tissue and visit. Grey is lost at that step; the reason "
        "stands below the bar.",
    ),
    "library_qc": (
        "left_out",
        "Cell barcodes of each library, kept and left out by first reason, and its key numbers. "
        "Orange names passed with a warning, red ones were left out.",
    ),
    "identity": (
        "left_out",
        "Overlap of T cell clones between samples. Framed blocks are one patient's own samples. "
        "Red squares outside a frame are overlaps of 0.01 or more between two patients: a "
        "possible swap or contamination.",
    ),
    "umap_cell_type": (
        "cells",
        "Every cell that passed quality control, placed by gene expression and coloured by type.",
    ),
    "umap_tissue": ("cells", "The same cells by tissue."),
    "umap_batch": (
        "cells",
        "The same cells by batch. Batches should mix within a cell type.",
    ),
    "cluster_evidence_all": (
        "cells",
        "Why each cluster is called what it is: the panel's genes for the labels. A dot is as "
        "large as the share of the cluster's cells in which the gene was detected, and as dark as "
        "its mean beside the cluster that has most of it. In brackets: the cluster's number, its "
        "cells, and how many of them have the label by themselves.",
    ),
    "cluster_evidence_t_nk": (
        "cells",
        "The same for the clusters of T and NK cells among themselves, by state.",
    ),
    "reference_cell_type": (
        "cells",
        "What the model that the study brought along calls the cells of each type of the panel. "
        "The two have their own words; where they say the same, a row has one dark field.",
    ),
    "reference_cell_state": (
        "cells",
        "The same for T and NK cells, by state.",
    ),
    "open_labels": (
        "cells",
        "What the annotation leaves open, a dot per sample and the median as a line. Samples that "
        "lie apart from the others of their tissue deserve a look; this figure knows no arm.",
    ),
    "composition": (
        "cells",
        "What each sample is made of, patient by patient. Numbers: cells that passed quality "
        "control.",
    ),
    "clone_tracking": (
        "clones",
        "The eight largest clones of each patient (two cells or more) over visits. Within a "
        "patient one colour is one clone in all tissues; colours mean nothing across patients.",
    ),
    "clone_states": (
        "clones",
        "Cell types of the five largest clones of each patient, over all tissues and visits. A "
        "dot marks a putative tumour-reactive clone: one whose CD8 T cells in the tumour score "
        "high for the programme of such cells. That is no proof of what it recognises.",
    ),
    "reactive_clones": (
        "clones",
        "CD8 T cells of the blood in putative tumour-reactive clones, of those with a clone: each "
        "patient's own course (thin) and the median (thick). The clones of a patient are one set "
        "for all visits; this figure knows no arm.",
    ),
    "rank_abundance": (
        "clones",
        "Share of each clone against its rank, a line per patient and the median in black: the "
        "higher a line begins and the steeper it falls, the more cells a few clones hold.",
    ),
    "rarefaction": (
        "clones",
        "Clones that are expected among so many cells of a sample, up to all it has: samples are "
        "compared at the vertical line, and one that ends before it (red) is left out there.",
    ),
    "antigens": (
        "antigens",
        "Cells that passed quality control and were called specific, per antigen and patient.",
    ),
    "umi_separation": (
        "antigens",
        "UMIs of the called cells against the background of their multimer and their negative "
        "control. Orange names are held by many unrelated receptors: read them with care.",
    ),
    "umap_antigen": ("antigens", "The cells called, by antigen, among all that passed."),
    "bulk_dots": (
        "antigens",
        "Bulk screens: how much more frequent each dna_barcode is in a patient's samples than in "
        "the unselected pool. Coloured by HLA: responses (FDR below 0.001), larger the more "
        "frequent the cells. Grey: no response.",
    ),
    "forest": (
        "arms",
        "The comparisons that the plan puts first, with 95 % intervals. A hollow point has too few "
        "patients for a test. An interval that crosses the line is compatible with no difference.",
    ),
    "paired_lines": (
        "arms",
        "Each patient's own course (thin) and the median (thick), all patients together: this "
        "figure knows no arm. The endpoints of the gates, of composition and of measurements.",
    ),
}

# beginning of a file name -> section, caption; the rest of the name is the family or the tissue
EXPRESSION: Final = "expression_"
CLONE_PAGE: Final = "clone_tracking_"
BULK: Final = "bulk_volcano_"
_BY_NAME: Final = {
    "forest_": (
        "families",
        "{rest}: differences between arms with 95 % intervals. A hollow point has too few "
        "patients for a test.",
    ),
    "sensitivity_": (
        "families",
        "{rest}: the same comparisons at the last visit with one choice undone at a time, on "
        "the analysed scale. Blue line: as planned. Orange: on the other side of no difference. "
        "Leaving out each patient, or each batch, in turn is one row.",
    ),
    CLONE_PAGE: ("clone_pages", "Largest clones of patients {rest}, as above."),
    BULK: (
        "antigens",
        "{rest}: every dna_barcode of this bulk screen, a panel per sample. Above the line and to "
        "the right: responses.",
    ),
    EXPRESSION: (
        "expression",
        "{rest}: genes by arm at the last visit, a panel per cell type with enough cells in enough "
        "patients. Right is higher in the treated arm, up is surer; coloured genes have q below "
        "0.05. The five genes with the smallest p are named, which is no claim. Receptor, sex, "
        "ribosomal, mitochondrial, haemoglobin and dissociation genes are left out.",
    ),
}
SECTIONS: Final = (
    *dict.fromkeys(section for section, _ in FIGURES.values()),
    *dict.fromkeys(section for section, _ in _BY_NAME.values()),
    "other",
)


def find_figure(name: str) -> tuple[str, str]:
    """Section and caption of a figure by its file name."""
    if name in FIGURES:
        return FIGURES[name]
    for start, (section, caption) in _BY_NAME.items():
        if name.startswith(start):
            rest = capitalise(name.removeprefix(start).replace("_", " "))
            return section, caption.format(rest=rest)
    return "other", capitalise(name.replace("_", " ")) + "."
