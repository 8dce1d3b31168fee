"""The table of all cells: what each stage said of each cell barcode, side by side."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.study import place_cells, pool_tables

if TYPE_CHECKING:
    from collections.abc import Mapping

    from hiaim_sc.config import TcrOptions

_CELL = ["library_id", "cell_barcode"]
_SAMPLE = ["sample_id", "patient_id", "tissue", "visit", "session_phase"]
_QC = [
    "total_counts",
    "n_genes_by_counts",
    "pct_counts_mt",
    "doublet_score",
    "predicted_doublet",
    "qc_pass",
    "qc_reason",
]
_DESCRIBED = [
    "doublet_evidence",
    "pct_counts_hb",
    "dissociation_score",
    "s_score",
    "g2m_score",
    "phase",
]
_RECEPTOR = ["chain_pairing", "receptor_type", "receptor_subtype", "invariant"]
_TYPES = ["leiden", "cell_type", "cell_type_lineage", "cell_type_coarse"]
_HOW = [
    "cell_type_score",
    "cell_type_evidence",
    "t_nk_cluster",
    "cell_lineage_confidence",
    "cell_state",
    "cell_state_confidence",
    "cell_state_evidence",
    "cell_flags",
]
_NO_GEX, _NO_SAMPLE = "no_gex", "hashtag_unassigned"


def build_cells(
    layout: pd.DataFrame,
    cell_qc: Mapping[str, pd.DataFrame],
    receptors: Mapping[str, pd.DataFrame],
    clone_cells: pd.DataFrame,
    cell_types: pd.DataFrame,
    options: TcrOptions,
    cell_samples: Mapping[str, pd.DataFrame] | None = None,
) -> pd.DataFrame:
    """Every cell barcode of GEX or V(D)J, kept or not: the release table ``cells``.

    Parameters
    ----------
    layout
        Sample of each library; several of a pooled one.
    cell_qc, receptors
        Tables by ``library_id``.
    clone_cells, cell_types
        Of the cohort.
    options
        ``require_gex``: whether a receptor without GEX is left out (``no_gex``) or counts as a
        cell. A cell barcode with neither GEX nor a productive chain never does.
    cell_samples
        Of the pooled libraries, the sample of each cell; a cell of none does not pass.

    Returns
    -------
    Sorted by library and cell barcode. ``chain_pairing`` is missing where the cell barcode has no
    contig at all, ``no IR`` where it has, but no productive chain. Cell types are missing for cells
    that do not pass QC; a cell that is known by its T-cell receptor alone is T, of unknown lineage.
    """
    qc = pool_tables(cell_qc, ["cell_barcode", *_QC, *_DESCRIBED])
    chains = pool_tables(receptors, ["cell_barcode", *_RECEPTOR])
    cells = qc[[*_CELL, *_QC, *_DESCRIBED]].merge(
        chains[[*_CELL, *_RECEPTOR]], on=_CELL, how="outer", indicator="found_in"
    )
    cells = cells.merge(clone_cells[[*_CELL, "clone_key", "clone_source"]], on=_CELL, how="left")
    cells = cells.merge(cell_types[[*_CELL, *_TYPES, *_HOW]], on=_CELL, how="left")
    cells = place_cells(cells, layout[["library_id", *_SAMPLE]], cell_samples)
    cells = _judge_without_gex(cells, options)
    first = list(RELEASE_TABLES["cells"])
    rest = ["receptor_type", "receptor_subtype", "invariant", "clone_source", "leiden"]
    cells = cells.sort_values(_CELL, ignore_index=True)
    return cells[[*first, *rest, "predicted_doublet", *_DESCRIBED, *_HOW]]


def _judge_without_gex(cells: pd.DataFrame, options: TcrOptions) -> pd.DataFrame:
    alone = (cells["found_in"] == "right_only").to_numpy()
    passes = cells["qc_pass"].astype("boolean").fillna(value=False).to_numpy(dtype=bool)
    is_tcr = (cells["receptor_type"] == "TCR").to_numpy()
    has_receptor = (cells["chain_pairing"] != "no IR").to_numpy()
    has_sample = cells["sample_id"].notna().to_numpy()
    is_cell = has_receptor & (not options.require_gex) & has_sample
    why = np.where(has_sample | options.require_gex | ~has_receptor, _NO_GEX, _NO_SAMPLE)
    reason = np.where(alone, np.where(is_cell, "", why), cells["qc_reason"])
    cells = cells.assign(
        qc_pass=np.where(alone, is_cell, passes),
        qc_reason=pd.Series(reason, index=cells.index).fillna("").astype("str"),
        predicted_doublet=cells["predicted_doublet"].astype("boolean").fillna(value=False),
    )
    cells["predicted_doublet"] = cells["predicted_doublet"].astype(bool)
    for name in ("total_counts", "n_genes_by_counts"):
        cells[name] = cells[name].astype("Int64")
    if not options.require_gex:
        for name in ("cell_type", "cell_type_lineage", "cell_type_coarse"):
            known = pd.Series(np.where(is_tcr, "T", "unassigned"), index=cells.index)
            cells[name] = cells[name].astype("str").mask(alone & is_cell, known)
    return cells


def label_specificity(specificity: pd.DataFrame, cells: pd.DataFrame) -> pd.DataFrame:
    """Antigen calls with clone and QC verdict of their cells: the release table ``specificity``.

    Parameters
    ----------
    specificity
        Calls of all libraries, with ``library_id``.
    cells
        As `build_cells` returns them.
    """
    columns = list(RELEASE_TABLES["specificity"])
    if specificity.empty:
        return pd.DataFrame({name: pd.Series(dtype="str") for name in columns})
    table = specificity.merge(cells[[*_CELL, "clone_key", "qc_pass"]], on=_CELL, how="left")
    table["qc_pass"] = table["qc_pass"].astype("boolean").fillna(value=False).astype(bool)
    rest = [name for name in table.columns if name not in columns]
    table = table.sort_values([*_CELL, "dna_barcode"], ignore_index=True)
    return table[[*columns, *rest]]
