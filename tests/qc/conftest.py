"""A library with planted cell types, receptors and doublets."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

import numpy as np
import pandas as pd
import pytest
from anndata import AnnData
from scipy import sparse

if TYPE_CHECKING:
    from collections.abc import Sequence

MARKERS = {
    "T": ["CD3D", "CD3E", "CD3G", "CD2", "TRAC"],
    "B": ["MS4A1", "BANK1", "CD19", "CD79A", "CD79B"],
    "myeloid": ["S100A8", "S100A9", "FCN1", "VCAN", "CD14", "LYZ"],
    "epithelial": ["EPCAM", "KRT8", "KRT18", "KRT19", "CLDN7"],
}
N_PLAIN_GENES = 300


@dataclass(frozen=True)
class PlantedLibrary:
    """Counts, receptors, and which cells are doublets, of two types (mixed) or of any."""

    counts: AnnData
    receptors: pd.DataFrame
    is_doublet: np.ndarray
    is_mixed: np.ndarray


def to_counts(matrix, symbols: Sequence[str]) -> AnnData:
    names = [f"C{i:05d}-1" for i in range(len(matrix))]
    ids = [f"ENSG{i:011d}" for i in range(len(symbols))]
    return AnnData(
        sparse.csr_matrix(np.asarray(matrix, dtype=np.int32)),
        obs=pd.DataFrame(index=names),
        var=pd.DataFrame({"symbol": list(symbols)}, index=ids),
    )


def to_receptors(cells, n_vj, n_vdj, receptor_type="TCR") -> pd.DataFrame:
    table = pd.DataFrame({"cell_barcode": cells, "n_VJ": n_vj, "n_VDJ": n_vdj})
    table = table.assign(receptor_type=receptor_type, chain_pairing="single pair")
    return table[(table["n_VJ"] + table["n_VDJ"]) > 0].reset_index(drop=True)


def plant_library(
    *, seed: int = 0, n_cells: int = 500, rate: float = 0.03, ambient: float = 0.08
) -> PlantedLibrary:
    """Four types that differ in markers and in other genes; doublets are sums of two cells."""
    rng = np.random.default_rng(seed)
    symbols = [gene for genes in MARKERS.values() for gene in genes]
    base = np.concatenate([np.full(len(symbols), 0.02), rng.lognormal(0, 1, N_PLAIN_GENES)])
    profiles = []
    for genes in MARKERS.values():
        profile = base * np.exp(rng.normal(0, 0.3, len(base)))
        profile[[symbols.index(gene) for gene in genes]] = rng.uniform(1, 4, len(genes))
        profiles.append(profile / profile.sum())
    n_doublets = round(rate * n_cells)
    types = rng.choice(len(MARKERS), n_cells + n_doublets, p=[0.5, 0.15, 0.2, 0.15])
    depth = rng.lognormal(np.log(1500), 0.4, len(types))
    mean = (1 - ambient) * np.array(profiles)[types] + ambient * np.mean(profiles, axis=0)
    matrix = rng.poisson(depth[:, None] * mean)
    chains = rng.binomial(1, 0.9, (len(types), 2)) * (types == 0)[:, None]
    chains += chains * rng.binomial(1, [0.12, 0.03], chains.shape)
    matrix[:n_doublets] += matrix[n_cells:]
    chains[:n_doublets] += chains[n_cells:]
    counts = to_counts(matrix[:n_cells], [*symbols, *(f"GENE{i}" for i in range(N_PLAIN_GENES))])
    is_doublet = np.arange(n_cells) < n_doublets
    is_mixed = is_doublet.copy()
    is_mixed[:n_doublets] = types[:n_doublets] != types[n_cells:]
    receptors = to_receptors(counts.obs_names, *chains[:n_cells].T)
    return PlantedLibrary(counts, receptors, is_doublet, is_mixed)


@pytest.fixture
def make_counts():
    return to_counts


@pytest.fixture
def make_receptors():
    return to_receptors


@pytest.fixture(scope="session")
def planted_libraries():
    """Ten libraries of ten seeds."""
    return [plant_library(seed=seed) for seed in range(10)]


@pytest.fixture
def make_planted():
    return plant_library
