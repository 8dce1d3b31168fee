"""Memory that a stage no longer needs goes back to the machine before the next one begins."""

from __future__ import annotations

import ctypes
import gc
import sys
from functools import cache

_M_MMAP_THRESHOLD = -3  # malloc.h
_LARGE = 24 << 20  # bytes: a library's counts; to map smaller blocks anew each time takes longer


@cache
def part_large_blocks() -> None:
    """Have glibc map large blocks by themselves, so that they go back as soon as they are freed.

    Left alone, it takes the first one that is freed as a sign to keep all later ones among small
    blocks, where a library's size stays with every worker.
    """
    _call("mallopt", _M_MMAP_THRESHOLD, _LARGE)


def give_back_memory() -> None:
    """Return what is free in this process to the system.

    Freed blocks stay with the process as long as something lies above them; a worker that waits
    would keep the largest library it has seen. Only glibc can be asked.

    What is left after a stage is mostly modules. They are not looked through again, which would
    take as long as many a stage.
    """
    gc.collect()
    _set_aside(len(sys.modules))
    _call("malloc_trim", 0)


@cache
def _set_aside(_n_modules: int) -> None:
    """Leave all that is there out of later collections, once for each number of modules.

    Not after every stage: what of it becomes garbage later would stay for good.
    """
    gc.freeze()


def _call(name: str, *arguments: int) -> None:
    """Call a function of glibc, where there is one of that name."""
    if sys.platform == "linux":
        function = getattr(ctypes.CDLL(None), name, None)
        if function is not None:
            function(*arguments)
