"""What each cell is: markers, neighbours, clusters and receptors weighed together."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from hiaim_sc.annotate.compartments import Evidence, call_compartments
from hiaim_sc.annotate.lineages import TcellEvidence, call_lineages, call_states
from hiaim_sc.annotate.neighbourhood import average_neighbourhood
from hiaim_sc.annotate.panel import LEVELS, find_columns
from hiaim_sc.annotate.scores import score_gene_sets

if TYPE_CHECKING:
    from anndata import AnnData

    from hiaim_sc.config import AnnotateOptions

_CELL = ["library_id", "cell_barcode"]
_CD3 = ["CD3D", "CD3E", "CD3G", "TRAC"]
_AGAINST = 0.5  # weight of the genes against a cell type
# Measured genes that a cell type needs: what is left of a set by a targeted or filtered assay is
# often one gene that others have too (HBB, TCF4). T needs one, as CD3 and TRAC are T's alone.
_MIN_GENES = 2
_KIND_OF_PAIRING = {
    "single pair": "pair",
    "extra VJ": "pair",
    "extra VDJ": "pair",
    "two full chains": "pair",
    "orphan VJ": "chain",
    "orphan VDJ": "chain",
    "ambiguous": "conflict",
    "multichain": "conflict",
}


def annotate_cells(
    selected: AnnData,
    embedding: AnnData,
    receptors: pd.DataFrame,
    clone_cells: pd.DataFrame,
    panel: pd.DataFrame,
    options: AnnotateOptions,
) -> pd.DataFrame:
    """Cell type, lineage and compartment of every cell that passes QC.

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
    clone_cells
        ``library_id cell_barcode clone_key`` of the cells that have a clone.
    panel
        As `read_panel` returns it.
    options
        Thresholds, and how many of the k neighbours are averaged over.

    Returns
    -------
    ``library_id cell_barcode leiden cell_type cell_type_lineage cell_type_coarse cell_type_score
    cell_type_evidence``, in the order of ``selected``.
    """
    smooth = average_neighbourhood(embedding.uns["neighbours"]["indices"], options.n_neighbors)
    known = _Markers.of(selected, panel, smooth)
    receptor, invariant, clone = _join_receptors(selected.obs, receptors, clone_cells)
    leiden = embedding.obs["leiden"].astype(str).to_numpy(dtype=object)
    cd3 = known.counts.reindex(columns=_CD3)
    may_have_cd3 = ((cd3 > 0).any(axis=1) | cd3.isna().all(axis=1)).to_numpy()
    found = call_compartments(
        Evidence(known.scores["compartment"], may_have_cd3, receptor, leiden), smooth, options
    )
    coarse = found["coarse"].to_numpy(dtype=object)
    further = pd.concat([known.scores["lineage"], known.scores["state"]], axis=1)
    smoothed = pd.DataFrame(smooth @ further.to_numpy(), columns=further.columns)
    evidence = TcellEvidence(known.counts, known.detected, smoothed, clone, invariant, receptor)
    lineage = call_lineages(coarse, evidence, smooth)
    table = pd.DataFrame(selected.obs[_CELL]).astype(str).reset_index(drop=True)
    table["leiden"] = leiden
    fine = found["fine"].to_numpy(dtype=object)
    table["cell_type"] = call_states(coarse, fine, lineage, evidence)
    table["cell_type_lineage"] = lineage
    table["cell_type_coarse"] = coarse
    table["cell_type_score"] = found["score"].to_numpy()
    table["cell_type_evidence"] = found["evidence"].to_numpy(dtype=object)
    return table.astype(dict.fromkeys(table.columns.drop("cell_type_score"), "str"))


@dataclass(frozen=True)
class _Markers:
    """Panel genes of each cell: counts, share of the neighbourhood with any, scores by level."""

    counts: pd.DataFrame
    detected: pd.DataFrame
    scores: dict[str, pd.DataFrame]

    @classmethod
    def of(cls, selected: AnnData, panel: pd.DataFrame, smooth: sp.csr_matrix) -> _Markers:
        counts = sp.csr_matrix(selected.X)
        columns = find_columns(selected, set(panel["gene"]))
        position = list(columns.values())
        of_panel = sp.csr_matrix(counts[:, position])
        names = list(columns)
        found = pd.DataFrame(of_panel.toarray(), columns=names)
        shares = (smooth @ (of_panel > 0).astype(float)).toarray()
        scores = {
            level: _score_level(counts, columns, panel[panel["level"] == level]) for level in LEVELS
        }
        return cls(found, pd.DataFrame(shares, columns=names), scores)


def _score_level(
    counts: sp.csr_matrix, columns: dict[str, int], panel: pd.DataFrame
) -> pd.DataFrame:
    """Score of each cell type of a level: of the genes for it, less half of those against it."""
    sets = {
        (str(name), int(sign)): [columns[gene] for gene in rows["gene"] if gene in columns]
        for (name, sign), rows in panel.groupby(["cell_type", "sign"])
    }
    scores = score_gene_sets(
        counts,
        {
            f"{name}|{sign}": genes
            for (name, sign), genes in sets.items()
            if sign < 0 or name == "T" or len(genes) >= _MIN_GENES
        },
    )
    zero = np.zeros(counts.shape[0])
    return pd.DataFrame(
        {
            name: scores.get(f"{name}|1", zero) - _AGAINST * scores.get(f"{name}|-1", zero)
            for name in sorted({name for name, _ in sets})
        },
        index=range(counts.shape[0]),
    )


def _join_receptors(
    cells: pd.DataFrame, receptors: pd.DataFrame, clone_cells: pd.DataFrame
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Kind of receptor, invariant receptor and clone number of each cell."""
    key = pd.MultiIndex.from_frame(cells[_CELL].astype(str))
    known = receptors.set_index(_CELL).reindex(key)
    kind = known["chain_pairing"].map(_KIND_OF_PAIRING)
    is_gd = known["receptor_subtype"] == "TRG+TRD"
    kind = kind.mask(is_gd & (kind == "pair"), "gd").mask(is_gd & (kind == "chain"), "gd chain")
    kind = kind.fillna("")
    clone = clone_cells.set_index(_CELL)["clone_key"].reindex(key)
    return (
        kind.to_numpy(dtype=object),
        known["invariant"].fillna("").to_numpy(dtype=object),
        pd.factorize(clone)[0],
    )
