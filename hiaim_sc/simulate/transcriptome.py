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
_MAX_STATES_OF_GROUP = 8  # a group that more of the fine states have is no state's own
_LEFT_OF_LOST = 0.02
_IDENTITY = ("gamma_delta", "ilc", "mait", "nk_core", "treg_core")  # what the cells are named by
_OUTSIDE_STATES = ("female", "male", "mitochondrial")


@dataclass(frozen=True)
class Transcriptome:
    """The genes, and what each state of a cell expresses.

    Attributes
    ----------
    genes
        `gene_id`, `symbol`; a row per gene, named genes first.
    states
        Index `state`; `cell_type`, `rna_content` (1: a resting T cell), `groups`, and of the fine
        states `cell_state flags source` and how frequent each is among cells of its source.
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

    With `fine_states`, a marker of a fine state is off with probability `marker_loss`, and all its
    markers are higher or lower than the table has them by `marker_spread`: what a state expresses
    is then not what a panel says of it.
    """
    rng = generator(settings.seed, "transcriptome")
    states = choose_states(fine=settings.fine_states)
    markers = _choose_markers(states)
    symbols = _named_symbols(markers)
    n_neutral = settings.n_genes - len(symbols)
    levels = np.zeros((len(states), settings.n_genes))
    levels[:, : len(symbols)] = _marker_levels(symbols, markers, states, rng)
    if settings.fine_states:
        levels[:, : len(symbols)] *= _marker_noise(settings, symbols, markers, states)
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


def choose_states(*, fine: bool) -> pd.DataFrame:
    """The states of cells: broad ones, or those of `fine_states` in place of T and NK cells."""
    broad = reference_table("states").set_index("state")
    if not fine:
        return broad
    own = reference_table("fine_states").set_index("state")
    others = broad[~broad["cell_type"].isin(own["cell_type"])]
    table = pd.concat([own, others])
    texts = ["cell_state", "flags", "source"]
    return table.fillna(dict.fromkeys(texts, "")).fillna(0.0)


def _choose_markers(states: pd.DataFrame) -> pd.DataFrame:
    """Markers of the groups that any state has."""
    markers = reference_table("markers")
    groups = {group for of_state in states["groups"].str.split() for group in of_state}
    return markers[markers["group"].isin({*groups, *_OUTSIDE_STATES})]


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
    own = markers[~markers["group"].isin(_OUTSIDE_STATES)]
    by_group = own.pivot_table(index="group", columns="gene", values="umi", fill_value=0.0)
    levels = np.zeros((len(states), len(symbols)))
    columns = np.searchsorted(symbols, by_group.columns.to_numpy(dtype=str))
    for row, groups in enumerate(states["groups"].str.split()):
        present = by_group.index.intersection(groups)
        leak = _LEAK * rng.lognormal(0, _LEAK_SPREAD, len(columns))
        levels[row, columns] = np.maximum(by_group.loc[present].max().to_numpy(), leak)
    return levels


def _marker_noise(
    settings: SimulationSettings, symbols: list[str], markers: pd.DataFrame, states: pd.DataFrame
) -> np.ndarray:
    """(states, symbols) what multiplies each level: log-normal, or the leak alone where lost.

    Only markers of states can be lost, not what many states have or what cells are named by: CD3 is
    in every T cell, FOXP3 in every Treg.
    """
    rng = generator(settings.seed, "marker noise")
    shape = len(states), len(symbols)
    noise = rng.lognormal(0, settings.marker_spread, shape)
    is_lost = rng.random(shape) < settings.marker_loss
    of_fine = set(reference_table("fine_states")["state"])
    count = states.loc[states.index.isin(of_fine), "groups"].str.split().explode().value_counts()
    kept = [*count.index[count > _MAX_STATES_OF_GROUP], *_IDENTITY, *_OUTSIDE_STATES]
    shared = set(markers.loc[markers["group"].isin(kept), "gene"])
    is_lost &= ~np.isin(symbols, sorted(shared)) & states.index.isin(of_fine)[:, None]
    noise[:, np.isin(symbols, sorted(shared))] **= 0.5
    noise[~states.index.isin(of_fine)] = 1.0
    return np.where(is_lost, _LEFT_OF_LOST, noise)


def _neutral_levels(n_genes: int, states: pd.DataFrame, rng: np.random.Generator) -> np.ndarray:
    base = rng.normal(0, _BASE_SPREAD, n_genes)
    used = {group for of_state in states["groups"].str.split() for group in of_state}
    folds = {
        row.group: _draw_folds(n_genes, row.n_genes, row.log2_fold, rng)
        for row in reference_table("groups").itertuples()
        if row.group in used
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
