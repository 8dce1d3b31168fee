"""From the artefacts of a run to the files of a release."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import pandas as pd

from hiaim_sc.names import CONTIG_COLUMNS, RELEASE_TABLES
from hiaim_sc.report.airr_files import write_airr
from hiaim_sc.report.cohort_files import Expression, write_cellxgene, write_cohort
from hiaim_sc.report.figures import draw_figures, tabulate_points, write_figure
from hiaim_sc.report.html import ReportData, render_report
from hiaim_sc.report.objects import build_cohort_object
from hiaim_sc.report.tables import write_tables
from hiaim_sc.study import pool_tables
from hiaim_sc.tcr import alias_clones, build_airr, rearrangements

if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from anndata import AnnData

    from hiaim_sc.storage import Artefact

# Release table: stage whose artefact holds it under the same name.
_TABLE_STAGES = {
    "cells": "cells",
    "features": "integration",
    "integration_metrics": "integration",
    "cluster_composition": "integration",
    "annotation_qc": "accounting",
    "cluster_labels": "cell_types",
    "cluster_markers": "cell_types",
    "cell_type_overrides": "cell_types",
    "reference_labels": "reference",
    "reference_agreement": "reference",
    "reference_qc": "reference",
    "cluster_genes": "cluster_genes",
    "clones": "clone_tables",
    "clone_tracking": "clone_tables",
    "clone_turnover": "clone_tables",
    "clone_patterns": "clone_tables",
    "sharing": "clone_tables",
    "cell_scores": "cell_scores",
    "clone_phenotypes": "clone_phenotypes",
    "repertoires": "repertoires",
    "databases": "databases",
    "similarity_clusters": "similarity",
    "database_matches": "database_matches",
    "identity_checks": "identity",
    "specificity": "accounting",
    "clone_specificity": "antigen_calls",
    "specific_cells": "accounting",
    "antigens_qc": "antigen_calls",
    "bulk_responses": "bulk",
    "bulk_breadth": "bulk",
    "specificity_agreement": "specificity_agreement",
    "bulk_samples_qc": "bulk",
    "bulk_screens_qc": "bulk",
    "libraries_qc": "accounting",
    "flow_of_samples": "accounting",
    "endpoints": "endpoints",
    "comparisons": "comparisons",
    "agreement": "agreement",
    "sensitivity": "comparisons",
    "missing_data": "comparisons",
    "differential_expression": "comparisons",
}
_CELL = ["library_id", "cell_barcode"]
_CARRIED = ["reference_label", "reference_score"]


@dataclass(frozen=True)
class ReleaseSource:
    """The artefacts of a run.

    Attributes
    ----------
    cohort
        Stage: artefact.
    libraries
        Stage: library_id: artefact.
    deviations
        As `list_deviations` returns them.
    previous_cells
        `cells` of the last release, where there is one.
    """

    cohort: Mapping[str, Artefact]
    libraries: Mapping[str, Mapping[str, Artefact]]
    deviations: pd.DataFrame
    previous_cells: pd.DataFrame | None = None

    def each(self, stage: str, name: str) -> dict[str, pd.DataFrame]:
        """That payload of every library that has it, by library_id."""
        return {
            library_id: artefact.read(name)
            for library_id, artefact in sorted(self.libraries.get(stage, {}).items())
            if name in artefact
        }


@dataclass(frozen=True)
class ReleaseFacts:
    """What is known of a release beside its tables.

    Attributes
    ----------
    study, release_id, made_on
        For the report's header.
    blinded
        Whether the arm labels are random.
    tissues, visits
        In the design's order.
    batches
        library_id: batch.
    gates
        Endpoints that the plan names for each gate.
    facts, versions, config_text
        For the report's "Methods and versions".
    """

    study: str
    release_id: str
    made_on: str
    blinded: bool
    tissues: tuple[str, ...]
    visits: tuple[str, ...]
    batches: Mapping[str, str]
    gates: Mapping[str, tuple[str, ...]]
    facts: Mapping[str, str]
    versions: Mapping[str, str]
    config_text: str


def write_release(folder: Path, source: ReleaseSource, facts: ReleaseFacts) -> None:
    """Write tables, figures, report and exports of a release into an existing folder."""
    tables = gather_tables(source)
    write_tables(tables, folder / "tables")
    embedding = source.cohort["embedding"].read("embedding")
    if "umap" in source.cohort:
        embedding.obsm["X_umap"] = source.cohort["umap"].read("umap").to_numpy()
    points = tabulate_points(embedding, tables["cells"], pd.Series(dict(facts.batches), dtype=str))
    figures = {
        name: write_figure(figure, folder / "figures", name)
        for name, figure in draw_figures(tables, points, tissues=facts.tissues, visits=facts.visits)
    }
    report = render_report(
        ReportData(
            study=facts.study,
            release_id=facts.release_id,
            made_on=facts.made_on,
            blinded=facts.blinded,
            tables=tables,
            figures=figures,
            gates=facts.gates,
            facts=facts.facts,
            versions=facts.versions,
            config_text=facts.config_text,
        )
    )
    (folder / "report.html").write_text(report, encoding="utf-8")
    _write_exports(folder, source, tables, embedding)


def gather_tables(source: ReleaseSource) -> dict[str, pd.DataFrame]:
    """Every release table; one that no stage makes is there with its columns and no rows."""
    tables = {
        name: source.cohort[stage].read(name)
        for name, stage in _TABLE_STAGES.items()
        if stage in source.cohort
    }
    tables["clone_aliases"] = alias_clones(
        source.previous_cells, source.cohort["clones"].read("clone_cells")
    )
    tables["deviations"] = source.deviations
    for name, columns in RELEASE_TABLES.items():
        if name not in tables:
            tables[name] = pd.DataFrame({column: pd.Series(dtype="str") for column in columns})
    return tables


def _write_exports(
    folder: Path, source: ReleaseSource, tables: Mapping[str, pd.DataFrame], embedding: AnnData
) -> None:
    cells = tables["cells"]
    contigs = pool_tables(source.each("ingest", "contigs"), CONTIG_COLUMNS)
    names = cells["library_id"] + "_" + cells["cell_barcode"]
    has_receptor = cells["chain_pairing"].notna().to_numpy()
    obs = cells[["clone_key", "receptor_type", "receptor_subtype", "chain_pairing"]]
    obs = obs[has_receptor].set_axis(pd.Index(names[has_receptor].astype(object)), axis=0)
    expression = Expression(
        source.cohort["selected"].open("selected"),
        source.cohort["selected_corrected"].open("selected")
        if "selected_corrected" in source.cohort
        else None,
    )
    mdata = build_cohort_object(
        expression,
        embedding,
        _with_reference(cells, tables["reference_labels"]),
        build_airr(contigs, obs.fillna("").astype(object)) if len(obs) else None,
        source.each("ingest", "antigen_counts"),
        tables["specificity"],
    )
    cohort = folder / "cohort.h5mu"
    write_cohort(mdata, expression, cohort)
    write_cellxgene(cohort, mdata["gex"], expression.counts, folder / "cellxgene.h5ad")
    chains = rearrangements(contigs, cells)
    by_sample = chains.groupby("sample_id")
    write_airr({str(name): table for name, table in by_sample}, folder / "airr")


def _with_reference(cells: pd.DataFrame, labels: pd.DataFrame) -> pd.DataFrame:
    """The cells with the reference's labels, for those who open the objects."""
    if labels.empty:
        return cells
    return cells.merge(labels[[*_CELL, *_CARRIED]], on=_CELL, how="left", validate="1:1")
