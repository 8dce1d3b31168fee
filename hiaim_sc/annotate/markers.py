"""What each cell shows of the panel: counts, detection around it, rank scores, receptors."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.annotate.panel import find_columns
from hiaim_sc.annotate.scores import score_gene_sets
from hiaim_sc.storage import read_genes

if TYPE_CHECKING:
    from hiaim_sc.storage import ReadableCounts

CELL = ["library_id", "cell_barcode"]
CD3 = ("CD3D", "CD3E", "CD3G", "TRAC")
_AGAINST = 0.5  # weight of the genes against a cell type
# Measured genes that a cell type needs: what is left of a set by a targeted or filtered assay is
# often one gene that others have too (HBB, TCF4). T needs one, as CD3 and TRAC are T's alone.
_MIN_GENES = 2
# Told from T cells by what they lack: not to be called where CD3 was not measured.
_BY_ABSENCE = ("ILC",)
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


def count_markers(selected: ReadableCounts, panel: pd.DataFrame) -> pd.DataFrame:
    """Counts of the panel's genes that were measured, (n_cells, genes)."""
    columns = find_columns(selected, set(panel["gene"]))
    counts = read_genes(selected, list(columns.values()))
    return pd.DataFrame(counts.toarray(), columns=list(columns))


def score_panel(selected: ReadableCounts, panel: pd.DataFrame) -> pd.DataFrame:
    """Score of each cell type: of the genes for it, less half of those against it.

    Parameters
    ----------
    selected
        Counts; ranks are among these genes.
    panel
        The rows of one level.

    Returns
    -------
    (n_cells, cell types); 0 where too few of the genes for a type were measured.
    """
    columns = find_columns(selected, set(panel["gene"]))
    sets = {
        (str(name), int(sign)): [columns[gene] for gene in rows["gene"] if gene in columns]
        for (name, sign), rows in panel.groupby(["cell_type", "sign"])
    }
    has_cd3 = any(gene in columns for gene in CD3)
    scores = score_gene_sets(
        selected,
        {
            f"{name}|{sign}": genes
            for (name, sign), genes in sets.items()
            if (sign < 0 or name == "T" or len(genes) >= _MIN_GENES)
            and (has_cd3 or name not in _BY_ABSENCE)
        },
    )
    n_cells = selected.shape[0]
    zero = np.zeros(n_cells)
    return pd.DataFrame(
        {
            name: scores.get(f"{name}|1", zero) - _AGAINST * scores.get(f"{name}|-1", zero)
            for name in sorted({name for name, _ in sets})
        },
        index=range(n_cells),
    )


@dataclass(frozen=True)
class ReceptorEvidence:
    """What is known of each cell's receptor, rows in the order of the cells.

    Attributes
    ----------
    kind
        ``pair`` (alpha and beta), ``gd`` (gamma and delta), ``chain`` or ``gd chain`` (one of
        them), ``conflict`` (multichain, ambiguous) or empty.
    invariant
        MAIT, iNKT or empty.
    """

    kind: np.ndarray
    invariant: np.ndarray

    @classmethod
    def of(cls, cells: pd.DataFrame, receptors: pd.DataFrame) -> ReceptorEvidence:
        """Of these cells, from the receptors of all cells with contigs."""
        key = pd.MultiIndex.from_frame(cells[CELL].astype(str))
        known = receptors.set_index(CELL).reindex(key)
        kind = known["chain_pairing"].map(_KIND_OF_PAIRING)
        is_gd = known["receptor_subtype"] == "TRG+TRD"
        kind = kind.mask(is_gd & (kind == "pair"), "gd").mask(is_gd & (kind == "chain"), "gd chain")
        return cls(
            kind.fillna("").to_numpy(dtype=object),
            known["invariant"].fillna("").to_numpy(dtype=object),
        )


def number_clones(cells: pd.DataFrame, clone_cells: pd.DataFrame) -> np.ndarray:
    """Clone number of each cell, -1 for none."""
    key = pd.MultiIndex.from_frame(cells[CELL].astype(str))
    clone = clone_cells.set_index(CELL)["clone_key"].reindex(key)
    return np.asarray(pd.factorize(clone)[0])
