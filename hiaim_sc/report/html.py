"""The report: one HTML file that needs no server, no network and no script."""

from __future__ import annotations

import base64
from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING, Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined

from hiaim_sc.report import annotation_views, arm_views, clone_views, screens, sentences, views
from hiaim_sc.report.ambient import describe_correction
from hiaim_sc.report.batches import describe_batches
from hiaim_sc.report.catalogue import FIGURES, SECTIONS, find_figure
from hiaim_sc.report.expression import describe_expression, view_expression
from hiaim_sc.report.formats import format_amount, format_count, format_percent
from hiaim_sc.report.gates import GATES, describe_gates
from hiaim_sc.report.integration import describe_mixing, view_dominated
from hiaim_sc.report.mobilisation import describe_mobilisation
from hiaim_sc.report.reference import describe_reference, view_reference
from hiaim_sc.report.summary import ReleaseCounts, count_release
from hiaim_sc.report.values import settle_empty

if TYPE_CHECKING:
    from collections.abc import Mapping

    import pandas as pd

_PERCENT_OF_CELLS: Final = "{kept} of {read} cell barcodes ({share}) passed quality control."


@dataclass(frozen=True)
class ReportData:
    """All that the report shows.

    Attributes
    ----------
    study, release_id, made_on
        For the header; `made_on` is shown as it is.
    blinded
        Whether the arm labels are random.
    tables
        Every table of ``names.RELEASE_TABLES``.
    figures
        As SVG, by file name; those of `FIGURES` stand in their section, others at the end.
    gates
        Endpoints that the plan names for each gate.
    facts
        Name -> value for "Methods and versions": code version, digests, seeds, what was reused.
    versions
        Library -> version.
    config_text
        The settings in force, as YAML.
    """

    study: str
    release_id: str
    made_on: str
    blinded: bool
    tables: Mapping[str, pd.DataFrame]
    figures: Mapping[str, bytes]
    gates: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    facts: Mapping[str, str] = field(default_factory=dict)
    versions: Mapping[str, str] = field(default_factory=dict)
    config_text: str = ""


