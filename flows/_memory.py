"""Memory that a stage no longer needs goes back to the machine before the next one begins."""

from __future__ import annotations

import ctypes
import gc
import sys


def give_back_memory() -> None:
    """Return what is free in this process to the system.

    Freed blocks stay with the process as long as something lies above them; a worker that waits
    would keep the largest library it has seen. Only glibc can be asked.

    What is left after a stage is modules and what they hold: it is not looked through again, which
    would take as long as many a stage.
    """
    gc.collect()
    gc.freeze()
    if sys.platform == "linux":
        trim = getattr(ctypes.CDLL(None), "malloc_trim", None)
        if trim is not None:
            trim(0)
