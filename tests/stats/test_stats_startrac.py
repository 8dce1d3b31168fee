from __future__ import annotations

import math

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.stats.contingency import expected_freq

from hiaim_sc.stats import pairwise_migration, pairwise_transition, startrac, tissue_preference

# clone, cluster, location, number of cells
SIXTEEN = [
    (1, "K1", "P", 3),
    (1, "K1", "T", 1),
    (1, "K2", "T", 4),
    (2, "K1", "P", 2),
    (3, "K2", "T", 2),
    (3, "K2", "N", 1),
    (4, "K1", "T", 1),
    (5, "K2", "N", 1),
    (6, "K1", "P", 1),
]
TEN = [
    ("c1", "k1", "blood", 2),
    ("c1", "k1", "tumour", 2),
    ("c2", "k1", "tumour", 1),
    ("c2", "k2", "tumour", 1),
    ("c3", "k2", "blood", 1),
    ("c3", "k2", "tumour", 1),
    ("c4", "k1", "blood", 1),
]
cells = st.lists(
    st.tuples(st.sampled_from("abcd"), st.sampled_from(["x", "y", "z"]), st.sampled_from("BT")),
    min_size=1,
    max_size=30,
)


def expand(rows):
    table = pd.DataFrame(rows, columns=["clone", "cluster", "location", "n"])
    table = table.loc[table.index.repeat(table["n"])]
    return table["clone"], table["cluster"], table["location"]


def entropy_bits(labels):
    share = np.unique(labels, return_counts=True)[1] / len(labels)
    return float(-(share * np.log2(share)).sum())


def test_sixteen_cells():
    table = startrac(*expand(SIXTEEN))
    assert list(table.index) == ["K1", "K2"]
    assert table["n_cells"].tolist() == [8, 8]
    assert table["n_clones"].tolist() == [4, 3]
    np.testing.assert_allclose(table["expa"], [0.125, 0.1131405], atol=5e-8)
    np.testing.assert_allclose(table["migr"], [0.4772170, 0.8215779], atol=5e-8)
    np.testing.assert_allclose(table["tran"], [0.5, 0.5], atol=1e-12)
    np.testing.assert_allclose(table["gini"], [0.3125, 0.25], atol=1e-12)


def test_ten_cells():
    table = startrac(*expand(TEN))
    np.testing.assert_allclose(table.loc["k1", ["expa", "migr", "tran"]], [0.2103099, 2 / 3, 1 / 6])
    np.testing.assert_allclose(
        table.loc["k2", ["expa", "migr", "tran"]].astype(float),
        [0.0817042, 2 / 3, 1 / 3],
        atol=5e-8,
    )


def test_pairs():
    clone, cluster, location = expand(SIXTEEN)
    transition = pairwise_transition(clone, cluster)
    assert transition.values.tolist() == [["K1", "K2", 0.5]]
    migration = pairwise_migration(clone, cluster, location).set_index(
        ["cluster", "location_1", "location_2"]
    )["migr"]
    assert migration["K1", "P", "T"] == pytest.approx(0.4056391, abs=5e-8)
    assert migration["K2", "N", "T"] == pytest.approx(0.3443609, abs=5e-8)
    assert migration["K2", "P", "T"] == 0
    assert len(migration) == 6


def test_pair_without_cells_is_undefined():
    migration = pairwise_migration(["a", "b"], ["x", "y"], ["B", "T"])
    assert migration["migr"].tolist() == [0.0, 0.0]
    three = pairwise_migration(["a", "b", "b"], ["x", "y", "y"], ["B", "T", "N"])
    lost = three.query("cluster == 'x' and location_1 == 'N' and location_2 == 'T'")
    assert math.isnan(lost["migr"].iloc[0])


def test_one_clone_has_no_expansion():
    table = startrac(["a", "a"], ["x", "x"], ["B", "T"])
    assert math.isnan(table.loc["x", "expa"])
    assert table.loc["x", "migr"] == 1


@given(cells)
def test_migration_and_transition_are_means_over_cells(rows):
    table = pd.DataFrame(rows, columns=["clone", "cluster", "location"])
    result = startrac(table["clone"], table["cluster"], table["location"])
    for name, column in (("migr", "location"), ("tran", "cluster")):
        per_cell = table["clone"].map(table.groupby("clone")[column].agg(entropy_bits))
        expected = per_cell.groupby(table["cluster"]).mean()
        np.testing.assert_allclose(result[name], expected[result.index], atol=1e-12)


@given(cells, st.randoms(use_true_random=False))
def test_names_of_clones_and_order_of_cells_do_not_matter(rows, random):
    renamed = [({"a": "d", "b": "c", "c": "b", "d": "a"}[c], j, place) for c, j, place in rows]
    random.shuffle(renamed)
    one = startrac(*zip(*rows, strict=True))
    other = startrac(*zip(*renamed, strict=True))
    pd.testing.assert_frame_equal(one, other, rtol=1e-12)


def test_preference_is_observed_over_expected():
    _, cluster, location = expand(SIXTEEN)
    found = tissue_preference(cluster, location)
    seen = pd.crosstab(pd.Series(cluster), pd.Series(location))
    expected = expected_freq(seen.to_numpy())
    np.testing.assert_allclose(found, seen.to_numpy() / expected)
    assert found.loc["K1"].to_dict() == {"N": 0.0, "P": 2.0, "T": 0.5}
    assert (found.index.name, found.columns.name) == ("cluster", "location")
    with pytest.raises(ValueError, match="location has 1 values"):
        tissue_preference(["a", "b"], ["B"])


def test_numbered_clusters_are_in_the_order_of_numbers():
    assert startrac(["a", "b", "a"], [10, 2, 2], ["B", "B", "B"]).index.tolist() == [2, 10]


def test_no_cells_give_no_rows():
    table = startrac([], [], [])
    assert len(table) == 0
    assert {"expa", "migr", "tran"} <= set(table.columns)


def test_impossible_input():
    with pytest.raises(ValueError, match="clone has missing"):
        startrac(["a", None], ["x", "x"], ["B", "B"])
    with pytest.raises(ValueError, match="location has 1 values"):
        startrac(["a", "b"], ["x", "x"], ["B"])
