"""Figures of a release: plain tables in, matplotlib figures out."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.report.canvas import write_figure
from hiaim_sc.report.catalogue import BULK, CLONE_PAGE, EXPRESSION
from hiaim_sc.report.figures.antigens import antigens, tabulate_antigens
from hiaim_sc.report.figures.bulk import bulk_dots, bulk_volcano
from hiaim_sc.report.figures.clone_states import clone_states, tabulate_states
from hiaim_sc.report.figures.clone_tracking import clone_tracking, page_patients
from hiaim_sc.report.figures.cluster_evidence import cluster_evidence, open_labels
from hiaim_sc.report.figures.composition import composition, tabulate_composition
from hiaim_sc.report.figures.forest import forest
from hiaim_sc.report.figures.identity import identity
from hiaim_sc.report.figures.label_agreement import label_agreement, tabulate_label_agreement
from hiaim_sc.report.figures.library_card import library_card
from hiaim_sc.report.figures.library_qc import count_cell_losses, library_qc
from hiaim_sc.report.figures.paired_lines import paired_lines
from hiaim_sc.report.figures.rank_abundance import rank_abundance
from hiaim_sc.report.figures.rarefaction import rarefaction, tabulate_rarefaction
from hiaim_sc.report.figures.sample_flow import sample_flow
from hiaim_sc.report.figures.sensitivity import sensitivity
from hiaim_sc.report.figures.specificity import umap_antigen, umi_separation
from hiaim_sc.report.figures.umap import umap
from hiaim_sc.report.figures.volcano import volcano
from hiaim_sc.report.values import settle_empty

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from anndata import AnnData
    from matplotlib.figure import Figure

__all__ = [
    "antigens",
    "bulk_dots",
    "bulk_volcano",
    "clone_states",
    "clone_tracking",
    "cluster_evidence",
    "composition",
    "draw_figures",
    "forest",
    "identity",
    "label_agreement",
    "library_card",
    "library_qc",
    "open_labels",
    "paired_lines",
    "rank_abundance",
    "rarefaction",
    "sample_flow",
    "sensitivity",
    "tabulate_points",
    "umap",
    "umap_antigen",
    "umi_separation",
    "volcano",
    "write_figure",
]


def draw_figures(
    tables: Mapping[str, pd.DataFrame],
    points: pd.DataFrame,
    *,
    tissues: Sequence[str],
    visits: Sequence[str],
) -> dict[str, Figure]:
    """Every figure of a release by its file name; none needs the arm of a patient.

    Genes by arm are drawn per tissue that has any, at the last visit.

    Parameters
    ----------
    tables
        Release tables by name.
    points
        As `tabulate_points` returns it; empty where nothing was embedded.
    tissues, visits
        In the design's order.
    """
    tables = settle_empty(tables)
    cells = tables["cells"]
    layout = {"tissues": tissues, "visits": visits}
    samples = tables["clones"][["sample_id", "patient_id", "tissue", "visit"]].drop_duplicates()
    figures = {
        "sample_flow": sample_flow(tables["flow_of_samples"]),
        "library_qc": library_qc(tables["libraries_qc"], count_cell_losses(cells)),
        "identity": identity(tables["sharing"], samples, **layout),
        "composition": composition(tabulate_composition(cells), **layout),
        **_draw_clusters(tables),
        "open_labels": open_labels(tables["annotation_qc"], **layout),
        "clone_states": clone_states(tabulate_states(tables["clone_phenotypes"], cells)),
        "reactive_clones": paired_lines(_choose_reactive(tables["endpoints"]), visits=visits),
        **_draw_clone_pages(tables["clones"], layout),
        "rank_abundance": rank_abundance(tables["clones"], **layout),
        "rarefaction": rarefaction(tabulate_rarefaction(cells, tables["repertoires"]), **layout),
        "antigens": antigens(tabulate_antigens(tables["specificity"], cells)),
        "umi_separation": umi_separation(tables["specificity"], tables["antigens_qc"]),
        "umap_antigen": umap_antigen(points, tables["specificity"]),
        "forest": forest(_choose_gates(tables["comparisons"])),
        "paired_lines": paired_lines(_choose_courses(tables), visits=visits),
    }
    for column in ("cell_type", "tissue", "batch"):
        figures[f"umap_{column}"] = umap(points, colour_by=column)
    for family, rows in tables["comparisons"].groupby("family"):
        figures[f"forest_{_as_file(family)}"] = forest(rows)
    if len(tables["bulk_responses"]):
        figures["bulk_dots"] = bulk_dots(tables["bulk_responses"])
    for screen_id, rows in tables["bulk_responses"].groupby("screen_id"):
        figures[f"{BULK}{screen_id}"] = bulk_volcano(rows)
    for family, rows in tables["sensitivity"].groupby("family"):
        figures[f"sensitivity_{_as_file(family)}"] = sensitivity(rows)
    genes = tables["differential_expression"]
    genes = genes[genes["visit"] == visits[-1]]
    for tissue in tissues:
        here = genes[genes["tissue"] == tissue]
        if len(here):
            figures[f"{EXPRESSION}{tissue}"] = volcano(here)
    return figures


def _draw_clusters(tables: Mapping[str, pd.DataFrame]) -> dict[str, Figure]:
    labels, markers = tables["cluster_labels"], tables["cluster_markers"]
    figures = {
        f"cluster_evidence_{name}": cluster_evidence(
            labels[labels["pass"] == name], markers[markers["pass"] == name]
        )
        for name in ("all", "t_nk")
    }
    agreement = tables["reference_agreement"]
    for level in ("cell_type", "cell_state") if len(agreement) else ():
        shares = tabulate_label_agreement(agreement, level)
        figures[f"reference_{level}"] = label_agreement(shares)
    return figures


def _choose_reactive(endpoints: pd.DataFrame) -> pd.DataFrame:
    return endpoints[endpoints["endpoint"] == "blood_ptr_frac"]


def _draw_clone_pages(
    clones: pd.DataFrame, layout: Mapping[str, Sequence[str]]
) -> dict[str, Figure]:
    first, *others = page_patients(clones)
    figures = {"clone_tracking": clone_tracking(clones, first, **layout)}
    for patients in others:
        name = _as_file(f"{patients[0]}_to_{patients[-1]}")
        figures[f"{CLONE_PAGE}{name}"] = clone_tracking(clones, patients, **layout)
    return figures


def _choose_gates(comparisons: pd.DataFrame) -> pd.DataFrame:
    """The gates' comparisons; all of them where the plan's gates found nothing to compare."""
    gates = comparisons[comparisons["gate"] != ""]
    return comparisons if gates.empty else gates


def _choose_courses(tables: Mapping[str, pd.DataFrame]) -> pd.DataFrame:
    """The endpoints of the gates, of composition and of measurements; all where there are none."""
    endpoints, comparisons = tables["endpoints"], tables["comparisons"]
    family = comparisons["family"].astype(str)
    is_main = (comparisons["gate"] != "") | family.str.endswith("_composition")
    main = comparisons[is_main | family.str.startswith("measurements:")]
    places = set(zip(main["endpoint"], main["tissue"].fillna(""), strict=True))
    found = zip(endpoints["endpoint"], endpoints["tissue"].fillna(""), strict=True)
    chosen = endpoints[[place in places for place in found]]
    return endpoints if chosen.empty else chosen


def _as_file(family: object) -> str:
    return re.sub(r"[^A-Za-z0-9]+", "_", str(family))


def tabulate_points(
    embedding: AnnData | None, cells: pd.DataFrame, batches: pd.Series
) -> pd.DataFrame:
    """Where each cell lies and what it is: ``umap_1 umap_2 cell_type tissue batch``.

    Parameters
    ----------
    embedding
        `obs_names` ``<library_id>_<cell_barcode>`` and `obsm["X_umap"]`; None, or without a UMAP,
        gives an empty table.
    cells
        Release table `cells`.
    batches
        library_id -> batch.
    """
    columns = ["cell_type", "tissue"]
    if embedding is None or "X_umap" not in embedding.obsm:
        return pd.DataFrame(columns=["umap_1", "umap_2", *columns, "batch"])
    kept = cells[cells["qc_pass"].astype(bool)]
    names = kept["library_id"].astype(str) + "_" + kept["cell_barcode"].astype(str)
    found = kept.set_index(names)[[*columns, "library_id"]].reindex(embedding.obs_names)
    found["batch"] = found["library_id"].map(batches)
    points = pd.DataFrame(
        embedding.obsm["X_umap"], index=embedding.obs_names, columns=["umap_1", "umap_2"]
    )
    return points.join(found.drop(columns="library_id"))
