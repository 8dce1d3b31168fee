"""The benchmark of receptors measures what it says: scirpy's clones from real-looking tables."""

from __future__ import annotations

import pandas as pd
import pytest

from benchmarks.receptor_cohorts import PLACES, write_cohort
from benchmarks.receptor_runs import compare_partitions, measure_ours
from hiaim_sc.config import TcrOptions

CELLS = 800


@pytest.fixture(scope="module")
def cohort(tmp_path_factory):
    """Nine libraries of two patients."""
    return write_cohort(CELLS, tmp_path_factory.mktemp("cohort"), cells_per_library=90)


@pytest.fixture(scope="module")
def ours(cohort, tmp_path_factory):
    options = TcrOptions(orphan_rescue=False)
    return measure_ours(cohort, tmp_path_factory.mktemp("ours"), workers=1, options=options)


def test_the_tables_are_of_so_many_cells_and_real_shares(cohort):
    tables = [
        pd.read_csv(path).assign(library_id=name, patient_id=name <= "L007")
        for name, path in cohort.files.items()
    ]
    contigs = pd.concat(tables).query("productive")
    assert (len(cohort.files), cohort.layout["patient_id"].nunique()) == (9, 2)
    assert len(PLACES) == 7
    n_chains = contigs.pivot_table(
        index=["library_id", "barcode"], columns="chain", aggfunc="size", fill_value=0
    )
    assert len(n_chains) == CELLS
    # five binomial standard deviations around what is drawn
    assert (n_chains == 0).any(axis=1).mean() == pytest.approx(0.15, abs=0.063)
    assert (n_chains["TRA"] == 2).mean() == pytest.approx(0.9 * 0.15 * 0.75, abs=0.055)
    beta = contigs[contigs["chain"] == "TRB"]
    sizes = beta.groupby(["patient_id", "cdr3_nt"]).size()
    assert 1.8 < sizes.mean() < 6
    assert beta.groupby("cdr3_nt")["library_id"].nunique().max() > 3


def test_every_step_is_measured(ours):
    found, clones = ours
    assert list(found.steps) == ["receptors", "clones", "table", "tracking", "sharing"]
    assert min(found.steps.values()) > 0
    assert found.n_cells == len(clones) == CELLS
    assert found.peak_gb > 0.05


def test_partitions_differ_by_the_clones_that_are_not_the_same():
    cells = pd.Index(list("abcdef"), name="cell")
    ours = pd.Series(["1", "1", "2", "3", "3", None], cells)
    theirs = pd.Series(["x", "x", "y", "y", "y", "z"], cells)
    assert compare_partitions(ours, theirs) == {
        "cells": 5,
        "cells of one only": 1,
        "clones": 3,
        "clones of theirs": 2,
        "same clones": 1,
    }


@pytest.mark.slow
def test_clones_are_those_of_the_plain_script(cohort, ours):
    from benchmarks.receptors_plain import measure_plain

    _, theirs = measure_plain(cohort, workers=1)
    same = compare_partitions(ours[1], theirs)
    assert same["cells"] == CELLS
    assert same["cells of one only"] == 0
    assert same["clones"] == same["clones of theirs"] == same["same clones"] > 100
