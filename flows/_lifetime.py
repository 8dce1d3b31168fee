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
from pathlib import Path

# Names the process with which flow runs are to end, where their worker's own end is not enough.
SERVER_PID = "HIAIM_SERVER_PID"
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


def end_with_server() -> None:
    """Have this process end with the server that asked for it, where there is one."""
    if pid := os.environ.get(SERVER_PID):
        threading.Thread(target=_watch_other, args=(int(pid),), daemon=True).start()


def _watch_other(pid: int) -> None:
    start = _started(pid)
    while start is not None and _started(pid) == start:
        time.sleep(_LOOK_SECONDS)
    _end()


def _started(pid: int) -> str | None:
    """When a process started, in ticks since boot; None where it is gone. Ids are used again."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8").rpartition(")")[2].split()
    except OSError:
        return None
    return None if fields[0] == "Z" else fields[19]


def _watch(parent: int) -> None:
    while os.getppid() == parent:
        time.sleep(_LOOK_SECONDS)
    _end()


def _end() -> None:
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
