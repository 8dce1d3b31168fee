"""What the orchestration costs: cached runs, first runs beside a plain loop, drop to start.

A small one takes minutes: ``python -m benchmarks.orchestration --patients 4 --cells 30``.
"""

from __future__ import annotations

import argparse
import os
import resource
import shutil
import subprocess
import sys
import threading
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import TYPE_CHECKING

import httpx
import pandas as pd

from flows._server import descendants, free_port, stop_process
from hiaim_sc.simulate import SimulationSettings, simulate_cohort

if TYPE_CHECKING:
    from collections.abc import Callable

_COMMAND = str(Path(sys.executable).with_name("hiaim-sc"))
_PATIENCE_SECONDS = 600
# The same stages in the same order, without Prefect: one after the other in one process.
_PLAIN = """
import sys
from datetime import UTC, datetime
from pathlib import Path
from flows._folder import open_study
from flows._opening import Opening
from flows._order import run_stages
from flows._progress import NoProgress
from flows._run import StudyRun, compute_here
from flows.publish_release import publish_release
from hiaim_sc.storage import Store

study = Path(sys.argv[1])
store, started = Store(study / ".hiaim"), datetime.now(UTC)
run = StudyRun(open_study(study, store), store, NoProgress(), compute_here)
libraries, keys = run_stages(run, blinded=False)
publish_release(
    run, libraries, keys, results=study / "results", started=started, opening=Opening()
)
"""
_IF_NEW = """
import sys
from pathlib import Path
from flows._local import run_study
from flows._request import request_run
run_study(Path(sys.argv[1]), request_run(arms="explore", only_if_new=True))
"""


@dataclass
class Measured:
    """One process tree: seconds on the clock and of all cores, largest sum of memory, in GB."""

    seconds: float
    cpu_seconds: float
    peak_gb: float


def main() -> None:
    """Print the table of ``benchmarks/README.md``."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--patients", type=int, default=88, help="cached run; 4 libraries each")
    parser.add_argument("--cells", type=int, default=30, help="cached run; per library")
    parser.add_argument("--loop-patients", type=int, default=12, help="first run; 0: not")
    parser.add_argument("--loop-cells", type=int, default=1000, help="first run; per library")
    parser.add_argument("--no-drop", action="store_true", help="leave drop to start out")
    chosen = parser.parse_args()
    print("| | libraries | cells each | s | CPU s | peak GB |\n|---|---|---|---|---|---|")
    if chosen.patients:
        measure_cached(chosen.patients, chosen.cells)
    if chosen.loop_patients:
        measure_first(chosen.loop_patients, chosen.loop_cells)
    if not chosen.no_drop:
        measure_drop()


def measure_cached(n_patients: int, n_cells: int) -> None:
    """Rows of a study that has been computed before: with a release, and with nothing new."""
    with TemporaryDirectory() as name:
        study = _simulate(Path(name), n_patients, n_cells)
        _print("first run", study, n_cells, _run(_COMMAND, "run", study))
        _print("all cached, with a release", study, n_cells, _run(_COMMAND, "run", study))
        found = _run(sys.executable, "-c", _IF_NEW, study)
        _print("all cached, nothing new", study, n_cells, found)


def measure_first(n_patients: int, n_cells: int) -> None:
    """Rows of a first run on one process, and of a plain loop over the library's functions."""
    with TemporaryDirectory() as name:
        study = _simulate(Path(name), n_patients, n_cells)
        copy = shutil.copytree(study, Path(name) / "copy")
        plain = _run(sys.executable, "-c", _PLAIN, study)
        _print("first run, a plain loop", study, n_cells, plain)
        ours = _run(_COMMAND, "run", copy, "--workers", 1)
        _print("first run, `hiaim-sc run --workers 1`", study, n_cells, ours)
        more = 100 * (ours.seconds / plain.seconds - 1)
        cpu = ours.cpu_seconds - plain.cpu_seconds
        print(f"\nOver the plain loop: {more:.1f} %, {cpu:.0f} CPU s (the server's among them).")


