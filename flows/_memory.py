"""Memory that a stage no longer needs goes back to the machine before the next one begins."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE = 4 << 20  # bytes


@cache
def part_large_blocks() -> None:
    """Have glibc map each large block by itself, so that it goes back when it is freed.

    Left alone, it takes the first large block that is freed as a sign to keep such blocks among
    the small ones, where those below something in use never go back: a library's size in every
    worker.
    """
    _call("mallopt", _M_MMAP_THRESHOLD, _LARGE)


def give_back_memory() -> None:
    """Return what is free in this process to the system.

    Freed blocks stay with the process as long as something lies above them; a worker that waits
    would keep the largest library it has seen. Only glibc can be asked.
    """
    gc.collect()
    _call("malloc_trim", 0)


def _call(name: str, *arguments: int) -> None:
    """Call a function of glibc; other systems have none of that name."""
    if sys.platform == "linux":
        function = getattr(ctypes.CDLL(None), name, None)
        if function is not None:
            function(*arguments)
