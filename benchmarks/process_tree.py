"""CPU seconds, wall seconds and resident memory of a process with all that it starts."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

_INTERVAL = 0.1  # seconds between looks at the memory
_TICK = os.sysconf("SC_CLK_TCK")
_PAGE = os.sysconf("SC_PAGE_SIZE")


class Marks:
    """The ends of a process's steps, written down as they come.

    A step lasts from the end of the one before, the first from the start of the process, so that
    the steps add up to the whole.

    Parameters
    ----------
    path
        Gets a line of JSON per step.
    """

    def __init__(self, path: Path) -> None:
        self.path, self.cpu = path, 0.0

    def end(self, step: str, **facts: Any) -> None:
        """A step has ended; `facts` are kept with it."""
        cpu = tree_cpu_seconds()
        line = {"step": step, "cpu_s": round(cpu - self.cpu, 2), "at": time.monotonic(), **facts}
        self.cpu = cpu
        with self.path.open("a") as file:
            file.write(json.dumps(line) + "\n")


def measure(
    module: str, arguments: Sequence[str], log: Path, *, environment: Mapping[str, str]
) -> list[dict[str, Any]]:
    """Run ``python -m module`` and measure its steps.

    Parameters
    ----------
    log
        Where the module writes its `Marks`; its path is the first argument.
    environment
        Added to this process's own.

    Returns
    -------
    ``step cpu_s wall_s peak_gb`` of each, with the facts that were kept; ``peak_gb`` is the largest
    sum over the processes that lived at one time during the step.

    Raises
    ------
    subprocess.CalledProcessError
        When the module fails.
    """
    log.unlink(missing_ok=True)
    command = [sys.executable, "-m", module, str(log), *arguments]
    start = time.monotonic()
    process = subprocess.Popen(command, env=os.environ | dict(environment))
    looks: list[tuple[float, float]] = []
    watch = threading.Thread(target=_watch, args=(process, looks))
    watch.start()
    if process.wait():
        raise subprocess.CalledProcessError(process.returncode, command)
    watch.join()
    steps = [json.loads(line) for line in log.read_text().splitlines()]
    for step in steps:
        end = step.pop("at")
        step["wall_s"] = round(end - start, 2)
        during = [memory for at, memory in looks if start <= at <= end]
        step["peak_gb"] = round(max(during, default=0.0), 3)
        start = end
    return steps


def _watch(process: subprocess.Popen[bytes], looks: list[tuple[float, float]]) -> None:
    while process.poll() is None:
        looks.append((time.monotonic(), tree_gb(process.pid)))
        time.sleep(_INTERVAL)


def tree_gb(pid: int) -> float:
    """Resident memory of a process and its descendants, summed."""
    return sum(_field(p, "statm", 1) for p in _tree(pid)) * _PAGE / 1e9


def tree_cpu_seconds() -> float:
    """CPU seconds of this process, of its descendants, and of those that it has waited for."""
    alive = sum(_ticks(p) for p in _tree(os.getpid()))
    return alive / _TICK


def _tree(pid: int) -> Iterator[int]:
    yield pid
    try:
        tasks = list(Path(f"/proc/{pid}/task").iterdir())
        children = [c for t in tasks for c in (t / "children").read_text().split()]
    except (FileNotFoundError, ProcessLookupError):  # it has ended
        return
    for child in children:
        yield from _tree(int(child))


def _field(pid: int, name: str, position: int) -> int:
    try:
        return int(Path(f"/proc/{pid}/{name}").read_text().split()[position])
    except (FileNotFoundError, ProcessLookupError):
        return 0


def _ticks(pid: int) -> int:
    """User and system time of a process and of the children that it has waited for."""
    try:
        after_name = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
    except (FileNotFoundError, ProcessLookupError):
        return 0
    return sum(int(value) for value in after_name[11:15])
