"""The same input gives the same bytes, whatever the order of rows or the number of workers."""

from __future__ import annotations

import random
import shutil

import pytest

from hiaim_sc.names import RELEASE_TABLES

pytestmark = pytest.mark.slow


def shuffle_rows(path, seed):
    header, *rows = path.read_text().splitlines(keepends=True)
    random.Random(seed).shuffle(rows)
    path.write_text("".join([header, *rows]))


def test_shuffled_tables_and_another_number_of_workers_change_no_byte(
    simulated, hiaim, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("bytes")
    first = hiaim.release(
        simulated / "study", "--workers", 2, "--store", folder / "s2", "--results", folder / "r2"
    )
    shutil.copytree(simulated / "study", folder / "shuffled")
    tables = sorted((folder / "shuffled").glob("*.tsv"))
    before = [path.read_text() for path in tables]
    for seed, path in enumerate(tables):
        shuffle_rows(path, seed)
    assert [path.read_text() for path in tables] != before
    second = hiaim.release(
        folder / "shuffled", "--workers", 1, "--store", folder / "s1", "--results", folder / "r1"
    )
    for name in RELEASE_TABLES:
        for suffix in ("tsv", "parquet"):
            file = f"tables/{name}.{suffix}"
            assert (first / file).read_bytes() == (second / file).read_bytes(), file
