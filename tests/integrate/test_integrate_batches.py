"""Batches that are one with patients or visits are not taken out, and it is said by name."""

from __future__ import annotations

import pandas as pd
import pytest

from hiaim_sc.config import IntegrateOptions
from hiaim_sc.integrate import why_not_integrated


def layout_of(*rows):
    return pd.DataFrame(rows, columns=["batch", "patient_id", "visit"])


CROSSED = [("b1", "P1", "v0"), ("b1", "P2", "v1"), ("b2", "P1", "v1"), ("b2", "P2", "v0")]


@pytest.mark.parametrize(
    ("rows", "named"),
    [
        (CROSSED, ()),
        ([("b1", "P1", "v0"), ("b2", "P2", "v0")], ("patient_id",)),
        ([("b1", "P1", "v0"), ("b2", "P1", "v1")], ("visit",)),
        ([("b1", "P1", "v0"), ("b2", "P2", "v1")], ("visit", "patient_id")),
        ([("b1", "P1", "v0"), ("b2", "P1", "v0"), ("b3", "P2", "v0")], ("patient_id",)),
        ([("b1", "P1", "v0"), ("b1", "P2", "v0"), ("b2", "P2", "v0")], ()),
    ],
)
def test_the_columns_that_batches_are_aliased_with_are_named(rows, named):
    reason = why_not_integrated(layout_of(*rows), IntegrateOptions())
    assert bool(reason) == bool(named)
    assert all(name in reason for name in named)
    assert not any(name in reason for name in {"visit", "patient_id"} - set(named))


def test_one_batch_and_harmony_off_are_reasons_too():
    one = layout_of(("b1", "P1", "v0"), ("b1", "P2", "v0"))
    assert "one batch" in why_not_integrated(one, IntegrateOptions())
    off = IntegrateOptions(harmony=False)
    assert "harmony is off" in why_not_integrated(layout_of(*CROSSED), off)
