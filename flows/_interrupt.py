"""An interrupt is not lost, wherever it lands.

Python raises ``KeyboardInterrupt`` in whatever code runs at that moment, and the event loops that
Prefect starts put handlers of their own in place of it; one that lands in a callback or a finaliser
is swallowed and the run would go on. So it is remembered here and raised again between stages.
"""

from __future__ import annotations

import signal
import threading
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator

_interrupted = threading.Event()


@contextmanager
def remembering_interrupts() -> Iterator[None]:
    """Remember Ctrl-C for as long as the block lasts; for the main thread."""

    def remember(_signal: int, _frame: Any) -> None:
        _interrupted.set()
        raise KeyboardInterrupt

    _interrupted.clear()
    before = signal.signal(signal.SIGINT, remember)
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, before)


def stop_if_interrupted() -> None:
    """Raise ``KeyboardInterrupt`` where one came and was swallowed."""
    if _interrupted.is_set():
        raise KeyboardInterrupt
