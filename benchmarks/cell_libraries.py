"""Libraries of made cells in the form of Cell Ranger, for `benchmarks.cells` to read.

Cells are multinomial draws from the profile of their type (20 types in 4 groups), part of them
from one of six programmes that any type may have; each library bends every gene by its own effect
(sd 0.15), each batch by another. About 5,000 UMIs and 1,650 of 33,000 genes per cell; 6 % doublets.
"""

from __future__ import annotations

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass
from functools import partial
from multiprocessing import get_context
from typing import TYPE_CHECKING

import h5py
import numba
import numpy as np
import pandas as pd

from hiaim_sc.annotate import read_panel, read_signatures

if TYPE_CHECKING:
    from pathlib import Path

CELLS_PER_LIBRARY = 5000
_N_GENES = 33_000
_N_TYPES, _N_GROUPS, _N_PROGRAMMES = 20, 4, 6
_LIBRARIES_PER_BATCH = 5
_SEED = 20_261_126
_DOUBLETS = 0.06
_MEDIAN_UMI, _SD_UMI = 4500.0, 0.35
_CHUNK = 80_000  # Cell Ranger's
_MITOCHONDRIAL = (
    *("ND1", "ND2", "ND3", "ND4", "ND4L", "ND5", "ND6"),
    *("CO1", "CO2", "CO3", "ATP6", "ATP8", "CYB"),
)
_STUDY = """study: bench
design:
  arms: [control, exercise]
  visits: {baseline: 0, week1: 7, week2: 14, week3: 21, week4: 28}
  tissues: [tumor]
  strata: []
options:
  qc: {doublets: false, min_genes: 200, min_counts: 500}
  integrate: {n_pcs: 50, umap: false}
"""


@dataclass(frozen=True)
class CellCohort:
    """A study folder of made libraries.

    Attributes
    ----------
    folder
        With study.yaml and its tables.
    libraries
        ``library_id path batch``, in order.
    """

    folder: Path
    libraries: pd.DataFrame

    @property
    def n_cells(self) -> int:
        """Cells of all libraries."""
        return len(self.libraries) * CELLS_PER_LIBRARY


def write_cohort(n_cells: int, folder: Path, *, workers: int = 2) -> CellCohort:
    """Study folder of `n_cells` made cells; libraries that are there already are kept.

    A library depends on its number alone, so that larger cohorts hold the smaller ones.
    """
    n = n_cells // CELLS_PER_LIBRARY
    names = [f"L{i:03d}" for i in range(n)]
    (folder / "libraries").mkdir(parents=True, exist_ok=True)
    paths = [folder / "libraries" / f"{name}.h5" for name in names]
    absent = [i for i, path in enumerate(paths) if not path.exists()]
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        list(pool.map(partial(_write_library, folder=folder / "libraries"), absent))
    batches = [f"run{i // _LIBRARIES_PER_BATCH + 1:02d}" for i in range(n)]
    libraries = pd.DataFrame({"library_id": names, "path": paths, "batch": batches})
    return write_study(folder / f"study-{n_cells}", libraries)


def write_study(study: Path, libraries: pd.DataFrame) -> CellCohort:
    """Study folder of libraries that are written already."""
    study.mkdir(exist_ok=True)
    root = libraries["path"].iloc[0].parent
    (study / "study.yaml").write_text(f"{_STUDY}data_roots: [{root}]\n")
    _write_tables(study, libraries)
    return CellCohort(study, libraries)