def render_report(release: ReportData) -> str:
    """The report as one HTML document; pictures and style are inside it.

    Parameters
    ----------
    release
        Tables, figures and what is known of the run.
    """
    release = replace(release, tables=settle_empty(release.tables))
    environment = Environment(
        loader=PackageLoader("hiaim_sc.report"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = environment.get_template("report.html.j2")
    counts = count_release(release.tables)
    return template.render(
        release=release,
        tiles=_tiles(counts, release.tables),
        first_screen=_first_screen(counts, release),
        statements=_statements(release.tables["comparisons"]),
        mobilisation=describe_mobilisation(release.tables["endpoints"]),
        mixing=[
            *describe_correction(release.tables["libraries_qc"]),
            *describe_mixing(
                release.tables["integration_metrics"], release.tables["cluster_composition"]
            ),
        ],
        reference=describe_reference(release.tables),
        genes=describe_expression(release.tables["differential_expression"]),
        screens=screens.describe_screens(release.tables),
        figures=_place_figures(release.figures),
        views=_place_views(release),
    )


def _tiles(counts: ReleaseCounts, tables: Mapping[str, pd.DataFrame]) -> list[tuple[str, str]]:
    """Number and what it counts, for the head of the first screen."""
    used = counts.n_libraries - counts.n_quarantined
    n_tested = int(tables["comparisons"]["p_perm"].notna().sum())
    return [
        (format_count(counts.n_patients), "patients"),
        (
            f"{format_count(counts.n_samples_used)} of {format_count(counts.n_samples_expected)}",
            "expected samples with data",
        ),
        (f"{format_count(used)} of {format_count(counts.n_libraries)}", "libraries used"),
        (format_count(counts.n_cells_kept), "cells used"),
        (format_count(counts.n_clones), "T cell clones"),
        (format_count(n_tested), "comparisons tested"),
    ]


def _first_screen(counts: ReleaseCounts, release: ReportData) -> list[tuple[str, list[str]]]:
    """Heading and sentences of each part of the summary."""
    comparisons = release.tables["comparisons"]
    missing = sentences.describe_losses(
        counts.sample_losses, total=counts.n_samples_expected, noun="expected sample"
    )
    share = format_percent(counts.n_cells_kept / max(counts.n_cells_read, 1))
    cells = _PERCENT_OF_CELLS.format(
        kept=format_count(counts.n_cells_kept),
        read=format_count(counts.n_cells_read),
        share=share,
    )
    unequal = sentences.describe_unequal_losses(comparisons)
    losses = [missing, unequal, _libraries_sentence(counts), cells]
    losses += screens.describe_screens(release.tables)[:1]
    arms = [
        sentences.summarise_comparisons(comparisons),
        *describe_gates(comparisons, release.gates),
        describe_batches(comparisons),
        sentences.describe_prespecification(comparisons),
        sentences.describe_power(comparisons),
    ]
    return [
        ("What came in, and what is missing", list(filter(None, losses))),
        ("What differs between arms, and how sure that is", list(filter(None, arms))),
    ]


def _libraries_sentence(counts: ReleaseCounts) -> str:
    libraries = format_amount(counts.n_libraries, "library", "libraries")
    if counts.n_quarantined == 0:
        return f"All of {libraries} could be used."
    were = "was" if counts.n_quarantined == 1 else "were"
    return (
        f"{format_count(counts.n_quarantined)} of {libraries} {were} left out; the reason is below."
    )


def _statements(comparisons: pd.DataFrame) -> list[str]:
    """A sentence per comparison: gates, then those with evidence, those never made last."""
    rows = comparisons.to_dict("records")
    order = sorted(
        range(len(rows)),
        key=lambda i: (
            GATES.index(rows[i]["gate"]) if rows[i]["gate"] in GATES else len(GATES),
            not sentences.gives_evidence(rows[i]),
            rows[i]["p_perm"] != rows[i]["p_perm"],
            rows[i]["estimate"] != rows[i]["estimate"],
            i,
        ),
    )
    return [sentences.describe_comparison(rows[i]) for i in order]


def _place_figures(figures: Mapping[str, bytes]) -> dict[str, list[dict[str, str]]]:
    """Per section the figures as data URIs with caption and text for those who cannot see them."""
    placed: dict[str, list[dict[str, str]]] = {section: [] for section in SECTIONS}
    # a family's figures stand together
    others = sorted(set(figures) - set(FIGURES), key=lambda name: name.split("_", 1)[::-1])
    for name in (*FIGURES, *others):
        if name not in figures:
            continue
        section, caption = find_figure(name)
        content = base64.b64encode(figures[name]).decode("ascii")
        placed[section].append(
            {"name": name, "caption": caption, "uri": f"data:image/svg+xml;base64,{content}"}
        )
    return placed


def _place_views(release: ReportData) -> dict[str, list[views.View]]:
    """Per section the tables that have rows."""
    tables = release.tables
    placed: dict[str, list[views.View]] = {
        "left_out": [
            views.view_library_problems(tables["libraries_qc"]),
            views.view_libraries(tables["libraries_qc"]),
            views.view_contigs(tables["libraries_qc"]),
            views.view_missing_values(tables["endpoints"]),
            views.view_identity(tables["identity_checks"]),
        ],
        "cells": [
            views.view_cell_types(tables["cells"]),
            view_dominated(tables["cluster_composition"]),
            annotation_views.view_states(tables["cells"]),
            annotation_views.view_clusters(tables["cluster_labels"]),
            annotation_views.view_open_labels(tables["annotation_qc"]),
            annotation_views.view_overrides(tables["cell_type_overrides"]),
            view_reference(tables["reference_agreement"]),
        ],
        "clones": [
            clone_views.view_repertoires(tables["repertoires"]),
            clone_views.view_turnover(tables["clone_turnover"]),
            clone_views.view_patterns(tables["clone_patterns"]),
        ],
        "antigens": [
            views.view_antigens(tables["specificity"], tables["cells"]),
            _view_sticky(tables["antigens_qc"]),
            screens.view_breadth(tables["bulk_breadth"]),
            screens.view_responses(tables["bulk_responses"]),
            screens.view_quality(tables["bulk_screens_qc"]),
            _as_it_is(
                tables,
                "specificity_agreement",
                "Antigens in bulk screens and in single cells, patient by patient.",
            ),
            _as_it_is(tables, "database_matches", "Clones found in public databases."),
        ],
        "arms": [
            arm_views.view_comparisons(tables["comparisons"]),
            arm_views.view_sensitivity(tables["sensitivity"]),
            arm_views.view_missing_data(tables["missing_data"]),
            _as_it_is(tables, "deviations", "Deviations from the frozen analysis plan."),
            _as_it_is(tables, "agreement", "Agreement between ways of measuring."),
        ],
        "expression": [view_expression(tables["differential_expression"])],
    }
    return {section: [view for view in found if view.rows] for section, found in placed.items()}


def _view_sticky(antigens_qc: pd.DataFrame) -> views.View:
    columns = ["library_id", "dna_barcode", "n_called", "n_receptors", "n_receptors_stray"]
    rows = antigens_qc.loc[antigens_qc["is_sticky"].astype(bool), columns]
    return views.view_table(rows, "Multimers that many unrelated receptors hold: read with care.")


def _as_it_is(tables: Mapping[str, Any], name: str, caption: str) -> views.View:
    return views.view_table(tables[name], caption)
