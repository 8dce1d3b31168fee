"""What a worker has freed goes back to the system."""

from __future__ import annotations

import os
import sys
from pathlib import Path

import pytest

from flows._memory import give_back_memory


def resident_mb():
    pages = int(Path("/proc/self/statm").read_text().split()[1])
    return pages * os.sysconf("SC_PAGE_SIZE") / 1e6


@pytest.mark.skipif(sys.platform != "linux", reason="only glibc can be asked")
def test_freed_memory_below_what_is_kept_is_given_back():
    small = [bytes(1000) for _ in range(100_000)]
    kept = small[-1]
    full = resident_mb()
    del small
    give_back_memory()
    assert resident_mb() < full - 50
    assert kept == bytes(1000)
