"""What each cell state expresses: markers at realistic counts, and many genes besides."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd

from hiaim_sc.simulate.reference import reference_table
from hiaim_sc.simulate.seeds import generator

if TYPE_CHECKING:
    from hiaim_sc.simulate.settings import SimulationSettings

COUNTS_OF_LEVELS = 3000.0  # the packaged levels are counts in a cell of this many
_NAMED_ID = 8_000_000  # made-up Ensembl-like ids, beyond those in use
_NEUTRAL_ID = 9_000_000
_BASE_SPREAD = 1.2  # log-SD of the mean of genes without a name
_LEAK = 0.004  # mean counts of a marker where it does not belong
_LEAK_SPREAD = 0.5
_GENES_OF_STATE = 40  # further genes that tell one state from its relatives
_FOLD_OF_STATE = 0.8  # their log2 fold
_SHARE_RAISED = 0.75
_FOLD_SPREAD = 0.35


@dataclass(frozen=True)
class Transcriptome:
    """The genes, and what each state of a cell expresses.

    Attributes
    ----------
    genes
        `gene_id`, `symbol`; a row per gene, named genes first.
    states
        Index `state`; `cell_type`, `rna_content` (1: a resting T cell), `groups`.
    levels
        (states, genes) mean counts in a cell of 3,000, before sex, batch and patient; 0 for
        mitochondrial genes and V genes, which cells get by other ways.
    mitochondrial
        (genes,) shares of a cell's mitochondrial counts, adding up to 1.
    of_sex
        Sex: (genes,) mean counts in a cell of 3,000.
    is_stress
        (genes,) whether dissociation of a biopsy raises it.
    """

    genes: pd.DataFrame
    states: pd.DataFrame
    levels: np.ndarray
    mitochondrial: np.ndarray
    of_sex: dict[str, np.ndarray]
    is_stress: np.ndarray

    def column_of(self, symbol: str) -> int:
        """Column of a named gene."""
        return int(np.flatnonzero(self.genes["symbol"] == symbol)[0])


def build_transcriptome(settings: SimulationSettings) -> Transcriptome:
    """Levels of every gene in every state, drawn from the seed.

    A marker has the highest of the levels that the packaged table gives to the state's groups,
    and leaks a little elsewhere. Of the genes without a name, whose means are log-normal, each
    group of related states, and each state, raises or lowers a random set.
    """
    rng = generator(settings.seed, "transcriptome")
    markers = reference_table("markers")
    states = reference_table("states").set_index("state")
    symbols = _named_symbols(markers)
    n_neutral = settings.n_genes - len(symbols)
    levels = np.zeros((len(states), settings.n_genes))
    levels[:, : len(symbols)] = _marker_levels(symbols, markers, states, rng)
    neutral = _neutral_levels(n_neutral, states, rng)
    left = COUNTS_OF_LEVELS - levels.sum(axis=1, keepdims=True)
    levels[:, len(symbols) :] = neutral / neutral.sum(axis=1, keepdims=True) * left

    def level_of(group: str) -> np.ndarray:
        return _group_levels(symbols, markers, group, settings.n_genes)

    mitochondrial = level_of("mitochondrial")
    return Transcriptome(
        genes=_name_genes(symbols, n_neutral),
        states=states,
        levels=levels,
        mitochondrial=mitochondrial / mitochondrial.sum(),
        of_sex={"F": level_of("female"), "M": level_of("male")},
        is_stress=level_of("stress") > 0,
    )


def _named_symbols(markers: pd.DataFrame) -> list[str]:
    segments = reference_table("segments")
    v_genes = segments.loc[segments["segment"].isin(["TRAV", "TRBV"]), "gene"]
    return sorted({*markers["gene"], *v_genes})


def _name_genes(symbols: list[str], n_neutral: int) -> pd.DataFrame:
    ids = [f"ENSG{_NAMED_ID + i:011}" for i in range(len(symbols))]
    ids += [f"ENSG{_NEUTRAL_ID + i:011}" for i in range(n_neutral)]
    names = symbols + [f"GENE{i:04}" for i in range(1, n_neutral + 1)]
    return pd.DataFrame({"gene_id": ids, "symbol": names})


def _group_levels(
    symbols: list[str], markers: pd.DataFrame, group: str, n_genes: int
) -> np.ndarray:
    levels = np.zeros(n_genes)
    of_group = markers[markers["group"] == group]
    levels[np.searchsorted(symbols, of_group["gene"].to_numpy(dtype=str))] = of_group["umi"]
    return levels


def _marker_levels(
    symbols: list[str], markers: pd.DataFrame, states: pd.DataFrame, rng: np.random.Generator
) -> np.ndarray:
    own = markers[~markers["group"].isin(["female", "male", "mitochondrial"])]
    by_group = own.pivot_table(index="group", columns="gene", values="umi", fill_value=0.0)
    levels = np.zeros((len(states), len(symbols)))
    columns = np.searchsorted(symbols, by_group.columns.to_numpy(dtype=str))
    for row, groups in enumerate(states["groups"].str.split()):
        present = by_group.index.intersection(groups)
        leak = _LEAK * rng.lognormal(0, _LEAK_SPREAD, len(columns))
        levels[row, columns] = np.maximum(by_group.loc[present].max().to_numpy(), leak)
    return levels


def _neutral_levels(n_genes: int, states: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    base = rng.normal(0, _BASE_SPREAD, n_genes)
    folds = {
        row.group: _draw_folds(n_genes, row.n_genes, row.log2_fold, rng)
        for row in reference_table("groups").itertuples()
    }
    log_levels = [
        base
        + sum(folds[group] for group in groups.split() if group in folds)
        + _draw_folds(n_genes, _GENES_OF_STATE, _FOLD_OF_STATE, rng)
        for groups in states["groups"]
    ]
    return np.exp(np.array(log_levels))


def _draw_folds(
    n_genes: int, n_changed: int, log2_fold: float, rng: np.random.Generator
) -> np.ndarray:
    """Natural log fold of each gene; all but `n_changed` are 0."""
    folds = np.zeros(n_genes)
    chosen = rng.choice(n_genes, size=min(n_changed, n_genes), replace=False)
    sign = np.where(rng.random(len(chosen)) < _SHARE_RAISED, 1.0, -1.0)
    size = np.abs(rng.normal(log2_fold, _FOLD_SPREAD * log2_fold, len(chosen)))
    folds[chosen] = sign * size * np.log(2)
    return folds
