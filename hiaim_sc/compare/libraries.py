"""A verdict on each library."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pandas as pd

from hiaim_sc.names import CONTIG_REASONS, RELEASE_TABLES

if TYPE_CHECKING:
    from collections.abc import Mapping

_FEW_CELLS = 100
_HIGH_MT = 15.0
_MANY_LOST = 0.5
_LOW_JOIN_RATE = 0.8
_HIGH_AMBIENT = 0.2
_LOST = ("low_counts", "low_genes", "high_mt")
_LOST_POOLED = ("hashtag_doublet", "hashtag_unassigned")
_JOINT = ";"


def summarise_libraries(
    library_states: pd.DataFrame,
    reports: Mapping[str, Mapping[str, Any]],
    cell_qc: Mapping[str, pd.DataFrame],
    limits: Mapping[str, Mapping[str, Any]],
    corrections: Mapping[str, Mapping[str, Any]] | None = None,
) -> pd.DataFrame:
    """Numbers and verdict of each delivered library: the release table ``libraries_qc``.

    Parameters
    ----------
    library_states
        ``library_id sample_id batch state reason`` of all libraries, a row for each sample.
    reports
        What ingest reported, by library_id.
    cell_qc, limits
        QC tables and limits, by library_id.
    corrections
        What became of ambient RNA, by library_id; nothing where it is not taken off.

    Returns
    -------
    ``verdict`` is pass, warn (with the reasons) or quarantined. ``n_cells_read`` counts GEX cell
    barcodes, ``n_cells_vdj`` those with contigs. The samples of a pooled library are joined with
    ";". Cells lost are counted per reason; a cell with two reasons counts for both there, and once
    in ``cells_lost``, which names each set of reasons with its number of cells: they add up to
    ``n_cells_lost``, and with ``n_cells_kept`` to the cells read. Contigs that are no chain of a
    receptor are counted by their first reason, so that ``n_contigs`` is ``n_contigs_counted`` and
    the ``n_contigs_*`` of the reasons: not a cell, low confidence and B-cell locus, which were
    dropped, no locus (Cell Ranger's ``Multi``), not productive and no junction. Where ambient RNA
    is taken off, ``ambient_removed`` is its share of the counts of the cells kept, empty where
    there are none, and ``ambient_uncorrected`` says why a library stays as it is.
    """
    joint = library_states.groupby("library_id")["sample_id"].agg(
        lambda ids: _JOINT.join(ids.dropna())
    )
    delivered = library_states[library_states["state"] != "expected"]
    delivered = delivered.drop_duplicates("library_id")
    delivered = delivered.assign(sample_id=delivered["library_id"].map(joint).astype("str"))
    corrections = corrections or {}
    rows = [
        _summarise(row, reports.get(name, {}), cell_qc.get(name), limits.get(name, {}))
        | (_describe_correction(corrections.get(name, {})) if corrections else {})
        for name, row in delivered.set_index("library_id", drop=False).iterrows()
    ]
    columns = list(RELEASE_TABLES["libraries_qc"])
    if not rows:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    table = pd.DataFrame(rows)
    rest = [name for name in table.columns if name not in columns]
    return table[[*columns, *rest]].sort_values("library_id", ignore_index=True)


def _summarise(
    library: pd.Series,
    report: Mapping[str, Any],
    cells: pd.DataFrame | None,
    limits: Mapping[str, Any],
) -> dict[str, Any]:
    row: dict[str, Any] = {
        "library_id": library["library_id"],
        "sample_id": library["sample_id"],
        "batch": library["batch"],
        "n_cells_read": report.get("n_cells_gex"),
        **_describe_ambient(limits.get("ambient") or {}),
        "join_rate": report.get("join_rate"),
        "n_cells_vdj": report.get("n_cells_vdj"),
        **_describe_contigs(report),
        **_describe_cells(cells, is_pooled=_JOINT in str(library["sample_id"])),
        "doublet_threshold": limits.get("doublet_threshold"),
    }
    if library["state"] == "quarantined":
        return {**row, "verdict": "quarantined", "reason": library["reason"]}
    let_in = [] if pd.isna(library["reason"]) else [str(library["reason"])]
    warnings = "; ".join([*let_in, *_warnings(row)])
    return {**row, "verdict": "warn" if warnings else "pass", "reason": warnings}


def _describe_contigs(report: Mapping[str, Any]) -> dict[str, Any]:
    dropped = report.get("n_contigs_dropped") or {}
    left_out = {**dropped, **(report.get("n_contigs_not_counted") or {})}
    n_contigs = report.get("n_contigs")
    return {
        "n_contigs": n_contigs,
        "n_contigs_dropped": sum(dropped.values()),
        "n_contigs_counted": None if n_contigs is None else n_contigs - sum(left_out.values()),
        **{f"n_contigs_{reason}": left_out.get(reason, 0) for reason in CONTIG_REASONS},
        "n_bare_junctions": report.get("n_bare_junctions", 0),
    }


def _describe_cells(cells: pd.DataFrame | None, *, is_pooled: bool) -> dict[str, Any]:
    names = ("n_cells_kept", "n_doublets", "median_counts", "median_genes", "pct_mt")
    lost = {f"n_{reason}": 0 for reason in (*_LOST, *(_LOST_POOLED if is_pooled else ()))}
    if cells is None or cells.empty:
        return {**dict.fromkeys(names), **lost, "n_cells_lost": None, "cells_lost": ""}
    reasons = cells["qc_reason"].fillna("").str.split(";")
    counts = reasons.explode().value_counts()
    lost = {name: int(counts.get(name.removeprefix("n_"), 0)) for name in lost}
    kept, gone = cells[cells["qc_pass"]], cells.loc[~cells["qc_pass"], "qc_reason"]
    by_reasons = gone.value_counts().sort_index()
    return {
        "n_cells_kept": len(kept),
        "n_doublets": int(cells["predicted_doublet"].sum()),
        "median_counts": kept["total_counts"].median(),
        "median_genes": kept["n_genes_by_counts"].median(),
        "pct_mt": kept["pct_counts_mt"].median(),
        **lost,
        "n_cells_lost": len(gone),
        "cells_lost": ", ".join(f"{reasons}: {n}" for reasons, n in by_reasons.items()),
    }


def _describe_ambient(ambient: Mapping[str, Any]) -> dict[str, Any]:
    """Share of ambient RNA, how sure, and why it is empty where it is."""
    fraction = ambient.get("fraction")
    return {
        "ambient_fraction": np.nan if fraction is None else fraction,
        "ambient_se": ambient.get("se"),
        "ambient_low": ambient.get("low"),
        "ambient_high": ambient.get("high"),
        "ambient_method": ambient.get("method", ""),
        "ambient_n_cells": ambient.get("n_cells"),
        "ambient_reason": ambient.get("reason", "no gene expression"),
    }


def _describe_correction(correction: Mapping[str, Any]) -> dict[str, Any]:
    """How much of the counts was taken off as ambient RNA, and why nothing was where that is so."""
    n_counts = correction.get("n_counts", 0)
    return {
        "ambient_removed": correction["n_removed"] / n_counts if n_counts else np.nan,
        "ambient_uncorrected": correction.get("reason", ""),
    }


def _warnings(row: Mapping[str, Any]) -> list[str]:
    found = []
    read, kept, join_rate = row["n_cells_read"], row["n_cells_kept"], row["join_rate"]
    if read and kept is not None:
        if kept < _FEW_CELLS:
            found.append(f"only {kept} cells kept (fewer than {_FEW_CELLS})")
        if kept < (1 - _MANY_LOST) * read:
            found.append(f"{read - kept} of {read} cells lost")
        if row["pct_mt"] is not None and row["pct_mt"] > _HIGH_MT:
            found.append(f"median mitochondrial share {row['pct_mt']:.1f} % (above {_HIGH_MT:g} %)")
    if join_rate is not None and join_rate < _LOW_JOIN_RATE:
        found.append(f"only {100 * join_rate:.0f} % of V(D)J cell barcodes are GEX cell barcodes")
    if row["ambient_fraction"] > _HIGH_AMBIENT:
        found.append(
            f"{100 * row['ambient_fraction']:.0f} % of the counts are ambient RNA (above"
            f" {100 * _HIGH_AMBIENT:.0f} %)"
        )
    if row["n_bare_junctions"]:
        found.append(
            f"{row['n_bare_junctions']} junctions lack their conserved residues: their cells are"
            " never MAIT or iNKT, and of no clone of another library"
        )
    return found
