"""What the report says of ambient RNA that was taken off."""

from __future__ import annotations

import numpy as np
import pandas as pd

from hiaim_sc.report.ambient import describe_correction


def libraries_of(*rows):
    columns = ["library_id", "ambient_removed", "ambient_uncorrected"]
    return pd.DataFrame(rows, columns=columns)


def test_libraries_are_counted_and_those_left_named_with_their_reason():
    told = describe_correction(
        libraries_of(("L1", 0.1, ""), ("L2", 0.2, ""), ("L3", 0.0, "3 cells"), ("L4", np.nan, ""))
    )
    assert told == [
        "Embedding, clusters and compartments of all cells rest on counts less ambient RNA in 2 of"
        " 3 libraries (median 15 % of their counts); all else rests on counts as delivered.",
        "Nothing was taken off in L3 (3 cells).",
    ]


def test_many_are_not_all_named():
    told = describe_correction(libraries_of(*((f"L{i}", 0.0, "few") for i in range(5))))
    assert "in 0 of 5 libraries; all else" in told[0]
    assert told[1].endswith(" in L0 (few), L1 (few), L2 (few) and 2 more in libraries_qc.")


def test_nothing_is_said_where_it_is_not_taken_off():
    assert describe_correction(pd.DataFrame({"library_id": ["L1"]})) == []
