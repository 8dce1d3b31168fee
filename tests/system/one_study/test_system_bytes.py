"""The same input gives the same bytes, whatever the order of anything and the number of workers.

Cells and genes of each matrix are shuffled too, not the table of contigs, whose ids order them.
"""

from __future__ import annotations

import random
import shutil

import h5py
import numpy as np
import pytest
import scipy.sparse as sp

from hiaim_sc.names import RELEASE_TABLES

pytestmark = pytest.mark.long


def shuffle_rows(path, seed):
    header, *rows = path.read_text().splitlines(keepends=True)
    random.Random(seed).shuffle(rows)
    path.write_text("".join([header, *rows]))


def shuffle_matrix(path, seed):
    """The same cells and genes in another order."""
    rng = np.random.default_rng(seed)
    with h5py.File(path, "r+") as file:
        group = file["matrix"]
        n_genes, n_cells = group["shape"][:]
        arrays = (group["data"][:], group["indices"][:], group["indptr"][:])
        counts = sp.csr_matrix(arrays, shape=(n_cells, n_genes))
        cells, genes = rng.permutation(n_cells), rng.permutation(n_genes)
        moved = sp.csr_matrix(counts[cells][:, genes])
        for name, values in (
            ("data", moved.data),
            ("indices", moved.indices),
            ("indptr", moved.indptr),
            ("barcodes", group["barcodes"][:][cells]),
        ):
            group[name][:] = values
        for dataset in group["features"].values():
            if dataset.shape == (n_genes,):
                dataset[:] = dataset[:][genes]


def test_shuffled_inputs_and_another_number_of_workers_change_no_byte(
    simulated, hiaim, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("bytes")
    first = run(hiaim, simulated / "study", folder, n_workers=2)
    alone = run(hiaim, simulated / "study", folder, n_workers=1)
    shutil.copytree(simulated / "study", folder / "shuffled")
    tables = sorted((folder / "shuffled").glob("*.tsv"))
    before = [path.read_text() for path in tables]
    for seed, path in enumerate(tables):
        shuffle_rows(path, seed)
    assert [path.read_text() for path in tables] != before
    matrices = sorted((folder / "shuffled").rglob("*.h5"))
    assert matrices
    for seed, path in enumerate(matrices):
        shuffle_matrix(path, seed)
    shuffled = run(hiaim, folder / "shuffled", folder, n_workers=4)
    for name in RELEASE_TABLES:
        for suffix in ("tsv", "parquet"):
            file = f"tables/{name}.{suffix}"
            expected = (first / file).read_bytes()
            assert (alone / file).read_bytes() == expected, file
            assert (shuffled / file).read_bytes() == expected, file


def run(hiaim, study, folder, *, n_workers):
    """A release of the study, nothing of another run reused."""
    places = (
        "--store",
        folder / f"store-{n_workers}",
        "--results",
        folder / f"results-{n_workers}",
    )
    return hiaim.release(study, "--workers", n_workers, *places)
