"""A statistic that is not defined says so with NaN, never with a warning: here warnings fail."""

from __future__ import annotations

import warnings
from typing import TYPE_CHECKING

import pytest
from hypothesis import settings

if TYPE_CHECKING:
    from collections.abc import Iterator


# A busy machine is no fault of a test.
settings.register_profile("stats", deadline=None)
settings.load_profile("stats")


@pytest.fixture(autouse=True)
def _warnings_are_errors() -> Iterator[None]:
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        yield