def _write_tables(study: Path, libraries: pd.DataFrame) -> None:
    """Five patients have a library each in each of five batches, at another visit each time."""
    number = np.arange(len(libraries))
    n = _LIBRARIES_PER_BATCH
    patient = [f"P{p:03d}" for p in number // n**2 * n + number % n]
    visits = np.array(["baseline", "week1", "week2", "week3", "week4"])
    visit = visits[(number + number // n) % n]
    sample = [f"S{i:03d}" for i in number]
    tables = {
        "participants": {"patient_id": sorted(set(patient))},
        "samples": {
            "sample_id": sample,
            "patient_id": patient,
            "visit": visit,
            "tissue": "tumor",
        },
        "libraries": {
            "library_id": libraries["library_id"],
            "sample_id": sample,
            "batch": libraries["batch"],
            "gex": [str(path) for path in libraries["path"]],
        },
    }
    for name, columns in tables.items():
        pd.DataFrame(columns).to_csv(study / f"{name}.tsv", sep="\t", index=False)


def gene_symbols() -> np.ndarray:
    """Symbols of all genes: those of the packaged panel and signatures, mitochondrial ones, made.

    (n_genes,).
    """
    known = {*read_panel(None)["gene"], *read_signatures(None, {})["gene"]}
    known |= {f"MT-{name}" for name in _MITOCHONDRIAL}
    made = (f"GENE{i:05d}" for i in range(_N_GENES))
    return np.array([*sorted(known), *made][:_N_GENES], dtype=object)


def _profiles(symbols: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Log expression of each type and programme, and whether a gene is mitochondrial."""
    rng = np.random.default_rng(_SEED)
    base = rng.normal(0.0, 2.6, len(symbols))
    is_mt = np.char.startswith(symbols.astype(str), "MT-")
    base[is_mt] = base.max() - 1.5
    panel = read_panel(None)
    markers = panel[(panel["level"] == "compartment") & (panel["sign"] == 1)]
    compartments = sorted(set(markers["cell_type"]))
    is_marker = np.isin(symbols, panel["gene"].to_numpy())
    base[is_marker] = -4.0
    types = np.tile(base, (_N_TYPES + _N_PROGRAMMES, 1))
    usual = np.flatnonzero((base > 0) & ~is_mt)
    for group in range(_N_GROUPS):
        genes = rng.choice(usual, 400, replace=False)
        types[group:_N_TYPES:_N_GROUPS, genes] += rng.normal(0, 1.0, len(genes))
    for row in range(_N_TYPES + _N_PROGRAMMES):
        genes = rng.choice(usual, 150, replace=False)
        types[row, genes] += rng.normal(0, 1.2, len(genes))
        own = markers.loc[markers["cell_type"] == compartments[row % len(compartments)], "gene"]
        if row < _N_TYPES:
            types[row, np.isin(symbols, own.to_numpy())] = 5.0
    return types, is_mt


def _write_library(number: int, folder: Path) -> None:
    symbols = gene_symbols()
    types, is_mt = _profiles(symbols)
    batch = np.random.default_rng([_SEED, 1, number // _LIBRARIES_PER_BATCH])
    rng = np.random.default_rng([_SEED, 2, number])
    effect = batch.normal(0, 0.15, _N_GENES) + rng.normal(0, 0.15, _N_GENES)
    share = np.exp(types + np.where(is_mt, 0.0, effect))
    tables = [_alias(row / row.sum()) for row in share]
    accept, alias = (np.stack(part) for part in zip(*tables, strict=True))
    n = CELLS_PER_LIBRARY
    first = rng.choice(_N_TYPES, n, p=rng.dirichlet(np.full(_N_TYPES, 5.0)))
    second = np.where(rng.random(n) < _DOUBLETS, rng.integers(_N_TYPES, size=n), first)
    programme = _N_TYPES + rng.integers(_N_PROGRAMMES, size=n)
    total = rng.lognormal(np.log(_MEDIAN_UMI), _SD_UMI, n) * np.where(first == second, 1, 1.8)
    drawn = _draw(
        accept,
        alias,
        np.column_stack([first, second, programme]),
        rng.beta(1.0, 5.0, n),
        np.maximum(total.astype(np.int64), 600),
        int(rng.integers(2**31)),
    )
    barcodes = _barcodes(n, rng)
    _write_h5(folder / f"L{number:03d}.h5", drawn, barcodes, symbols)


@numba.njit(cache=True)
def _alias(share):  # noqa: ANN001, ANN202  numba's
    """Walker's tables: draw a column, keep it with `accept`, else take its alias."""
    n = len(share)
    scaled = share * n
    accept, alias = np.ones(n), np.arange(n)
    small = [i for i in range(n) if scaled[i] < 1.0]
    large = [i for i in range(n) if scaled[i] >= 1.0]
    while small and large:
        low, high = small.pop(), large.pop()
        accept[low], alias[low] = scaled[low], high
        scaled[high] -= 1.0 - scaled[low]
        if scaled[high] < 1.0:
            small.append(high)
        else:
            large.append(high)
    return accept, alias


@numba.njit(cache=True)
def _draw(accept, alias, tables, share, total, seed):  # noqa: ANN001, ANN202  numba's
    """CSR arrays of the cells' counts; the last of three tables is taken with `share`."""
    np.random.seed(seed)  # noqa: NPY002  the generator of compiled code
    n_genes = accept.shape[1]
    room = total.sum()
    data, indices = np.empty(room, np.int32), np.empty(room, np.int64)
    indptr = np.zeros(len(total) + 1, np.int64)
    counts = np.zeros(n_genes, np.int32)
    end = 0
    for cell in range(len(total)):
        for _ in range(total[cell]):
            if np.random.random() < share[cell]:  # noqa: NPY002
                table = tables[cell, 2]
            else:
                table = tables[cell, np.random.randint(0, 2)]  # noqa: NPY002
            place = np.random.random() * n_genes  # noqa: NPY002
            gene = int(place)
            if place - gene >= accept[table, gene]:
                gene = alias[table, gene]
            counts[gene] += 1
        for gene in range(n_genes):
            if counts[gene]:
                data[end], indices[end] = counts[gene], gene
                counts[gene] = 0
                end += 1
        indptr[cell + 1] = end
    return data[:end], indices[:end], indptr


def _barcodes(n: int, rng: np.random.Generator) -> np.ndarray:
    letters = np.array(list("ACGT"))
    codes = rng.choice(4**10, n, replace=False)
    digits = codes[:, None] // 4 ** np.arange(10) % 4
    names = ["AACCGG" + "".join(row) + "-1" for row in letters[digits]]
    return np.sort(np.array(names, dtype="S"))  # as Cell Ranger has them


def _write_h5(
    path: Path, drawn: tuple[np.ndarray, ...], barcodes: np.ndarray, symbols: np.ndarray
) -> None:
    ids = np.array([f"ENSG{i:011d}" for i in range(len(symbols))], dtype="S")
    work = path.with_suffix(".part")
    with h5py.File(work, "w") as file:
        group = file.create_group("matrix")
        packed = {"chunks": (_CHUNK,), "compression": "gzip", "shuffle": True}
        for name, values in zip(("data", "indices", "indptr"), drawn, strict=True):
            extra = packed if len(values) > _CHUNK else {}
            group.create_dataset(name, data=values, **extra)
        group.create_dataset("shape", data=np.array([len(symbols), len(barcodes)], np.int32))
        group.create_dataset("barcodes", data=barcodes)
        features = group.create_group("features")
        for name, values in {
            "id": ids,
            "name": symbols.astype("S"),
            "feature_type": np.full(len(ids), b"Gene Expression"),
            "genome": np.full(len(ids), b"GRCh38"),
        }.items():
            features.create_dataset(name, data=values)
    work.rename(path)
