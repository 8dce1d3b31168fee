"""Droplets without a cell: a few counts of ambient RNA each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
from scipy import sparse

if TYPE_CHECKING:
    from hiaim_sc.simulate.settings import SimulationSettings

_MEDIAN_COUNTS, _SPREAD = 25.0, 0.6  # median and log-SD of the counts of an empty droplet


def draw_empty_droplets(
    settings: SimulationSettings, soup: np.ndarray, rng: np.random.Generator
) -> sparse.csr_matrix | None:
    """Counts drawn from `soup`, (genes,) shares that add up to 1; None where none are asked for.

    Empty droplets x genes, CSR int32; the totals are Poisson around log-normal means.
    """
    if not settings.empty_droplets:
        return None
    n = settings.empty_droplets
    total = rng.poisson(_MEDIAN_COUNTS * np.exp(rng.normal(0, _SPREAD, n)))
    droplet = np.repeat(np.arange(n), total)
    gene = rng.choice(len(soup), size=len(droplet), p=soup)
    counts = (np.ones(len(gene), dtype=np.int32), (droplet, gene))
    return sparse.csr_matrix(counts, shape=(n, len(soup)))
