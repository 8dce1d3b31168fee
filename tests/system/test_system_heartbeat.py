"""A run that dies with its worker, on a server where nobody looks after the study."""

from __future__ import annotations

import os
import shutil
import signal
import subprocess
import sys
import time
import uuid
from datetime import UTC, datetime

import httpx
import pytest

from flows._deployment import _HEARTBEATS
from flows._server import descendants

pytestmark = pytest.mark.long

START_SECONDS = 180
SILENCE_SECONDS = 130  # instead of 240: a test is not to wait so long
HEARTBEAT_SECONDS = 60  # as in prefect.yaml


def wait_for(look, seconds):
    deadline = time.monotonic() + seconds
    while not (found := look()):
        assert time.monotonic() < deadline, "waited in vain"
        time.sleep(0.5)
    return found


@pytest.fixture
def api(prefect_server):
    with httpx.Client(base_url=prefect_server, trust_env=False, timeout=60) as client:
        yield client


@pytest.fixture
def worker(hiaim, tmp_path):
    """A worker of a pool of its own; it and what it started are killed in the end."""
    command = [sys.executable, "-m", "prefect", "worker", "start", "--pool", "lonely"]
    with (tmp_path / "worker.log").open("wb") as log:
        process = subprocess.Popen(
            [*command, "--type", "process"],
            env=hiaim.environment,
            stdout=log,
            stderr=subprocess.STDOUT,
        )
    yield process
    kill_all(process)


def kill_all(process):
    """Kill the worker first, so that it cannot tell of its run's end."""
    started = descendants(process.pid)
    for pid in (process.pid, *started):
        try:
            os.kill(pid, signal.SIGKILL)
        except ProcessLookupError:
            continue
    process.wait(timeout=60)


def change_trigger(api, **wanted):
    """Change the deployed automation's trigger; all else of it stays."""
    (automation,) = [
        found
        for found in api.post("/automations/filter", json={}).json()
        if found["name"] == _HEARTBEATS
    ]
    automation["trigger"] |= wanted
    changed = {key: automation[key] for key in ("name", "trigger", "actions")}
    api.put(f"/automations/{automation['id']}", json=changed).raise_for_status()


def begin_run_of_others(api):
    """A run of another team's flow, that shows one sign of life and then none for long."""
    flow = api.post("/flows/", json={"name": "theirs"}).json()["id"]
    running = {"flow_id": flow, "state": {"type": "RUNNING", "name": "Running"}}
    run = api.post("/flow_runs/", json=running).json()["id"]
    heartbeat = {
        "id": str(uuid.uuid4()),
        "event": "prefect.flow-run.heartbeat",
        "occurred": datetime.now(UTC).isoformat(),
        "resource": {"prefect.resource.id": f"prefect.flow-run.{run}"},
    }
    api.post("/events", json=[heartbeat]).raise_for_status()
    return run


def test_a_run_without_a_sign_of_life_ends_as_crashed(simulate, hiaim, api, worker, tmp_path):
    study = tmp_path / "study"
    shutil.copytree(simulate(n_patients=2, cells_per_library=60, seed=9) / "study", study)
    settings = study / "study.yaml"
    settings.write_text(settings.read_text().replace("study: simulated", "study: lonely"))
    for trigger in ({"match_related": {}}, {"within": SILENCE_SECONDS}):
        # as it was for the runs of everybody once; deploying again mends that
        done = hiaim("deploy", study, "--pool", "lonely")
        assert done.code == 0, done.err
        change_trigger(api, **trigger)
    theirs = begin_run_of_others(api)
    deployment = api.get("/deployments/name/study/lonely").json()
    run = api.post(f"/deployments/{deployment['id']}/create_flow_run", json={}).json()["id"]

    heartbeat = {"event": {"name": ["prefect.flow-run.heartbeat"]}, "order": "DESC"}
    ours = {"resource": {"id": [f"prefect.flow-run.{run}"]}}
    look = {"filter": {**heartbeat, **ours}}
    wait_for(lambda: api.post("/events/filter", json=look).json()["events"], START_SECONDS)
    assert (study / ".hiaim" / "runs" / run).exists()
    kill_all(worker)
    killed = time.monotonic()

    state = api.get(f"/flow_runs/{run}").json()["state"]
    assert state["type"] == "RUNNING"
    patience = SILENCE_SECONDS + START_SECONDS
    wait_for(lambda: api.get(f"/flow_runs/{run}").json()["state"]["type"] != "RUNNING", patience)
    state = api.get(f"/flow_runs/{run}").json()["state"]
    assert state["type"] == "CRASHED"
    assert state["message"] == "no sign of life; what it had computed is kept"
    # no sooner: a run that ends slowly is not called dead
    assert time.monotonic() - killed > SILENCE_SECONDS - HEARTBEAT_SECONDS - 5
    assert not (study / "results").exists()
    assert api.get(f"/flow_runs/{theirs}").json()["state"]["type"] == "RUNNING"
