"""Whether a gene is on: counts of a cell, or of a cell and its like, against two levels."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

PER = 1e4
# Bounds in counts per 10,000. A gene that is off shows leakage and ambient RNA; one that is on at
# least so much, and several times what it shows when off.
_OFF_BOUNDS = (0.03, 1.0)
_LEAST_ON = 0.3
_LEAST_FOLD = 4.0
_PRIOR_ON, _PRIOR_WEIGHT = 2.0, 10.0  # level, and its weight in units of 10,000 counts
_START_QUANTILES = (0.1, 0.99)
_START_SHARE = 0.2
_LEAST_SHARE = 1e-3
_N_ROUNDS = 25
_DISPERSION = 0.3
_MOST_EVIDENCE = 6.0
# Chance that a gene is on in a cell of a type: one for it, one against it; and in any cell.
_P_FOR, _P_AGAINST, _P_ANY = 0.85, 0.05, 0.25


@dataclass(frozen=True)
class GeneLevels:
    """What each gene shows where it is off and where it is on, in counts per 10,000.

    Attributes
    ----------
    genes
        Names, in the order of the columns of counts.
    off, on
        (genes,).
    """

    genes: tuple[str, ...]
    off: np.ndarray
    on: np.ndarray

    def weigh(self, counts: np.ndarray, total_counts: np.ndarray) -> np.ndarray:
        """(n_cells, genes) log likelihood ratio of on against off, between -6 and 6.

        Counts are negative binomial around the level times ``total_counts`` / 10,000, dispersion
        0.3.
        """
        exposure = np.maximum(total_counts, 1.0)[:, None] / PER
        ratio = _log_likelihood(counts, exposure * self.on)
        ratio -= _log_likelihood(counts, exposure * self.off)
        return np.clip(ratio, -_MOST_EVIDENCE, _MOST_EVIDENCE)

    def column(self, gene: str) -> int | None:
        """Column of a gene; None where it was not measured."""
        return self.genes.index(gene) if gene in self.genes else None


def fit_levels(genes: Sequence[str], counts: np.ndarray, total_counts: np.ndarray) -> GeneLevels:
    """Levels of each gene by expectation and maximisation over cells that are off or on (Poisson).

    Within absolute bounds: off is at most 1 count per 10,000, on at least 0.3 and four times off.
    A gene that is on in every cell is therefore found on, and one that is nowhere is found off,
    whatever the other cells are.

    Parameters
    ----------
    genes
        Names of the columns.
    counts
        (n_cells, genes), best pooled over a cell and its neighbours.
    total_counts
        (n_cells,) of all genes, pooled alike.
    """
    exposure = np.maximum(total_counts.astype(float), 1.0) / PER
    if not len(counts):
        on = np.full(len(genes), _PRIOR_ON)
        return GeneLevels(tuple(genes), np.full(len(genes), _OFF_BOUNDS[0]), on)
    low, high = np.quantile(counts / exposure[:, None], _START_QUANTILES, axis=0)
    off = np.clip(low, *_OFF_BOUNDS)
    on = np.maximum(high, np.maximum(_LEAST_ON, _LEAST_FOLD * off))
    share = np.full(len(genes), _START_SHARE)
    for _ in range(_N_ROUNDS):
        ratio = counts * np.log(on / off) - exposure[:, None] * (on - off)
        chance = 1 / (1 + np.exp(-np.clip(ratio + np.log(share / (1 - share)), -50, 50)))
        weight = (chance * exposure[:, None]).sum(axis=0)
        on = (chance * counts).sum(axis=0) + _PRIOR_ON * _PRIOR_WEIGHT
        on /= weight + _PRIOR_WEIGHT
        rest = ((1 - chance) * counts).sum(axis=0)
        off = np.clip(rest / np.maximum(exposure.sum() - weight, 1e-9), *_OFF_BOUNDS)
        on = np.maximum(on, np.maximum(_LEAST_ON, _LEAST_FOLD * off))
        share = np.clip(chance.mean(axis=0), _LEAST_SHARE, 1 - _LEAST_SHARE)
    return GeneLevels(tuple(genes), off, on)


def _log_likelihood(counts: np.ndarray, mean: np.ndarray) -> np.ndarray:
    """Negative binomial log likelihood, without what does not depend on the mean."""
    scaled = _DISPERSION * mean
    return np.asarray(counts * np.log(scaled / (1 + scaled)) - np.log1p(scaled) / _DISPERSION)


def weigh_set(on_off: np.ndarray, positive: Sequence[int], negative: Sequence[int]) -> np.ndarray:
    r"""(n_cells,) log likelihood ratio of a cell type against a cell of no known type.

    :math:`\sum_g \ln \frac{p_g e^{L_g} + 1 - p_g}{q e^{L_g} + 1 - q}`, L the evidence that a gene
    is on, p its chance to be on in the type (0.85 for a gene for it, 0.05 for one against it), q in
    any cell (0.25). 0 without a gene.

    Parameters
    ----------
    on_off
        (n_cells, genes) as `GeneLevels.weigh` returns it.
    positive, negative
        Columns of the genes for and against the type.
    """
    total = np.zeros(len(on_off))
    for columns, chance in ((positive, _P_FOR), (negative, _P_AGAINST)):
        ratio = np.exp(on_off[:, list(columns)])
        gain = np.log(chance * ratio + 1 - chance) - np.log(_P_ANY * ratio + 1 - _P_ANY)
        total += gain.sum(axis=1)
    return total
