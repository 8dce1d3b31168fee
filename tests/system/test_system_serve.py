"""One machine that looks after a study: arrivals, runs, kills and restarts, with a real server."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import signal
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pandas as pd
import pytest
import yaml
from operations_guide import block

from flows._server import descendants, free_port

pytestmark = pytest.mark.long

PATIENCE_SECONDS = 600
STILL_SECONDS = 3


def wait_until(condition, seconds=PATIENCE_SECONDS):
    deadline = time.monotonic() + seconds
    while not (found := condition()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.3)
    return found


class Served:
    """A served study, and the folder that its libraries come from."""

    command = str(Path(sys.executable).with_name("hiaim-sc"))

    def __init__(self, folder: Path) -> None:
        self.study, self.core = folder / "study", folder / "core"
        self.port = free_port()
        self.log = folder / "serve.log"
        # Prefect's workers share a folder of this name, which may be another user's
        self.temporary = folder / "tmp"
        self.temporary.mkdir()
        (self.temporary / "runner_storage").touch()

    def start(self, command=None):
        """Start it as the guide says, or as its service does."""
        command = command or block("One machine", "hiaim-sc serve").text
        words = shlex.split(command.replace("STUDY", str(self.study)))
        environment = {k: v for k, v in os.environ.items() if not k.startswith("PREFECT_")}
        environment["TMPDIR"] = str(self.temporary)
        with self.log.open("a") as log:
            self.process = subprocess.Popen(
                [self.command, *words[1:], "--port", str(self.port)],
                env=environment,
                stdout=log,
                stderr=subprocess.STDOUT,
                start_new_session=True,
            )
        said = self.log.read_text().count("is served at")
        wait_until(lambda: self.log.read_text().count("is served at") > said or self.ended())

    def ended(self):
        if self.process.poll() is not None:
            pytest.fail(f"serve ended\n{self.log.read_text()}")

    def stop(self, number):
        """Stop it; nothing that it had started is left."""
        started = descendants(self.process.pid)
        assert len(started) >= 2  # server and worker
        self.process.send_signal(number)
        code = self.process.wait(timeout=120)
        wait_until(lambda: not [pid for pid in started if is_alive(pid)], 60)
        return code

    def runs(self, *, by_itself=False):
        """The flow runs, oldest first: name, state and message."""
        url = f"http://127.0.0.1:{self.port}/api/flow_runs/filter"
        found = httpx.post(
            url, json={"sort": "EXPECTED_START_TIME_ASC"}, trust_env=False, timeout=60
        ).json()
        return [run for run in found if run["auto_scheduled"] == by_itself]

    def because(self, word):
        return [run for run in self.runs() if f" {word}, blinded" in run["name"]]

    def releases(self):
        return sorted((self.study / "results").glob("2*/manifest.json"))

    def events(self):
        path = self.study / ".hiaim" / "arrivals.jsonl"
        lines = path.read_text().splitlines() if path.exists() else []
        return [json.loads(line) for line in lines]

    def taken_in(self):
        return [e["library_id"] for e in self.events() if e["event"] == "registered"]

    def deliver(self, name, pieces=1, pause=0.0):
        """Copy a library's files, each in some pieces."""
        for path in sorted((self.core / name).iterdir()):
            content = path.read_bytes()
            target = self.study / "libraries" / name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            step = len(content) // pieces + 1
            for start in range(0, len(content), step):
                with target.open("ab") as handle:
                    handle.write(content[start : start + step])
                time.sleep(pause)


def is_alive(pid):
    try:
        return Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except OSError:
        return False


