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
    from collections.abc import Iterator, Mapping, Sequence

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

type _Layout = Mapping[str, Sequence[str]]


def draw_figures(
    tables: Mapping[str, pd.DataFrame],
    points: pd.DataFrame,
    *,
    tissues: Sequence[str],
    visits: Sequence[str],
) -> Iterator[tuple[str, Figure]]:
    """Every figure of a release after its file name; none needs the arm of a patient.

    Each is drawn when it is asked for, so that no more than one need be held. Genes by arm are
    drawn per tissue that has any, at the last visit.

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
    layout = {"tissues": tissues, "visits": visits}
    yield from _draw_cells(tables, points, layout)
    yield from _draw_clones(tables, layout)
    yield from _draw_antigens(tables, points)
    yield from _draw_arms(tables, layout)


def _draw_cells(
    tables: Mapping[str, pd.DataFrame], points: pd.DataFrame, layout: _Layout
) -> Iterator[tuple[str, Figure]]:
    cells = tables["cells"]
    samples = tables["clones"][["sample_id", "patient_id", "tissue", "visit"]].drop_duplicates()
    yield "sample_flow", sample_flow(tables["flow_of_samples"])
    yield "library_qc", library_qc(tables["libraries_qc"], count_cell_losses(cells))
    yield "identity", identity(tables["sharing"], samples, **layout)
    yield "composition", composition(tabulate_composition(cells), **layout)
    labels, markers = tables["cluster_labels"], tables["cluster_markers"]
    for name in ("all", "t_nk"):
        chosen = (table[table["pass"] == name] for table in (labels, markers))
        yield f"cluster_evidence_{name}", cluster_evidence(*chosen)
    agreement = tables["reference_agreement"]
    for level in ("cell_type", "cell_state") if len(agreement) else ():
        shares = tabulate_label_agreement(agreement, level)
        yield f"reference_{level}", label_agreement(shares)
    yield "open_labels", open_labels(tables["annotation_qc"], **layout)
    for column in ("cell_type", "tissue", "batch"):
        yield f"umap_{column}", umap(points, colour_by=column)


def _draw_clones(
    tables: Mapping[str, pd.DataFrame], layout: _Layout
) -> Iterator[tuple[str, Figure]]:
    cells, clones = tables["cells"], tables["clones"]
    reactive = _choose_reactive(tables["endpoints"])
    first, *others = page_patients(clones)
    yield "clone_states", clone_states(tabulate_states(tables["clone_phenotypes"], cells))
    yield "reactive_clones", paired_lines(reactive, visits=layout["visits"])
    yield "clone_tracking", clone_tracking(clones, first, **layout)
    for patients in others:
        name = _as_file(f"{patients[0]}_to_{patients[-1]}")
        yield f"{CLONE_PAGE}{name}", clone_tracking(clones, patients, **layout)
    yield "rank_abundance", rank_abundance(clones, **layout)
    yield "rarefaction", rarefaction(tabulate_rarefaction(cells, tables["repertoires"]), **layout)


def _draw_antigens(
    tables: Mapping[str, pd.DataFrame], points: pd.DataFrame
) -> Iterator[tuple[str, Figure]]:
    specificity, responses = tables["specificity"], tables["bulk_responses"]
    yield "antigens", antigens(tabulate_antigens(specificity, tables["cells"]))
    yield "umi_separation", umi_separation(specificity, tables["antigens_qc"])
    yield "umap_antigen", umap_antigen(points, specificity)
    if len(responses):
        yield "bulk_dots", bulk_dots(responses)
    for screen_id, rows in responses.groupby("screen_id"):
        yield f"{BULK}{screen_id}", bulk_volcano(rows)


def _draw_arms(tables: Mapping[str, pd.DataFrame], layout: _Layout) -> Iterator[tuple[str, Figure]]:
    visits = layout["visits"]
    yield "forest", forest(_choose_gates(tables["comparisons"]))
    yield "paired_lines", paired_lines(_choose_courses(tables), visits=visits)
    for family, rows in tables["comparisons"].groupby("family"):
        yield f"forest_{_as_file(family)}", forest(rows)
    for family, rows in tables["sensitivity"].groupby("family"):
        yield f"sensitivity_{_as_file(family)}", sensitivity(rows)
    genes = tables["differential_expression"]
    genes = genes[genes["visit"] == visits[-1]]
    for tissue in layout["tissues"]:
        here = genes[genes["tissue"] == tissue]
        if len(here):
            yield f"{EXPRESSION}{tissue}", volcano(here)


def _choose_reactive(endpoints: pd.DataFrame) -> pd.DataFrame:
    return endpoints[endpoints["endpoint"] == "blood_ptr_frac"]


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
