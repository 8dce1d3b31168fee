"""An interrupt that is swallowed where it lands is raised again between stages."""

from __future__ import annotations

import contextlib
import os
import signal
import time

import pytest

from flows._interrupt import remembering_interrupts, stop_if_interrupted


def test_a_swallowed_interrupt_is_raised_again_and_the_handler_is_given_back():
    before = signal.getsignal(signal.SIGINT)
    with remembering_interrupts():
        stop_if_interrupted()
        with contextlib.suppress(KeyboardInterrupt):  # as a finaliser would
            os.kill(os.getpid(), signal.SIGINT)
            time.sleep(1)
        with pytest.raises(KeyboardInterrupt):
            stop_if_interrupted()
    assert signal.getsignal(signal.SIGINT) is before
    with remembering_interrupts():
        stop_if_interrupted()
