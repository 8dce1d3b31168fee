"""Figures of bulk screens."""

from __future__ import annotations

import numpy as np
import pandas as pd
import pytest
from matplotlib.collections import PathCollection

from hiaim_sc.names import RELEASE_TABLES
from hiaim_sc.report.figures import bulk_dots, bulk_volcano


@pytest.fixture
def responses() -> pd.DataFrame:
    """Two patients and a control, 30 dna_barcodes of two HLA; three responses."""
    rng = np.random.default_rng(1)
    names = [f"A1B{i}" for i in range(30)]
    rows = [
        {
            "screen_id": "X1",
            "sample_tag": tag,
            "sample_id": sample,
            "patient_id": patient,
            "dna_barcode": name,
            "hla": "A*02:01" if i % 2 else "B*07:02",
            "log_fold_change": 4.0 if (patient, name) in planted else rng.normal(0, 0.3),
            "fdr": 1e-9 if (patient, name) in planted else 1.0,
            "response": (patient, name) in planted,
            "estimated_frequency": 0.2 if (patient, name) in planted else None,
        }
        for planted in [{("P1", "A1B3"), ("P1", "A1B4"), ("P2", "A1B5")}]
        for tag, sample, patient in [("K1;K2", "S1", "P1"), ("K3", "S2", "P2"), ("K4", None, None)]
        for i, name in enumerate(names)
    ]
    return pd.DataFrame(rows)


def _n_points(axes) -> list[int]:
    found = [c for c in axes.collections if isinstance(c, PathCollection)]
    return [len(points.get_offsets()) for points in found]


def test_dots_stand_by_patient_and_hla(responses):
    axes = bulk_dots(responses).axes[0]
    assert [label.get_text() for label in axes.get_xticklabels()] == ["K4", "P1", "P2"]
    assert _n_points(axes) == [87, 2, 1]  # A1B3 and A1B5 are of A*02:01
    assert "3 responses among 90 tests" in axes.get_title(loc="left")


def test_a_panel_per_sample_names_its_responses(responses):
    figure = bulk_volcano(responses)
    shown = {axes.get_title(loc="left"): axes for axes in figure.axes if axes.axison}
    assert sorted(shown) == ["K4", "S1", "S2"]
    assert sorted(text.get_text() for text in shown["S1"].texts) == ["A1B3", "A1B4"]
    assert not shown["K4"].texts
    assert all(_n_points(axes) == [30] for axes in shown.values())


@pytest.mark.parametrize("draw", [bulk_dots, bulk_volcano])
def test_nothing_tested_is_said(draw):
    empty = pd.DataFrame(columns=[*RELEASE_TABLES["bulk_responses"], "sample_id"])
    assert draw(empty).texts or draw(empty).axes[0].texts
