"""What the cells of one type express, patient by patient; no arm is known here."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import scipy.sparse as sp

from hiaim_sc.compare.gene_classes import classify_gene
from hiaim_sc.stats import log_cpm

if TYPE_CHECKING:
    from collections.abc import Iterator

    from anndata import AnnData

    from hiaim_sc.config import CompareOptions, StudyConfig

# A gene needs this many counts in as many samples as an arm must have patients.
_LEAST_COUNTS = 10
_PHASE = "rest"


@dataclass(frozen=True)
class Profiles:
    """Expression of one cell type in one tissue, at one visit or since the baseline.

    Attributes
    ----------
    cell_type, tissue, visit, session_phase
        Where it was measured.
    is_change
        Whether the values are changes since the baseline.
    patients
        ``patient_id``, sorted.
    genes
        ``gene_id gene gene_class discovery mean_log2_cpm``.
    values
        Shape (n_patients, n_genes): log2 counts per million, or their change.
    counts
        Shape (n_visits, n_patients, n_genes): what they are made from, the baseline first.
    """

    cell_type: str
    tissue: str
    visit: str
    session_phase: str
    is_change: bool
    patients: pd.Index
    genes: pd.DataFrame
    values: np.ndarray
    counts: np.ndarray

    @property
    def n_genes(self) -> int:
        """Genes with enough counts."""
        return len(self.genes)


def tabulate_genes(pseudobulks: AnnData) -> pd.DataFrame:
    """Id, symbol and class of each gene: ``gene_id gene gene_class discovery``."""
    symbols = [str(symbol) for symbol in pseudobulks.var["symbol"]]
    classes = [classify_gene(symbol) for symbol in symbols]
    return pd.DataFrame(
        {
            "gene_id": pd.Series(pseudobulks.var_names.astype(str), dtype="str"),
            "gene": pd.Series(symbols, dtype="str"),
            "gene_class": pd.Series(classes, dtype="str"),
            "discovery": [not found for found in classes],
        }
    )


def find_profiles(
    pseudobulks: AnnData, genes: pd.DataFrame, usable: set[str], config: StudyConfig
) -> Iterator[Profiles]:
    """The profiles of every cell type, tissue and visit after the baseline, at rest.

    A patient takes part with at least ``min_cells_pseudobulk`` cells of the type at both visits. A
    gene takes part with at least 10 counts in ``min_patients_per_arm`` of these patients' samples,
    whatever their arms. Library sizes count the genes without a class only: receptor, ribosomal or
    mitochondrial genes that change must not seem to lower all others.

    Parameters
    ----------
    pseudobulks
        As `hiaim_sc.compare.sum_pseudobulks` returns it.
    genes
        As `tabulate_genes` returns it.
    usable
        Samples that may be used.
    config
        Design and options.
    """
    design, options = config.design, config.options.compare
    counts = sp.csr_matrix(pseudobulks.X)
    sizes = np.asarray(counts[:, genes["discovery"].to_numpy()].sum(axis=1)).ravel()
    obs = pd.DataFrame(pseudobulks.obs).reset_index(drop=True)
    is_used = obs["sample_id"].isin(usable) & (obs["session_phase"] == _PHASE) & (sizes > 0)
    obs = obs[is_used & (obs["n_cells"] >= options.min_cells_pseudobulk)]
    keys = obs[["cell_type", "tissue"]].astype(str).drop_duplicates()
    for cell_type, tissue in sorted(keys.itertuples(index=False, name=None)):
        here = obs[(obs["cell_type"] == cell_type) & (obs["tissue"] == tissue)]
        row_of = {str(visit): _rows_by_patient(rows) for visit, rows in here.groupby("visit")}
        for visit in design.follow_ups or (design.baseline,):
            visits = (design.baseline, visit) if design.follow_ups else (visit,)
            if not all(name in row_of for name in visits):
                continue
            rows = pd.concat([row_of[name] for name in visits], axis=1, join="inner").sort_index()
            if rows.empty:
                continue
            values, measured, kept = _measure(counts, sizes, rows.to_numpy(), options)
            known = genes[kept].reset_index(drop=True)
            known["mean_log2_cpm"] = values.mean(axis=(0, 1))
            is_change = len(visits) == 2
            outcome = values[1] - values[0] if is_change else values[0]
            where = cell_type, tissue, visit, _PHASE
            yield Profiles(*where, is_change, rows.index, known, outcome, measured)


def _rows_by_patient(rows: pd.DataFrame) -> pd.Series:
    return pd.Series(rows.index.to_numpy(), index=rows["patient_id"].astype(str))


def _measure(
    counts: sp.csr_matrix, sizes: np.ndarray, rows: np.ndarray, options: CompareOptions
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Log2 counts per million and counts, (visits, patients, genes kept); which genes are kept."""
    order = rows.T.ravel()
    chosen = counts[order]
    enough = np.asarray((chosen >= _LEAST_COUNTS).sum(axis=0)).ravel()
    kept = enough >= options.min_patients_per_arm
    found = chosen[:, kept].toarray()
    shape = rows.shape[1], len(rows), -1
    return log_cpm(found, sizes[order]).reshape(shape), found.reshape(shape), kept