@pytest.fixture
def served(simulate, tmp_path):
    """A study with two libraries delivered and six expected."""
    shutil.copytree(
        simulate(n_patients=2, cells_per_library=60, seed=9) / "study", tmp_path / "study"
    )
    found = Served(tmp_path)
    (found.study / "libraries").rename(found.core)
    table = pd.read_csv(found.study / "libraries.tsv", sep="\t", dtype=str)
    names = list(table["library_id"])
    for name in names[:2]:
        found.deliver(name)
    table["state"] = ["delivered"] * 2 + ["expected"] * (len(names) - 2)
    table.to_csv(found.study / "libraries.tsv", sep="\t", index=False)
    settings = yaml.safe_load((found.study / "study.yaml").read_text())
    settings["options"] = {"arrivals": {"still_seconds": STILL_SECONDS}}
    (found.study / "study.yaml").write_text(yaml.safe_dump(settings))
    found.names = names
    yield found
    if found.process.poll() is None:
        for pid in [*descendants(found.process.pid), found.process.pid]:
            os.kill(pid, signal.SIGKILL)


def is_done(run):
    return run["state_type"] in {"COMPLETED", "FAILED", "CRASHED", "CANCELLED"}


def test_a_served_study_through_arrivals_a_kill_and_a_restart(served):
    served.start()
    wait_until(lambda: [run for run in served.because("start") if is_done(run)])
    # the two that are there are taken in, too, and that is no news to the second run
    wait_until(lambda: [run for run in served.because("arrivals") if is_done(run)])
    assert len(served.releases()) == 1
    slow, *others, last = served.names[2:]

    # one library in pieces, the others at once: each taken in once, when whole
    before = len(served.because("arrivals"))
    served.deliver(slow, pieces=6, pause=0.5)
    for name in others:
        served.deliver(name)
    complete = time.time()
    wait_until(lambda: set(served.taken_in()) >= {slow, *others})
    run = wait_until(lambda: served.because("arrivals")[before:])[0]
    started = wait_until(
        lambda: next((r["start_time"] for r in served.runs() if r["id"] == run["id"]), None)
    )
    delay = pd.Timestamp(started).timestamp() - complete
    print(f"from complete to started: {delay:.1f} s, still time {STILL_SECONDS} s")  # noqa: T201
    wait_until(lambda: all(map(is_done, served.runs())))
    assert len(served.taken_in()) == len(set(served.taken_in())) == 7
    new = served.because("arrivals")[before:]
    made = [run for run in new if "nothing new" not in (run["state"]["message"] or "")]
    assert len(made) == 1
    assert {run["state_type"] for run in new} == {"COMPLETED"}
    assert len(served.releases()) == 2
    manifest = json.loads(served.releases()[-1].read_text())
    assert manifest["blinded"]
    computed = {t["library_id"] for t in manifest["tasks"] if t["status"] == "recomputed"}
    assert computed - {None} == {slow, *others}

    # killed amid a run
    served.deliver(last)
    wait_until(lambda: list((served.study / ".hiaim" / "runs").iterdir()))
    assert served.stop(signal.SIGKILL) == -signal.SIGKILL
    unit = block("One machine", "[Service]").filled(**{"/data/study": served.study})
    served.start(*re.findall(r"^ExecStart=(.+)$", unit, re.MULTILINE))
    wait_until(lambda: len([r for r in served.because("start") if is_done(r)]) == 2)
    wait_until(lambda: all(map(is_done, served.runs())))
    assert [r["state_type"] for r in served.because("arrivals")].count("CRASHED") == 1
    assert len(served.releases()) == 3
    manifest = json.loads(served.releases()[-1].read_text())
    assert {t["library_id"] for t in manifest["tasks"]} == {None, *served.names}
    assert sorted(served.taken_in()) == sorted(served.names)

    # stopped and started with nothing new, by the clock, too
    assert served.stop(signal.SIGTERM) == 130
    served.start(block("One machine", "hiaim-sc serve").filled(**{"0 5 * * *": "* * * * *"}))
    run = wait_until(lambda: [r for r in served.because("start")[2:] if is_done(r)])[0]
    assert run["state"]["message"].startswith("nothing new: release 2")
    fired = wait_until(lambda: [r for r in served.runs(by_itself=True) if is_done(r)])[0]
    assert fired["name"].endswith("schedule, blinded")
    assert fired["state"]["message"].startswith("nothing new: release 2")
    assert len(served.releases()) == 3
    assert served.stop(signal.SIGINT) == 130
