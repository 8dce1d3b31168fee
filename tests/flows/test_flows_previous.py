"""What a release takes over from the one before it."""

from __future__ import annotations

import pandas as pd

from flows.publish_release import _previous_cells


def test_clones_of_the_last_release_are_read_from_its_own_table(tmp_path):
    assert _previous_cells(tmp_path) is None
    tables = tmp_path / "first" / "tables"
    tables.mkdir(parents=True)
    (tmp_path / "latest").symlink_to("first")
    assert _previous_cells(tmp_path) is None
    cells = pd.DataFrame({"library_id": ["L1"], "cell_barcode": ["c1"], "clone_key": ["P1||"]})
    cells.to_parquet(tables / "cells.parquet")
    pd.testing.assert_frame_equal(_previous_cells(tmp_path), cells)
