"""What the report says of the integration."""

from __future__ import annotations

import pandas as pd

from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.report.integration import describe_mixing, view_dominated


def metrics_of(reason=""):
    rows = [("batch", 1.24, 2.51, 4), ("patient", 1.1, 1.9, 6), ("cell_type", 1.0, 1.01, 9)]
    return pd.DataFrame(
        [("lisi", level, before, after, 2000, n, reason) for level, before, after, n in rows],
        columns=list(RELEASE_TABLES["integration_metrics"]),
    )


def clusters_of(*dominated):
    rows = [
        (
            str(i),
            level,
            100,
            3,
            "P1" if level == "patient" else "run1",
            0.9,
            0.2,
            (i, level) in dominated,
        )
        for i in range(3)
        for level in ("batch", "patient")
    ]
    columns = "leiden level n_cells n_groups largest share share_of_all is_dominated"
    return pd.DataFrame(rows, columns=columns.split())


def test_the_change_and_its_limits_are_told_and_the_clusters_named():
    told = describe_mixing(metrics_of(), clusters_of((1, "patient")))
    assert told[0] == (
        "How many groups a cell's nearest neighbours are effectively of before and after the"
        " integration (median LISI): 1.2 and 2.5 of 4 batches, 1.1 and 1.9 of 6 patients and 1.0"
        " and 1.0 of 9 cell types."
    )
    assert any("1 cluster of 3 is dominated by one patient: 1 (P1)" in line for line in told)
    assert "No cluster is dominated by one batch." in told


def test_cells_that_were_not_integrated_are_said_to_be_with_the_reason():
    told = describe_mixing(metrics_of("all libraries are of one batch"), clusters_of())
    assert told[0] == "The cells were not integrated: all libraries are of one batch."
    assert told[1].endswith(
        "(median LISI): 1.2 of 4 batches, 1.1 of 6 patients and 1.0 of 9 cell types."
    )


def test_nothing_embedded_nothing_said():
    assert describe_mixing(metrics_of().assign(n_cells=0), clusters_of().iloc[:0]) == []


def test_only_dominated_clusters_are_listed():
    found = view_dominated(clusters_of((0, "batch"), (2, "patient")))
    assert [row[0] for row in found.rows] == ["0", "2"]