def measure_drop() -> None:
    """From a library complete in its folder to the start of its run, the still time apart."""
    with TemporaryDirectory() as name:
        study = _simulate(Path(name), 2, 30)
        table = pd.read_csv(study / "libraries.tsv", sep="\t", dtype=str)
        last = table["library_id"].iloc[-1]
        table.loc[table["library_id"] == last, "state"] = "expected"
        table.to_csv(study / "libraries.tsv", sep="\t", index=False)
        (study / "libraries" / last).rename(Path(name) / last)
        still = 2.0
        settings = study / "study.yaml"
        text = settings.read_text().replace("options: {}", "")
        settings.write_text(f"{text}\noptions: {{arrivals: {{still_seconds: {still:.0f}}}}}\n")
        seconds = _drop(study, Path(name) / last)
        print(
            f"\nFrom a library complete to its run started: {seconds - still:.1f} s + still time."
        )


def _drop(study: Path, library: Path) -> float:
    port = free_port()
    with subprocess.Popen(
        [_COMMAND, "serve", str(study), "--port", str(port)],
        stdout=subprocess.DEVNULL,
        stderr=subprocess.DEVNULL,
    ) as process:
        try:
            with httpx.Client(base_url=f"http://127.0.0.1:{port}/api", trust_env=False) as api:
                # what is there at the start is taken in, and makes no second release
                _wait(lambda: _ended(api) >= 2)
                before = {run["id"] for run in _runs(api)}
                shutil.copytree(library, study / "libraries" / library.name)
                complete = time.time()
                return _wait(lambda: _first_start(api, before)) - complete
        finally:
            stop_process(process)


def _runs(api: httpx.Client) -> list[dict]:
    try:
        found = api.post("/flow_runs/filter", json={}, timeout=60).json()
    except httpx.HTTPError:
        return []
    return [run for run in found if not run["auto_scheduled"]]


def _ended(api: httpx.Client) -> int:
    return sum(run["state_type"] == "COMPLETED" for run in _runs(api))


def _first_start(api: httpx.Client, before: set[str]) -> float | None:
    starts = [run["start_time"] for run in _runs(api) if run["id"] not in before]
    return min((datetime.fromisoformat(text).timestamp() for text in starts if text), default=None)


def _wait[T](look: Callable[[], T]) -> T:
    deadline = time.monotonic() + _PATIENCE_SECONDS
    while not (found := look()):
        if time.monotonic() > deadline:
            raise TimeoutError
        time.sleep(0.2)
    return found


def _simulate(folder: Path, n_patients: int, n_cells: int) -> Path:
    settings = SimulationSettings(
        out=folder / "study",
        truth=folder / "truth",
        n_patients=n_patients,
        cells_per_library=n_cells,
        seed=1,
    )
    simulate_cohort(settings)
    return folder / "study"


def _run(*words: object) -> Measured:
    """Run a command to its end; its processes' memory is added up five times a second."""
    environment = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}
    start, cpu_before = time.monotonic(), _cpu_of_ended()
    process = subprocess.Popen(
        [str(word) for word in words],
        env=environment | {"OMP_NUM_THREADS": "1", "OPENBLAS_NUM_THREADS": "1"},
        stdout=subprocess.DEVNULL,
    )
    peak, ended = 0.0, threading.Event()

    def sample() -> None:
        nonlocal peak
        while not ended.wait(0.2):
            peak = max(peak, sum(map(_resident, {process.pid, *descendants(process.pid)})))

    thread = threading.Thread(target=sample)
    thread.start()
    code = process.wait()
    ended.set()
    thread.join()
    if code != 0:
        raise SystemExit(code)
    return Measured(time.monotonic() - start, _cpu_of_ended() - cpu_before, peak / 1e9)


def _cpu_of_ended() -> float:
    """CPU seconds of all processes below this one that have ended."""
    used = resource.getrusage(resource.RUSAGE_CHILDREN)
    return used.ru_utime + used.ru_stime


def _resident(pid: int) -> int:
    try:
        pages = Path(f"/proc/{pid}/statm").read_text().split()[1]
    except OSError:
        return 0
    return int(pages) * os.sysconf("SC_PAGESIZE")


def _print(what: str, study: Path, n_cells: int, found: Measured) -> None:
    n_libraries = len((study / "libraries.tsv").read_text().splitlines()) - 1
    seconds = f"{found.seconds:.0f} | {found.cpu_seconds:.0f}"
    print(
        f"| {what} | {n_libraries} | {n_cells:,} | {seconds} | {found.peak_gb:.2f} |",
        flush=True,
    )


if __name__ == "__main__":
    main()
