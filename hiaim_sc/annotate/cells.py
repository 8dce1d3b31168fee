"""What each cell is: compartments from all cells, then lineages and states among T and NK cells."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
from threadpoolctl import threadpool_limits

from hiaim_sc.annotate.compartments import Evidence, call_compartments
from hiaim_sc.annotate.evidence import MarkerEvidence
from hiaim_sc.annotate.kinds import list_kinds
from hiaim_sc.annotate.lineages import call_lineages
from hiaim_sc.annotate.markers import (
    CD3,
    CELL,
    ReceptorEvidence,
    count_markers,
    number_clones,
    score_panel,
)
from hiaim_sc.annotate.neighbourhood import average_neighbourhood
from hiaim_sc.annotate.states import call_flags, call_states

if TYPE_CHECKING:
    from anndata import AnnData

    from hiaim_sc.config import AnnotateOptions
    from hiaim_sc.storage import ReadableCounts

LYMPHOCYTES = ("T", "NK")
_NAMES = {"CD4": "CD4 T", "CD8": "CD8 T", "gd": "gd T"}
_NAMES_OF_STATES = {
    "NK CD56bright": "NK CD56bright",
    "NK CD56dim": "NK CD56dim",
    "NK adaptive": "NK CD56dim",
}
_NK, _ILC = "NK", "ILC"
_SECOND_PASS = "second_pass"
_CONFIDENCES = ("cell_lineage_confidence", "cell_state_confidence")
_NUMBERS = ("cell_type_score", *_CONFIDENCES)


def annotate_compartments(
    selected: ReadableCounts,
    embedding: AnnData,
    receptors: pd.DataFrame,
    panel: pd.DataFrame,
    options: AnnotateOptions,
) -> pd.DataFrame:
    """Compartment of every cell that passes QC.

    Evidence is absolute first: receptors, CD3, scores that depend on the cell alone. Nothing is
    judged relative to what else is in the sample, so that a sample of T cells only comes out as T
    cells.

    Parameters
    ----------
    selected
        Counts of highly variable and panel genes.
    embedding
        Same cells; reads ``obs["leiden"]`` and ``uns["neighbours"]["indices"]`` (n_cells, k),
        positions of each cell's neighbours, nearest first.
    receptors
        Of all libraries: ``library_id cell_barcode chain_pairing receptor_subtype invariant``.
    panel
        As `read_panel` returns it.
    options
        Thresholds, and how many of the k neighbours are averaged over.

    Returns
    -------
    ``library_id cell_barcode leiden cell_type cell_type_coarse cell_type_score
    cell_type_evidence``, in the order of ``selected``; ``cell_type`` is not yet told within T and
    NK.
    """
    smooth = average_neighbourhood(embedding.uns["neighbours"]["indices"], options.n_neighbors)
    rows = panel[panel["level"] == "compartment"]
    leiden = embedding.obs["leiden"].astype(str).to_numpy(dtype=object)
    cd3 = count_markers(selected, rows[rows["gene"].isin(CD3)]).reindex(columns=list(CD3))
    may_have_cd3 = ((cd3 > 0).any(axis=1) | cd3.isna().all(axis=1)).to_numpy()
    receptor = ReceptorEvidence.of(selected.obs, receptors).kind
    found = call_compartments(
        Evidence(score_panel(selected, rows), may_have_cd3, receptor, leiden), smooth, options
    )
    table = pd.DataFrame(selected.obs[CELL]).astype("str").reset_index(drop=True)
    table["leiden"] = leiden
    table["cell_type"] = found["fine"].to_numpy(dtype=object)
    table["cell_type_coarse"] = found["coarse"].to_numpy(dtype=object)
    table["cell_type_score"] = found["score"].to_numpy()
    table["cell_type_evidence"] = found["evidence"].to_numpy(dtype=object)
    return table.astype(dict.fromkeys(table.columns.drop("cell_type_score"), "str"))


def annotate_cells(
    compartments: pd.DataFrame,
    lymphocytes: ReadableCounts,
    embedding: AnnData,
    receptors: pd.DataFrame,
    clone_cells: pd.DataFrame,
    panel: pd.DataFrame,
    options: AnnotateOptions,
) -> pd.DataFrame:
    """Cell type, lineage, compartment and state of every cell that passes QC.

    Parameters
    ----------
    compartments
        As `annotate_compartments` returns it.
    lymphocytes
        Counts of the T and NK cells, panel genes among them; reads ``obs["total_counts"]``.
    embedding
        Of the same cells alone: ``obs["leiden"]``, ``obsm["X_pca_harmony"]`` and
        ``uns["neighbours"]["indices"]``.
    receptors, panel, options
        As for the compartments.
    clone_cells
        ``library_id cell_barcode clone_key`` of the cells that have a clone.

    Returns
    -------
    ``compartments`` with ``cell_type_lineage`` and, empty or 0 outside T and NK, ``t_nk_cluster
    cell_lineage_confidence cell_flags cell_state cell_state_confidence cell_state_evidence``.
    ``cell_flags`` are joined by ";". Within T and NK ``cell_type`` is told, and T and NK are told
    apart once more; ``cell_type_evidence`` is ``second_pass`` where that changed the compartment.

    Raises
    ------
    ValueError
        When ``lymphocytes`` are not the T and NK cells of ``compartments`` in the same order.
    """
    rows = np.flatnonzero(compartments["cell_type_coarse"].isin(LYMPHOCYTES))
    _require_same(compartments.iloc[rows], lymphocytes)
    table = compartments.copy()
    table["cell_type_lineage"] = table["cell_type_coarse"]
    with threadpool_limits(limits=1):  # sums in another order change the last bits
        found = _annotate_lymphocytes(
            compartments.iloc[rows].reset_index(drop=True),
            lymphocytes,
            embedding,
            ReceptorEvidence.of(lymphocytes.obs, receptors),
            number_clones(lymphocytes.obs, clone_cells),
            panel,
            options,
        )
    for name in found:
        column = (
            table[name]
            if name in table
            else pd.Series(0.0 if name in _CONFIDENCES else "", table.index)
        )
        whole = column.to_numpy(dtype=object, copy=True)
        whole[rows] = found[name].to_numpy(dtype=object)
        table[name] = whole
    kinds = {name: "float64" if name in _NUMBERS else "str" for name in table}
    return table.astype(kinds)


def _require_same(compartments: pd.DataFrame, lymphocytes: ReadableCounts) -> None:
    names = compartments["library_id"] + "_" + compartments["cell_barcode"]
    if list(names) != list(lymphocytes.obs.index):
        msg = "the second pass is not over the T and NK cells of the first, in their order"
        raise ValueError(msg)


def _annotate_lymphocytes(
    cells: pd.DataFrame,
    lymphocytes: ReadableCounts,
    embedding: AnnData,
    receptor: ReceptorEvidence,
    clone: np.ndarray,
    panel: pd.DataFrame,
    options: AnnotateOptions,
) -> pd.DataFrame:
    kinds = list_kinds(panel)
    smooth = average_neighbourhood(embedding.uns["neighbours"]["indices"], options.n_neighbors)
    genes = MarkerEvidence.of(lymphocytes, panel, smooth)
    coordinates = embedding.obsm["X_pca_harmony"]
    cluster = embedding.obs["leiden"].astype(str).to_numpy(dtype=object)
    first = cells["cell_type_coarse"].to_numpy(dtype=object)
    found = call_lineages(genes, kinds, coordinates, receptor, clone, first, options)
    lineage = found["lineage"].to_numpy(dtype=object)
    states = call_states(lineage, cluster, genes, kinds, coordinates, options)
    flags = call_flags(genes, panel)
    cycling = flags.get("proliferating", np.zeros(len(cells), dtype=bool))
    is_ilc = lineage == _ILC
    table = pd.DataFrame({"t_nk_cluster": cluster})
    table["cell_type_coarse"] = np.where(np.isin(lineage, (_NK, _ILC)), _NK, "T")
    table["cell_type_lineage"] = np.where(is_ilc, _NK, lineage)
    table["cell_type"] = _name(lineage, states["cell_state"].to_numpy(dtype=object), cycling)
    table["cell_lineage_confidence"] = found["confidence"]
    changed = (table["cell_type_coarse"] != cells["cell_type_coarse"]).to_numpy()
    table["cell_type_evidence"] = cells["cell_type_evidence"].mask(changed, _SECOND_PASS)
    table["cell_flags"] = _join(flags, len(cells))
    return pd.concat([table, states], axis=1)


def _join(flags: dict[str, np.ndarray], n_cells: int) -> np.ndarray:
    joined = np.full(n_cells, "", dtype=object)
    for name, is_so in flags.items():
        joined[is_so] = [f"{text};{name}" if text else name for text in joined[is_so]]
    return joined


def _name(lineage: np.ndarray, state: np.ndarray, cycling: np.ndarray) -> np.ndarray:
    """The finest label of the project's words, from lineage and state."""
    label = np.array([_NAMES.get(name, name) for name in lineage], dtype=object)
    is_nk, is_ilc = lineage == _NK, lineage == _ILC
    label[is_nk] = [_NAMES_OF_STATES.get(name, "NK") for name in state[is_nk]]
    label[cycling & is_nk] = "proliferating NK"
    label[cycling & ~is_nk & ~is_ilc] = "proliferating T"
    return label
