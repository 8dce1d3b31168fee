"""Helper processes end with the run that started them, even when it is killed.

``python -m flows._lifetime PID ...`` is ``prefect ...`` while the process PID is its parent.
"""

from __future__ import annotations

import os
import runpy
import signal
import sys
import threading
import time

_LOOK_SECONDS = 1.0
_GRACE_SECONDS = 20.0


def end_with(parent: int) -> None:
    """Have this process end soon after its parent has.

    Parameters
    ----------
    parent
        Process id; given by the parent, which may be gone already.
    """
    threading.Thread(target=_watch, args=(parent,), daemon=True).start()


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    os.kill(os.getpid(), signal.SIGTERM)
    time.sleep(_GRACE_SECONDS)
    os._exit(1)


def main() -> None:
    """Run Prefect's command line under watch."""
    end_with(int(sys.argv[1]))
    sys.argv = ["prefect", *sys.argv[2:]]
    runpy.run_module("prefect", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
