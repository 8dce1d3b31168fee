"""Which cells the clonal endpoints count, and at which depth."""

from __future__ import annotations

import pytest

from hiaim_sc.compare.endpoints.clonal import choose_depth, choose_population, count_clones
from hiaim_sc.config import CompareOptions


def test_the_depth_is_the_tenth_percentile_but_never_below_the_minimum():
    options = CompareOptions(min_depth=100)
    assert choose_depth(range(0, 1001, 100), options) == 190
    assert choose_depth([5, 10], options) == 100
    assert choose_depth([], options) == 100


@pytest.mark.parametrize(("n_without", "population"), [(0, "CD8"), (10, "CD8"), (11, "T")])
def test_lineages_are_used_where_most_cells_have_them(make_cells, n_without, population):
    cells = make_cells("L1", "P1", {"T": 20}, [10, 10])
    cells.loc[cells.index[:n_without], "total_counts"] = None
    assert choose_population(cells) == population


def test_clones_are_counted_within_the_population(make_cells):
    cells = make_cells("L1", "P1", {"T": 20, "NK": 5}, [10, 6])
    cells.loc[cells.index[:4], "cell_type_lineage"] = "CD4"
    assert count_clones(cells, "CD8").to_dict() == {"P1:000": 6, "P1:001": 6}
    assert count_clones(cells, "T").to_dict() == {"P1:000": 10, "P1:001": 6}
