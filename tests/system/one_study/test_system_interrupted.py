"""A run that is stopped leaves nothing behind but what it had computed, and goes on from there."""

from __future__ import annotations

import json
import os
import shutil
import signal
import subprocess
import time
from pathlib import Path

import pytest

pytestmark = pytest.mark.long

PATIENCE_SECONDS = 90


def children_of(pid):
    files = Path(f"/proc/{pid}/task").glob("*/children")  # of every thread
    return {int(child) for file in files for child in file.read_text().split()}


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


def wait_until(condition):
    deadline = time.monotonic() + PATIENCE_SECONDS
    while not condition():
        assert time.monotonic() < deadline
        time.sleep(0.2)


@pytest.fixture
def study(simulated, tmp_path):
    """Four libraries."""
    folder = tmp_path / "a study"
    shutil.copytree(simulated / "study", folder)
    lines = (folder / "libraries.tsv").read_text().splitlines(keepends=True)
    (folder / "libraries.tsv").write_text("".join(lines[:5]))
    return folder


def stop_a_run(study, hiaim, log, how):
    """Stop a run with its own server amid the libraries; its exit code when all its children ended.

    What it had said by then is in `log`.
    """
    environment = {k: v for k, v in os.environ.items() if k != "PREFECT_API_URL"}
    with log.open("w") as output:
        run = subprocess.Popen(
            [hiaim.command, "run", str(study), "--workers", "2"],
            env=environment,
            stdout=output,
            stderr=subprocess.STDOUT,
            # a shell starts background jobs deaf to SIGINT, and with them these tests
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )
    wait_until(lambda: "cell QC" in log.read_text())
    children = children_of(run.pid)
    assert len(children) >= 3  # the server and the workers
    run.send_signal(how)
    code = run.wait(timeout=PATIENCE_SECONDS)
    wait_until(lambda: not any(map(is_alive, children)))
    assert not (study / "results").exists()
    return code


def test_after_a_kill_nothing_is_left_and_a_rerun_goes_on(study, hiaim, tmp_path):
    assert stop_a_run(study, hiaim, tmp_path / "log", signal.SIGKILL) == -signal.SIGKILL
    release = hiaim.release(study)
    tasks = json.loads((release / "manifest.json").read_text())["tasks"]
    assert {task["status"] for task in tasks if task["name"] == "ingest"} == {"reused"}
    assert {task["status"] for task in tasks if task["name"] == "comparisons"} == {"recomputed"}


def test_an_interrupt_ends_a_run_with_a_word_on_what_to_do(study, hiaim, tmp_path):
    log = tmp_path / "log"
    assert stop_a_run(study, hiaim, log, signal.SIGINT) == 130
    assert "the same command goes on from there" in log.read_text()
    assert "Traceback" not in log.read_text()
