"""Every sample's clones in numbers, class by class."""

from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from hiaim_sc.compare import locate_samples, tabulate_repertoires
from hiaim_sc.config import CompareOptions, Design
from hiaim_sc.names import CELL_CLASSES, REASONS_MISSING, RELEASE_TABLES

DESIGN = Design(
    arms=("control", "exercise"), visits={"baseline": 0, "week6": 42}, tissues=("blood", "tumor")
)
OPTIONS = CompareOptions(depth={"blood": 10, "tumor": 10}, diversity_draws=3)
BLOOD = "P1-baseline-blood-rest"
CLONES = (10, 5, 3, 1, 1)
PLACES = {
    BLOOD: ("P1", "baseline", "blood"),
    "P1-week6-blood-rest": ("P1", "week6", "blood"),
    "P1-baseline-tumor-rest": ("P1", "baseline", "tumor", "lesion_unsafe"),
}


@pytest.fixture(scope="module")
def tabulate(make_cells, make_expected, make_states, make_identity):
    def build(samples=None, *, options=OPTIONS, relabel=None):
        samples = {BLOOD: CLONES} if samples is None else samples
        located = locate_samples(
            make_expected(list(PLACES.values())), make_states(list(PLACES)), make_identity()
        )
        cells = [
            make_cells(f"L{name}", name, {"T": sum(clones), "B": 3}, clones)
            for name, clones in samples.items()
        ]
        cells = pd.concat(cells, ignore_index=True)
        cells = cells if relabel is None else relabel(cells)
        table = tabulate_repertoires(cells, located, design=DESIGN, options=options)
        return table.set_index(["sample_id", "cell_class"])

    return build


def test_the_worked_numbers_of_five_clones(tabulate):
    row = tabulate().loc[(BLOOD, "CD8")]
    known = {
        "n_cells": 20, "n_clones": 5, "n_singletons": 2, "n_cells_small": 3, "n_cells_medium": 5,
        "n_cells_large": 10, "n_cells_hyperexpanded": 0, "frac_top_1": 0.5, "frac_top_10": 1.0,
        "frac_expanded": 0.9, "d50": 1, "shannon": 1.277288, "clonality": 0.2063761,
        "simpson": 0.3052632, "gini": 0.44, "hill_1": 3.5869, "hill_2": 2.941176, "chao1": 6.0,
        "detection_limit": 1 - 0.05 ** (1 / 20), "depth": 10, "hill_0_m": 3.878478,
        "shannon_m": 1.143650, "hill_1_m": math.exp(1.143650),
    }  # fmt: skip
    # six digits after the point in print
    assert row[list(known)].astype(float).to_dict() == pytest.approx(known, abs=2e-6)
    assert row["reason_missing"] == ""


def test_at_full_depth_the_sample_is_as_counted(tabulate):
    options = OPTIONS.model_copy(update={"depth": {"blood": 20, "tumor": 20}})
    row = tabulate(options=options).loc[(BLOOD, "T")]
    pairs = {
        "hill_0_m": "n_clones", "hill_1_m": "hill_1", "hill_2_m": "hill_2", "shannon_m": "shannon",
        "clonality_m": "clonality", "gini_m": "gini", "expfrac_m": "frac_expanded",
        "coverage_m": "coverage",
    }  # fmt: skip
    assert row[list(pairs)].tolist() == pytest.approx(row[list(pairs.values())].tolist())


def test_classes_are_counted_apart_and_invariant_cells_not_at_all(tabulate):
    def relabel(cells):
        cells.loc[:9, "cell_type_lineage"] = "CD4"
        cells.loc[10:14, "invariant"] = "MAIT"
        return cells

    table = tabulate(relabel=relabel)
    sizes = table.loc[BLOOD, ["n_cells", "n_clones"]].to_numpy().tolist()
    assert dict(zip(CELL_CLASSES, sizes, strict=True)) == {
        "T": [15, 4],
        "CD8": [5, 3],
        "CD4": [10, 1],
    }
    # a single clone of ten cells: no evenness, and as counted it has no clonality
    assert np.isnan(table.loc[(BLOOD, "CD4"), "clonality"])


def test_the_reason_says_why_nothing_stands_at_the_depth(tabulate):
    table = tabulate({BLOOD: (5, 4)})
    shallow = table.loc[(BLOOD, "CD8")]
    assert (shallow["n_cells"], shallow["reason_missing"]) == (9, "below_depth")
    assert shallow["frac_top_1"] == pytest.approx(5 / 9)
    at_depth = [name for name in table if name.endswith("_m")]
    assert shallow[at_depth].isna().all()
    reasons = table["reason_missing"].groupby("sample_id").first().to_dict()
    assert reasons == {
        BLOOD: "below_depth",
        "P1-week6-blood-rest": "no_vdj",
        "P1-baseline-tumor-rest": "lesion_unsafe",
    }
    assert set(reasons.values()) <= set(REASONS_MISSING)
    others = table[table.index.get_level_values("sample_id") != BLOOD]
    known = ["patient_id", "tissue", "visit", "session_phase", "depth", "reason_missing"]
    assert others.drop(columns=known).isna().all(axis=None)


def test_a_row_per_expected_sample_and_class_in_order(tabulate):
    table = tabulate().reset_index()
    assert set(table) == set(RELEASE_TABLES["repertoires"])
    assert table["cell_class"].tolist() == list(CELL_CLASSES) * 3
    assert table["sample_id"].drop_duplicates().tolist() == list(PLACES)


def test_sizes_are_the_options(tabulate):
    row = tabulate(options=OPTIONS.model_copy(update={"clone_sizes": (3, 4, 5, 10)})).loc[
        (BLOOD, "T")
    ]
    assert row[["n_cells_small", "n_cells_medium", "n_cells_large"]].tolist() == [3, 0, 5]
    assert row["n_cells_hyperexpanded"] == 10
    for limits in ((5, 2, 10, 20), (1, 2, 3, 4)):
        with pytest.raises(ValidationError, match="must ascend, from 2 or more cells"):
            CompareOptions(clone_sizes=limits)


@settings(deadline=None, max_examples=10)
@given(data=st.data())
def test_names_of_clones_and_order_of_cells_do_not_matter(tabulate, data):
    order = data.draw(st.permutations(range(23)))
    names = data.draw(st.permutations([f"P1:{i:03d}" for i in range(5)]))

    def relabel(cells):
        renamed = cells["clone_key"].map(
            dict(zip(sorted(cells["clone_key"].dropna().unique()), names, strict=True))
        )
        return cells.assign(clone_key=renamed).iloc[order]

    pd.testing.assert_frame_equal(tabulate(relabel=relabel), tabulate())
